//! The end-to-end tests: one binary, a module for each subject.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail the test")]

mod arbitrary;
mod fuzz;
mod ldap3_proto;
mod ldap_round_trip;
