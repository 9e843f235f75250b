//! I/O only: performs what the engine says.

pub mod audit_log;
pub mod broker;
pub mod clock;
pub mod registry;
pub mod state;
pub mod store;
pub mod tls;
