//! The command line as a process: what it asks, what it prints where, and how it ends.

mod canned;
mod check;
mod conversation;
mod terminal;
mod with_gate;
mod wrong_uses;
