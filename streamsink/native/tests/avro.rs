//! Avro records through C's border as Python comes: whole, mangled and cut, read and given back, over and over.
//!
//! Debug builds check each sum for overflow; `RUSTFLAGS=-Zsanitizer=address cargo +nightly test` checks memory.

use std::os::raw::{c_int, c_void};

#[repr(C)]
struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

type Read = unsafe extern "C" fn(
    *mut Reader,
    *const u8,
    usize,
    *const i64,
    *const i64,
    usize,
    *mut ArrowArray,
) -> c_int;

enum Reader {}

extern "C" {
    fn streamsink_avro_open(description: *const u8, size: usize) -> *mut Reader;
    fn streamsink_avro_close(reader: *mut Reader);
}

/// A fixed sequence of numbers that look like chance (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

const FIELDS: [&[u8]; 11] = [
    b"z\xff",
    b"i\xff",
    b"l\x00",
    b"f\x01",
    b"d\xff",
    b"b\xfe",
    b"s\x00",
    b"e\xff\x02\0\0\0\x01\0\0\0A\x00\0\0\0",
    b"r\x00\x02\0\0\0l\xffs\x01",
    b"s\xff",
    b"r\xff\x01\0\0\0z\x00",
];

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

/// Sums what columns of this array claim to be; each has as many rows as the records.
unsafe fn walk(array: &ArrowArray, rows: i64) {
    assert_eq!((array.length, array.offset), (rows, 0));
    if array.null_count > 0 {
        let bitmap =
            std::slice::from_raw_parts((*array.buffers).cast::<u8>(), (rows as usize + 7) / 8);
        let set: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(i64::from(set), rows - array.null_count);
    }
    for at in 0..array.n_children as usize {
        walk(&**array.children.add(at), rows);
    }
}

#[test]
fn avro_records_of_all_sorts_are_read_and_given_back() {
    let read: Read =
        unsafe { std::mem::transmute(streamsink_native::streamsink_avro_read as *const ()) };
    let description = [&(FIELDS.len() as u32).to_le_bytes()[..], &FIELDS.concat()].concat();
    let mut dice = Dice(127);
    let reader = unsafe { streamsink_avro_open(description.as_ptr(), description.len()) };
    assert!(!reader.is_null());
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
        let data = values.concat();
        unsafe {
            let mut array: ArrowArray = std::mem::zeroed();
            let failed = read(
                reader,
                data.as_ptr(),
                data.len(),
                starts.as_ptr(),
                stops.as_ptr(),
                values.len(),
                &mut array,
            );
            if failed != 0 {
                assert!(round % 2 == 1 && array.release.is_none());
                refused += 1;
                continue;
            }
            assert!(round % 100 != 99);
            whole += 1;
            walk(&array, values.len() as i64);
            array
                .release
                .expect("an array that was given is not yet released")(&mut array);
            assert!(array.release.is_none());
        }
    }
    unsafe { streamsink_avro_close(reader) };
    assert!(
        whole > 1_000 && refused > 500,
        "{} read, {} refused",
        whole,
        refused
    );
}
