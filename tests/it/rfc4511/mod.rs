//! What RFC 4511 and the clients that rely on it expect, of slapd and of the gate alike.

mod abandon;
mod binds;
mod clients;
mod malformed;
mod pipelining;
mod starttls;
