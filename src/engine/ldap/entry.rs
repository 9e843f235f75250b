//! To be written: entry.
