//! To be written: frame.
