//! Decisions, one line a case: who with which grants does what, and what comes of it.

mod acting;
mod asking;
mod attributes;
mod cases;
mod computing;
mod controls;
mod dsl;
mod exclusions;
mod holdings;
mod permits;
mod redactions;
mod requested;
mod spellings;
