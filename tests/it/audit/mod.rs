//! The log as auditors read it, with the real program.

mod reading;
mod verify;
