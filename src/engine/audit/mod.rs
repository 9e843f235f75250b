//! What is recorded of every operation and every step of the workflow, as JSON lines.
//!
//! Never holds what must not be recorded: passwords, values that are written or compared, control
//! values, and the values of sensitive attributes in filters and names.

pub mod chain;
mod json;
mod ldap_text;
pub mod lines;
pub mod query;
pub mod reading;
pub mod record;
pub mod repeats;
pub mod report;
mod sensitive;
pub mod transition;
