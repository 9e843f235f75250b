//! To be written: session/mod.
