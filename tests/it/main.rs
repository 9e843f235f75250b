//! The end-to-end tests: one binary, a module for each subject.

#![expect(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]
#![expect(clippy::print_stderr, reason = "a failing test shows what the gate said")]

mod applications;
mod arbitrary;
mod audit;
mod bounds;
mod bypass;
mod cli;
mod configuration;
mod control;
mod demo;
mod differential;
mod directories;
mod durability;
mod fuzz;
mod ldap3_proto;
mod ldap_round_trip;
mod memory;
mod pages;
mod records;
mod rfc4511;
mod running;
mod sasl;
mod schema;
mod support;
mod telling;
mod upstream;
mod workflow;
