//! Lines of any bytes as JSON records.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::json::Json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let reader = Json::open();
    let once = reader.read_values(&values);
    assert!(once.is_some());
    // A reader keeps nothing of what it read that changes what it reads next.
    assert_eq!(once, reader.read_values(&values));
});
