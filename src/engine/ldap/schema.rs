//! To be written: schema.
