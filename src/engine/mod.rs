//! The pure core: no async, sockets, files, clock, randomness or logging.
//!
//! Time is an argument ([`Now`]), randomness is an argument, and what is to be done is
//! returned as a value. Inside, modules use only what stands to their left:
//! `ldap -> policy -> {grant, redaction} -> access -> {workflow, audit} -> session`.

pub mod access;
pub mod audit;
pub mod grant;
pub mod ldap;
pub mod policy;
pub mod redaction;
pub mod session;
pub mod text;
pub mod time;
pub mod workflow;

pub use time::Now;
