//! Decisions, one line a case: who with which grants does what, and what comes of it.

mod attributes;
mod cases;
mod controls;
mod dsl;
mod permits;
mod redactions;
