//! What the fuzz targets do with their octets.

pub mod bodies;
