#![no_main]
kairos_doctor_fuzz::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kairos_doctor_fuzz::targets::markdown(bytes));
