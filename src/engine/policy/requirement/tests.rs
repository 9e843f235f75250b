//! What operations touch, one line a case.
