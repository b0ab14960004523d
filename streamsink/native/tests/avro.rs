//! Avro records through C's border as Python comes: whole, mangled and cut, read and given back, over and over.
//!
//! Debug builds check each sum for overflow; `RUSTFLAGS=-Zsanitizer=address cargo +nightly test` checks memory.

mod common;

use common::avro::Avro;
use common::Dice;

/// A record that the fields above describe.
fn record(dice: &mut Dice) -> Vec<u8> {
    let text: &[u8] = [&b"\x00"[..], b"\x04\xc3\xa9", b"\x06abc"][dice.roll(3)];
    let wide: &[u8] = [
        &b"\x02"[..],
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x80\x00",
    ][dice.roll(3)];
    let mut bytes = vec![dice.roll(2) as u8, 0x7f];
    let parts: [Vec<u8>; 8] = [
        [vec![0], [b"\x02", wide].concat()][dice.roll(2)].clone(),
        [vec![2], b"\0\x01\x02\xc0\x7f".to_vec()][dice.roll(2)].clone(),
        vec![dice.roll(256) as u8; 8],
        [b"\0", text].concat(),
        [vec![0], [b"\x02", text].concat()][dice.roll(2)].clone(),
        vec![2 * dice.roll(2) as u8],
        [vec![0], [b"\x02", wide, b"\x02"].concat()][dice.roll(2)].clone(),
        [text, [&b"\0"[..], b"\x02\x01"][dice.roll(2)]].concat(),
    ];
    bytes.extend(parts.concat());
    bytes
}

fn mangled(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    let at = dice.roll(bytes.len());
    match dice.roll(3) {
        0 => bytes.truncate(at),
        1 => bytes[at] = dice.roll(256) as u8,
        _ => bytes.insert(at, dice.roll(256) as u8),
    }
    bytes
}

#[test]
fn avro_records_of_all_sorts_are_read_and_given_back() {
    let mut dice = Dice(127);
    let reader = Avro::open();
    let (mut whole, mut refused) = (0, 0);
    for round in 0..2_000 {
        let mut values: Vec<Vec<u8>> = (0..1 + dice.roll(60)).map(|_| record(&mut dice)).collect();
        if round % 2 == 1 {
            let at = dice.roll(values.len());
            values[at] = mangled(values[at].clone(), &mut dice);
        }
        let mut stops = vec![];
        let mut size = 0;
        values.iter().for_each(|value| {
            size += value.len();
            stops.push(size as i64);
        });
        let mut starts: Vec<i64> = std::iter::once(0).chain(stops.iter().copied()).collect();
        starts.pop();
        if round % 100 == 99 {
            // Places that are none.
            *[&mut starts, &mut stops][dice.roll(2)].last_mut().unwrap() =
                [-1, i64::MAX][dice.roll(2)];
        }
        if reader.read(&values.concat(), &starts, &stops) {
            assert!(round % 100 != 99);
            whole += 1;
        } else {
            assert!(round % 2 == 1);
            refused += 1;
        }
    }
    assert!(
        whole > 1_000 && refused > 500,
        "{} read, {} refused",
        whole,
        refused
    );
}
