//! I/O only: performs what the engine says.

pub mod audit_log;
pub mod broker;
pub mod clock;
pub mod control;
pub mod demo;
pub mod directory;
mod driver;
pub mod gate;
pub mod ldap_client;
pub mod listener;
pub mod registry;
pub mod state;
pub mod store;
pub mod tls;
pub mod upstream;
