//! See `bodies::control_value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_fuzz::bodies::control_value(data));
