//! The JSON reader behind C's border, with columns of every kind.

use super::ArrowArray;
use std::os::raw::c_int;

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

pub struct Json(*mut Reader);

impl Json {
    /// A reader of the columns below.
    pub fn open() -> Json {
        let description = description();
        let reader = unsafe { streamsink_json_open(description.as_ptr(), description.len()) };
        assert!(!reader.is_null());
        Json(reader)
    }

    /// Reads values whose bounds are given; returns which are in doubt, or None where nothing was read.
    pub fn read(&self, offsets: &[i32], data: &[u8]) -> Option<Vec<u8>> {
        let read: Read =
            unsafe { std::mem::transmute(streamsink_native::streamsink_json_read as *const ()) };
        let rows = offsets.len() - 1;
        let mut doubt = vec![0_u8; rows];
        let mut array = ArrowArray::empty();
        unsafe {
            let failed = read(
                self.0,
                offsets.as_ptr(),
                rows,
                data.as_ptr(),
                data.len(),
                doubt.as_mut_ptr(),
                &mut array,
            );
            if failed != 0 {
                assert!(array.release.is_none());
                return None;
            }
            array.check_and_release(rows);
        }
        Some(doubt)
    }

    /// Reads values one after another.
    pub fn read_values<T: AsRef<[u8]>>(&self, values: &[T]) -> Option<Vec<u8>> {
        let mut data = vec![];
        let mut offsets = vec![0_i32];
        for value in values {
            data.extend_from_slice(value.as_ref());
            offsets.push(data.len() as i32);
        }
        self.read(&offsets, &data)
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        unsafe { streamsink_json_close(self.0) };
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

pub fn description() -> Vec<u8> {
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
