//! What tests and fuzz targets share: an Arrow array as C sees it, readers behind C's border, and dice.
#![allow(dead_code)]

pub mod avro;
pub mod json;

use std::os::raw::c_void;

#[repr(C)]
pub struct ArrowArray {
    pub length: i64,
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *mut *const c_void,
    pub children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

impl ArrowArray {
    /// One that holds nothing.
    pub fn empty() -> ArrowArray {
        unsafe { std::mem::zeroed() }
    }

    /// Reads each byte of validity that the array claims to have, and checks that its rows add up; then gives it back.
    ///
    /// # Safety
    /// The array must be one that was handed over.
    pub unsafe fn check_and_release(&mut self, rows: usize) {
        self.walk(rows as i64);
        self.release
            .expect("an array that was given is not yet released")(self);
        assert!(self.release.is_none());
    }

    unsafe fn walk(&self, rows: i64) {
        assert_eq!((self.length, self.offset), (rows, 0));
        if self.n_buffers > 0 && self.null_count > 0 {
            let bitmap =
                std::slice::from_raw_parts((*self.buffers).cast::<u8>(), (rows as usize + 7) / 8);
            let set: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(i64::from(set), rows - self.null_count);
        }
        for at in 0..self.n_children as usize {
            let child = &**self.children.add(at);
            child.walk(child.length);
        }
    }
}

/// A fixed sequence of numbers that look like chance (Marsaglia's xorshift).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}
