//! What the fuzz targets do with their octets.

pub mod bodies;
pub mod session_steps;
