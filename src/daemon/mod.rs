//! I/O only: performs what the engine says.

pub mod state;
pub mod store;
