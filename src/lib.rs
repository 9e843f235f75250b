//! Tidegate: a TLS-terminating LDAP proxy that enforces just-in-time access.
//!
//! The layers, each of which may use only those below it:
//!
//! | layer | what it is | may use |
//! |---|---|---|
//! | [`cli`] | one file per command | `daemon` (for `serve` and `demo` only), `config`, `api`, `engine` |
//! | [`daemon`] | I/O only: performs what the engine says | `config`, `api`, `engine` |
//! | [`config`], [`api`] | the configuration file; the JSON of the control port | `engine` |
//! | [`engine`] | pure: what LDAP says, what the policy says, what a session does | nothing |
//!
//! `tests/tidy.rs` holds the tree to it.

#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod engine;
