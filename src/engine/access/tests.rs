//! Decisions, one line a case.
