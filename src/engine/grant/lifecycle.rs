//! To be written: grant/lifecycle.
