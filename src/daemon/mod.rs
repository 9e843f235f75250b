//! I/O only: performs what the engine says.

pub mod audit_log;
pub mod broker;
pub mod clock;
pub mod control;
pub mod demo;
pub mod directory;
pub mod ldap_client;
pub mod registry;
pub mod state;
pub mod store;
pub mod tls;
