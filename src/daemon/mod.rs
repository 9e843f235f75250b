//! I/O only: performs what the engine says.

pub mod asking;
mod assemble;
pub mod audit_log;
pub mod broker;
pub mod certificate;
pub mod clock;
pub mod configurations;
mod confirmed;
pub mod control;
pub mod demo;
pub mod directory;
mod driver;
pub mod gate;
mod hooks;
pub mod ldap_client;
pub mod limits;
pub mod listener;
pub mod memberships;
pub mod metrics;
pub mod notifier;
pub mod registry;
pub mod reload;
mod run;
pub mod state;
pub mod store;
mod survey;
pub mod tls;
pub mod upstream;

pub use run::{Running, StartError, start};
pub use survey::{Survey, survey};
