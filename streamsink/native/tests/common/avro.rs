//! The Avro reader behind C's border, with fields of every kind.

use super::ArrowArray;
use std::os::raw::c_int;

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

pub struct Avro(*mut Reader);

impl Avro {
    /// A reader of the fields above.
    pub fn open() -> Avro {
        let description = [&(FIELDS.len() as u32).to_le_bytes()[..], &FIELDS.concat()].concat();
        let reader = unsafe { streamsink_avro_open(description.as_ptr(), description.len()) };
        assert!(!reader.is_null());
        Avro(reader)
    }

    /// Reads records between bounds; whether they were read.
    pub fn read(&self, data: &[u8], starts: &[i64], stops: &[i64]) -> bool {
        let read: Read =
            unsafe { std::mem::transmute(streamsink_native::streamsink_avro_read as *const ()) };
        let mut array = ArrowArray::empty();
        unsafe {
            let failed = read(
                self.0,
                data.as_ptr(),
                data.len(),
                starts.as_ptr(),
                stops.as_ptr(),
                starts.len(),
                &mut array,
            );
            if failed != 0 {
                assert!(array.release.is_none());
                return false;
            }
            array.check_and_release(starts.len());
        }
        true
    }
}

impl Drop for Avro {
    fn drop(&mut self) {
        unsafe { streamsink_avro_close(self.0) };
    }
}
