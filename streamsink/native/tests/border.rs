//! Through C's border as Python comes: records whole, mangled and cut, read and given back, over and over.
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
    *const i32,
    usize,
    *const u8,
    usize,
    *mut u8,
    *mut ArrowArray,
) -> c_int;

enum Reader {}

extern "C" {
    fn streamsink_json_open(description: *const u8, size: usize) -> *mut Reader;
    fn streamsink_json_close(reader: *mut Reader);
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

fn field(variants: [u16; 5], is_variant: bool, name: &str, place: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(is_variant)];
    variants
        .iter()
        .for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(place);
    bytes
}

fn structure(fields: &[Vec<u8>]) -> Vec<u8> {
    let count = fields.len() as u16;
    [
        b"{\0".to_vec(),
        count.to_le_bytes().to_vec(),
        fields.concat(),
    ]
    .concat()
}

fn description() -> Vec<u8> {
    const NONE: [u16; 5] = [u16::MAX; 5];
    let inner = structure(&[
        field(NONE, false, "k", b"d\0"),
        field(NONE, false, "t", b"s\0"),
    ]);
    let mut root = structure(&[
        field([u16::MAX, u16::MAX, 1, 2, 3], false, "a", b"i\0\x40"),
        field(NONE, true, "a__double", b"d\0"),
        field(NONE, true, "a__string", b"s\0"),
        field(NONE, true, "a__json", b"j\0"),
        field(
            [u16::MAX, u16::MAX, u16::MAX, u16::MAX, 6],
            false,
            "l",
            &[b"l\0", inner.as_slice()].concat(),
        ),
        field(NONE, false, "b", b"b\0"),
        field(NONE, true, "l__json", b"j\0"),
        field(NONE, false, "n", b"i\x03\x08"),
        field(NONE, false, "j", b"j\0"),
        field(NONE, false, "e", b"{\0\0\0"),
        field(NONE, false, "x", b"n\0"),
        field(NONE, false, "o", b"{\x04\0\0"),
        field(NONE, true, "_rest", b"j\0"),
    ]);
    // Fields that it lacks go to the last one, but for those of a reserved name.
    root[1] = 8;
    root.extend_from_slice(b"\x0c\0\x01\0\x03\0new");
    root
}

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

/// Reads each byte that an array claims to have, and checks that its rows add up.
unsafe fn walk(array: &ArrowArray, rows: i64) -> usize {
    assert_eq!((array.length, array.offset), (rows, 0));
    let mut seen = 0;
    if array.n_buffers > 0 && array.null_count > 0 {
        let bitmap =
            std::slice::from_raw_parts((*array.buffers).cast::<u8>(), (rows as usize + 7) / 8);
        let set: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(i64::from(set), rows - array.null_count);
        seen += bitmap.len();
    }
    for at in 0..array.n_children as usize {
        let child = &**array.children.add(at);
        seen += walk(child, child.length);
    }
    seen
}

#[test]
fn records_of_all_sorts_are_read_and_given_back() {
    let read: Read =
        unsafe { std::mem::transmute(streamsink_native::streamsink_json_read as *const ()) };
    let description = description();
    let mut dice = Dice(219);
    let reader = unsafe { streamsink_json_open(description.as_ptr(), description.len()) };
    assert!(!reader.is_null());
    let mut certain = 0;
    for _ in 0..300 {
        let values: Vec<Vec<u8>> = (0..dice.roll(60)).map(|_| record(&mut dice)).collect();
        let mut offsets = vec![0_i32];
        values
            .iter()
            .for_each(|value| offsets.push(offsets[offsets.len() - 1] + value.len() as i32));
        let data = values.concat();
        let mut doubt = vec![0_u8; values.len()];
        unsafe {
            let mut array: ArrowArray = std::mem::zeroed();
            let (rows, size) = (values.len(), data.len());
            let failed = read(
                reader,
                offsets.as_ptr(),
                rows,
                data.as_ptr(),
                size,
                doubt.as_mut_ptr(),
                &mut array,
            );
            assert_eq!(failed, 0);
            walk(&array, rows as i64);
            array
                .release
                .expect("an array that was given is not yet released")(&mut array);
            assert!(array.release.is_none());
        }
        certain += doubt.iter().filter(|flag| **flag == 0).count();
    }
    unsafe { streamsink_json_close(reader) };
    assert!(certain > 2_000, "only {} rows were certain", certain);
}

#[test]
fn offsets_that_are_none_are_refused() {
    let read: Read =
        unsafe { std::mem::transmute(streamsink_native::streamsink_json_read as *const ()) };
    let description = description();
    for offsets in [[0, 9, 4], [0, -1, 4], [0, 2, 5], [3, 2, 4]] {
        unsafe {
            let reader = streamsink_json_open(description.as_ptr(), description.len());
            let mut array: ArrowArray = std::mem::zeroed();
            let failed = read(
                reader,
                offsets.as_ptr(),
                2,
                b"{}{}".as_ptr(),
                4,
                [0_u8; 2].as_mut_ptr(),
                &mut array,
            );
            assert_eq!(failed, 1);
            assert!(array.release.is_none());
            streamsink_json_close(reader);
        }
    }
}
