//! The log as auditors read it, with the real program.

mod answers;
mod reading;
mod verify;
