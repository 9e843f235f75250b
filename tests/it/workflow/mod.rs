//! From request to end: asked for and decided on the command line, felt in LDAP.

mod deciding;
mod difference;
mod doing;
mod groups;
mod reload;
mod reloading;
mod rules;
mod scenario;
mod timing;
