//! The broker: what opens when, and what races end in.
