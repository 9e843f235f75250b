//! See `bodies::filter_rewrite`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_fuzz::bodies::filter_rewrite(data));
