//! See `session_steps`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_fuzz::session_steps::session_steps(data));
