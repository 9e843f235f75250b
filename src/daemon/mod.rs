//! To be written: daemon.
