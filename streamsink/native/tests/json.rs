//! JSON records through C's border as Python comes: whole, mangled and cut, read and given back, over and over.
//!
//! Debug builds check each sum for overflow; `RUSTFLAGS=-Zsanitizer=address cargo +nightly test` checks memory.

mod common;

use common::json::Json;
use common::Dice;

const PARTS: [&str; 27] = [
    r#""other\"s":[1,{"a":"\u001f"}]"#,
    r#""third":null"#,
    r#""o":{"z":[1,"\n\"é",{"y":-1e5}],"w":null}"#,
    r#""a":1"#,
    r#""a":-1.5"#,
    r#""a":"s\u00fc""#,
    r#""a":[1,{"z":"\n"}]"#,
    r#""a":1234567890123456789012"#,
    r#""l":[]"#,
    r#""l":[{"k":1,"t":"x"},null,{"t":null}]"#,
    r#""l":[{"k":2},7]"#,
    r#""l":"s""#,
    r#""b":true"#,
    r#""b":null"#,
    r#""n":127"#,
    r#""n":128"#,
    r#""j":{"a":[1.25,"\\\"",{}],"b":null}"#,
    r#""j":{"a":1,"a":2}"#,
    r#""e":{}"#,
    r#""e":{"y":1}"#,
    r#""x":null"#,
    r#""x":1"#,
    r#""\u0061":9"#,
    r#""new":null"#,
    r#""new":1"#,
    r#""j":"ünïcödé and more than eight bytes""#,
    r#""a":1e400"#,
];

fn record(dice: &mut Dice) -> Vec<u8> {
    let parts: Vec<&str> = (0..dice.roll(6))
        .map(|_| PARTS[dice.roll(PARTS.len())])
        .collect();
    let mut bytes = format!(
        "{{\"n\":1{}{}}}",
        if parts.is_empty() { "" } else { ", " },
        parts.join(" ,")
    )
    .into_bytes();
    if dice.roll(3) == 0 {
        let at = dice.roll(bytes.len());
        match dice.roll(3) {
            0 => bytes.truncate(at),
            1 => bytes[at] = dice.roll(256) as u8,
            _ => bytes.insert(at, b"\"\\{}[]:,0-e.u\xff\0 "[dice.roll(16)]),
        }
    }
    bytes
}

#[test]
fn records_of_all_sorts_are_read_and_given_back() {
    let mut dice = Dice(219);
    let reader = Json::open();
    let mut certain = 0;
    for _ in 0..300 {
        let values: Vec<Vec<u8>> = (0..dice.roll(60)).map(|_| record(&mut dice)).collect();
        let doubt = reader.read_values(&values).expect("records are read");
        certain += doubt.iter().filter(|flag| **flag == 0).count();
    }
    assert!(certain > 2_000, "only {} rows were certain", certain);
}

#[test]
fn offsets_that_are_none_are_refused() {
    for offsets in [[0, 9, 4], [0, -1, 4], [0, 2, 5], [3, 2, 4]] {
        assert_eq!(Json::open().read(&offsets, b"{}{}"), None);
    }
}
