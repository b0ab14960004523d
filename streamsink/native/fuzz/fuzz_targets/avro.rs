//! Any bytes as Avro records: the first byte says how many there are, those after it how long each is.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::avro::Avro;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let count = usize::from(*count).min(rest.len());
    if count == 0 {
        return;
    }
    let (lengths, records) = rest.split_at(count);
    let mut stops: Vec<i64> = vec![];
    for length in lengths {
        let before = stops.last().copied().unwrap_or(0);
        stops.push((before + i64::from(*length)).min(records.len() as i64));
    }
    let starts: Vec<i64> = std::iter::once(0)
        .chain(stops.iter().copied())
        .take(count)
        .collect();
    Avro::open().read(records, &starts, &stops);
});
