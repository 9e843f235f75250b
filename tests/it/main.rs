//! The end-to-end tests: one binary, a module for each subject.

mod arbitrary;
mod ldap3_proto;
mod ldap_round_trip;
