//! Reads JSON and Avro records, and messages of librdkafka's, into Arrow columns.
//!
//! Only this file, `arrow.rs` and `kafka.rs` hold unsafe code: they meet Python and librdkafka at C's border. Everything
//! else is checked.

mod arrow;
mod avro;
mod bits;
mod column;
mod cursor;
mod kafka;
mod names;
mod number;
mod place;
mod reader;
mod records;
mod rest;
mod text;

use arrow::ArrowArray;
use kafka::{Batch, Functions, Told};
use reader::Reader;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::slice::from_raw_parts;

/// What callers and this library must agree on: names, arguments and the form of descriptions.
#[no_mangle]
pub extern "C" fn streamsink_native_version() -> c_int {
    5
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

/// A reader of Avro records of the schema that a description names; null where it is none.
///
/// # Safety
/// `description` must point to `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn streamsink_avro_open(
    description: *const u8,
    size: usize,
) -> *mut avro::Reader {
    let description = from_raw_parts(description, size);
    match catch_unwind(|| avro::Reader::new(description)) {
        Ok(Some(reader)) => Box::into_raw(Box::new(reader)),
        _ => ptr::null_mut(),
    }
}

/// Frees a reader.
///
/// # Safety
/// `reader` must come from `streamsink_avro_open`, and not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn streamsink_avro_close(reader: *mut avro::Reader) {
    drop(Box::from_raw(reader));
}

/// Reads records into a struct array. Anything but 0: nothing was read.
///
/// # Safety
/// `reader` must come from `streamsink_avro_open`, and no other thread may use it. `data` must point to `size` bytes,
/// `starts` and `stops` to `rows` integers, `rows` not be 0, and `out` point to an array that holds nothing.
#[no_mangle]
pub unsafe extern "C" fn streamsink_avro_read(
    reader: *mut avro::Reader,
    data: *const u8,
    size: usize,
    starts: *const i64,
    stops: *const i64,
    rows: usize,
    out: *mut ArrowArray,
) -> c_int {
    let reader = &mut *reader;
    let data = from_raw_parts(data, size);
    let starts = from_raw_parts(starts, rows);
    let stops = from_raw_parts(stops, rows);
    match catch_unwind(AssertUnwindSafe(|| {
        reader.read(data, starts, stops).map(ArrowArray::of)
    })) {
        Ok(Some(array)) => {
            ptr::write(out, array);
            0
        }
        _ => 1,
    }
}

/// Takes up to so many messages from a queue of librdkafka's; null where that fails. Its callbacks run meanwhile.
///
/// # Safety
/// `functions` must point to librdkafka's functions, `queue` must be a queue of that library, and `told` hold nothing.
#[no_mangle]
pub unsafe extern "C" fn streamsink_kafka_read(
    functions: *const Functions,
    queue: *mut c_void,
    timeout_ms: c_int,
    most: usize,
    told: *mut Told,
) -> *mut Batch {
    match catch_unwind(AssertUnwindSafe(|| {
        Batch::read(&*functions, queue, timeout_ms, most)
    })) {
        Ok(Some(batch)) => {
            let batch = Box::new(batch);
            ptr::write(told, batch.tell());
            Box::into_raw(batch)
        }
        _ => ptr::null_mut(),
    }
}

/// Hands over the records of a run, or those of it that can't be read. Anything but 0: there is no such run.
///
/// # Safety
/// `batch` must come from `streamsink_kafka_read`, and `out` must point to an array that holds nothing.
#[no_mangle]
pub unsafe extern "C" fn streamsink_kafka_run(
    batch: *mut Batch,
    run: usize,
    unreadable: c_int,
    out: *mut ArrowArray,
) -> c_int {
    let batch = &mut *batch;
    match catch_unwind(AssertUnwindSafe(|| batch.hand_over(run, unreadable != 0))) {
        Ok(Some(array)) => {
            ptr::write(out, array);
            0
        }
        _ => 1,
    }
}

/// Frees a batch; arrays that were handed over stay.
///
/// # Safety
/// `batch` must come from `streamsink_kafka_read`, and not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn streamsink_kafka_free(batch: *mut Batch) {
    drop(Box::from_raw(batch));
}
