//! Reads JSON records into Arrow columns. A row that it is not sure of is named, and null in all columns.
//!
//! Only this file and `arrow.rs` hold unsafe code: they meet Python at C's border. Everything else is checked.

mod arrow;
mod bits;
mod column;
mod cursor;
mod place;
mod reader;
mod text;

use arrow::ArrowArray;
use reader::Reader;
use std::os::raw::c_int;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::slice::from_raw_parts;

/// What callers and this library must agree on: names, arguments and the form of descriptions.
#[no_mangle]
pub extern "C" fn streamsink_native_version() -> c_int {
    3
}

/// A reader of the columns that a description names; null where it is none.
///
/// # Safety
/// `description` must point to `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn streamsink_json_open(description: *const u8, size: usize) -> *mut Reader {
    let description = from_raw_parts(description, size);
    match catch_unwind(|| Reader::new(description)) {
        Ok(Some(reader)) => Box::into_raw(Box::new(reader)),
        _ => ptr::null_mut(),
    }
}

/// Frees a reader.
///
/// # Safety
/// `reader` must come from `streamsink_json_open`, and not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn streamsink_json_close(reader: *mut Reader) {
    drop(Box::from_raw(reader));
}

/// Reads values into a struct array, one row each; flags rows in doubt. Anything but 0: nothing was read.
///
/// # Safety
/// `reader` must come from `streamsink_json_open`, and no other thread may use it. `offsets` must point to `rows + 1`
/// integers, `data` to `size` bytes, `doubt` to `rows` bytes, and `out` to an array that holds nothing.
#[no_mangle]
pub unsafe extern "C" fn streamsink_json_read(
    reader: *mut Reader,
    offsets: *const i32,
    rows: usize,
    data: *const u8,
    size: usize,
    doubt: *mut u8,
    out: *mut ArrowArray,
) -> c_int {
    let reader = &mut *reader;
    let offsets = from_raw_parts(offsets, rows + 1);
    let data = if size == 0 {
        &[]
    } else {
        from_raw_parts(data, size)
    };
    let doubt = if rows == 0 {
        &mut []
    } else {
        std::slice::from_raw_parts_mut(doubt, rows)
    };
    match catch_unwind(AssertUnwindSafe(|| {
        reader.read(offsets, data, doubt).map(ArrowArray::of)
    })) {
        Ok(Some(array)) => {
            ptr::write(out, array);
            0
        }
        _ => 1,
    }
}
