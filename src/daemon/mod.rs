//! I/O only: performs what the engine says.

pub mod audit_log;
pub mod state;
pub mod store;
