//! To be written: audit/mod.
