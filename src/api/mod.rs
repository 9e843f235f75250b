//! To be written: api.
