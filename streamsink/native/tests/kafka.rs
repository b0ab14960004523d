//! A queue of messages through C's border, with functions that count what is done to each message.
//!
//! The messages lie where a sanitizer sees what is read of them: `RUSTFLAGS=-Zsanitizer=address cargo +nightly test`.

use std::cell::RefCell;
mod common;

use common::ArrowArray;
use std::ffi::CString;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr;
use std::slice::from_raw_parts;

#[repr(C)]
struct Message {
    err: c_int,
    rkt: *mut c_void,
    partition: i32,
    payload: *mut c_void,
    len: usize,
    key: *mut c_void,
    key_len: usize,
    offset: i64,
    private: *mut c_void,
}

type Headers = Vec<(CString, Option<Vec<u8>>)>;

/// What a message points into, and how often it was destroyed.
struct Held {
    _key: Option<Vec<u8>>,
    _value: Option<Vec<u8>>,
    headers: Result<Headers, c_int>,
    timestamp: (i64, c_int),
    destroyed: usize,
}

#[repr(C)]
struct Run {
    topic: *const u8,
    topic_len: usize,
    partition: i32,
    first: i64,
    last: i64,
    rows: usize,
    unreadable: usize,
}

#[repr(C)]
struct Event {
    topic: *const u8,
    topic_len: usize,
    text: *const u8,
    text_len: usize,
    partition: i32,
    err: c_int,
    offset: i64,
}

#[repr(C)]
struct Told {
    runs: *const Run,
    run_count: usize,
    events: *const Event,
    event_count: usize,
}

enum Batch {}

type Read =
    unsafe extern "C" fn(*const *const c_void, *mut c_void, c_int, usize, *mut Told) -> *mut Batch;
type Hand = unsafe extern "C" fn(*mut Batch, usize, c_int, *mut ArrowArray) -> c_int;
type Free = unsafe extern "C" fn(*mut Batch);

thread_local! {
    static QUEUE: RefCell<Vec<*mut Message>> = RefCell::new(vec![]);
}

const NOENT: c_int = -156;
const BAD_MSG: c_int = -199;

unsafe fn held<'a>(message: *const Message) -> &'a mut Held {
    &mut *(*message).private.cast::<Held>()
}

unsafe extern "C" fn consume(
    queue: *mut c_void,
    _timeout_ms: c_int,
    messages: *mut *mut Message,
    most: usize,
) -> isize {
    if queue.is_null() {
        return -1;
    }
    QUEUE.with(|queue| {
        let queue = queue.borrow();
        let count = queue.len().min(most);
        ptr::copy_nonoverlapping(queue.as_ptr(), messages, count);
        count as isize
    })
}

unsafe extern "C" fn timestamp(message: *const Message, kind: *mut c_int) -> i64 {
    *kind = held(message).timestamp.1;
    held(message).timestamp.0
}

unsafe extern "C" fn headers(message: *const Message, list: *mut *mut c_void) -> c_int {
    match &held(message).headers {
        Ok(headers) if headers.is_empty() => NOENT,
        Ok(headers) => {
            *list = (headers as *const Headers as *mut Headers).cast();
            0
        }
        Err(code) => *code,
    }
}

unsafe extern "C" fn header(
    list: *const c_void,
    at: usize,
    name: *mut *const c_char,
    value: *mut *const c_void,
    len: *mut usize,
) -> c_int {
    match (&*list.cast::<Headers>()).get(at) {
        None => NOENT,
        Some((key, content)) => {
            *name = key.as_ptr();
            *value = content
                .as_ref()
                .map_or(ptr::null(), |it| it.as_ptr().cast());
            *len = content.as_ref().map_or(0, Vec::len);
            0
        }
    }
}

unsafe extern "C" fn errstr(_message: *const Message) -> *const c_char {
    b"no more\0".as_ptr().cast()
}

unsafe extern "C" fn topic_name(topic: *const c_void) -> *const c_char {
    topic.cast()
}

unsafe extern "C" fn destroy(message: *mut Message) {
    let held = held(message);
    assert_eq!(held.destroyed, 0);
    held.destroyed += 1;
    // As librdkafka frees it: nobody may read it any more.
    held.headers = Ok(vec![]);
    held._key = None;
    held._value = None;
}

fn functions() -> [*const c_void; 7] {
    [
        consume as *const c_void,
        timestamp as *const c_void,
        headers as *const c_void,
        header as *const c_void,
        errstr as *const c_void,
        topic_name as *const c_void,
        destroy as *const c_void,
    ]
}

fn message(
    topic: &'static [u8],
    partition: i32,
    offset: i64,
    err: c_int,
    value: Option<&[u8]>,
    headers: Result<Headers, c_int>,
) -> *mut Message {
    let key = if offset % 2 == 0 { Some(vec![]) } else { None };
    let value = value.map(<[u8]>::to_vec);
    let timestamp = (7, (offset % 3) as c_int);
    let pointer = |bytes: &Option<Vec<u8>>| {
        bytes
            .as_ref()
            .map_or(ptr::null_mut(), |it| it.as_ptr() as *mut c_void)
    };
    let made = Message {
        err,
        rkt: topic.as_ptr() as *mut c_void,
        partition,
        payload: pointer(&value),
        len: value.as_ref().map_or(0, Vec::len),
        key: pointer(&key),
        key_len: 0,
        offset,
        private: ptr::null_mut(),
    };
    let held = Held {
        _key: key,
        _value: value,
        headers,
        timestamp,
        destroyed: 0,
    };
    let made = Box::into_raw(Box::new(made));
    unsafe { (*made).private = Box::into_raw(Box::new(held)).cast() };
    made
}

/// How often each message was destroyed; frees what the test has made.
fn destroyed() -> Vec<usize> {
    QUEUE.with(|queue| {
        let taken: Vec<*mut Message> = queue.borrow_mut().drain(..).collect();
        let each = |made: *mut Message| unsafe {
            let made = Box::from_raw(made);
            Box::from_raw(made.private.cast::<Held>()).destroyed
        };
        taken.into_iter().map(each).collect()
    })
}

unsafe fn column<'a>(array: &'a ArrowArray, at: usize) -> &'a ArrowArray {
    &**array.children.add(at)
}

unsafe fn buffer<'a, T>(array: &ArrowArray, at: usize, count: usize) -> &'a [T] {
    from_raw_parts((*array.buffers.add(at)).cast(), count)
}

fn functions_of_ours() -> (Read, Hand, Free) {
    unsafe {
        (
            std::mem::transmute(streamsink_native::streamsink_kafka_read as *const ()),
            std::mem::transmute(streamsink_native::streamsink_kafka_run as *const ()),
            std::mem::transmute(streamsink_native::streamsink_kafka_free as *const ()),
        )
    }
}

fn named(name: &[u8], value: Option<&[u8]>) -> (CString, Option<Vec<u8>>) {
    let name = CString::new(name).expect("no NUL");
    (name, value.map(<[u8]>::to_vec))
}

#[test]
fn messages_become_runs_of_columns_and_each_is_destroyed_once() {
    let (read, hand, free) = functions_of_ours();
    let (a, b): (&'static [u8], &'static [u8]) = (b"a\0", b"b\0");
    let none = || Ok(vec![]);
    QUEUE.with(|queue| {
        *queue.borrow_mut() = vec![
            message(a, 0, 10, 0, Some(b"ten"), none()),
            message(
                b,
                0,
                5,
                0,
                None,
                Ok(vec![named(b"h", None), named(b"", Some(b"x"))]),
            ),
            message(a, 0, 11, 0, Some(b""), Ok(vec![named(b"\xff", Some(b"y"))])),
            message(a, 1, 0, 0, Some(b"zero"), Err(BAD_MSG)),
            message(a, 0, 14, 0, Some(b"fourteen"), none()),
            message(a, 0, 15, -191, None, none()),
            message(b, 0, 6, 0, Some(b"six"), none()),
        ]
    });
    unsafe {
        let mut told: Told = std::mem::zeroed();
        let queue = ptr::NonNull::<c_void>::dangling().as_ptr();
        let batch = read(functions().as_ptr(), queue, 0, 100, &mut told);
        assert!(!batch.is_null());
        let runs = from_raw_parts(told.runs, told.run_count);
        let seen: Vec<_> = runs
            .iter()
            .map(|run| {
                let topic = from_raw_parts(run.topic, run.topic_len);
                (
                    topic,
                    run.partition,
                    run.first,
                    run.last,
                    run.rows,
                    run.unreadable,
                )
            })
            .collect();
        let (a, b) = (&b"a"[..], &b"b"[..]);
        assert_eq!(
            seen,
            [(a, 0, 10, 14, 2, 1), (b, 0, 5, 6, 2, 0), (a, 1, 0, 0, 0, 1)]
        );
        let events = from_raw_parts(told.events, told.event_count);
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].err, events[0].partition, events[0].offset),
            (-191, 0, 15)
        );
        assert_eq!(
            from_raw_parts(events[0].text, events[0].text_len),
            b"no more"
        );

        let mut array = ArrowArray::empty();
        assert_eq!(hand(batch, 0, 0, &mut array), 0);
        assert_eq!(buffer::<i64>(column(&array, 0), 1, 2), [10, 14]);
        assert_eq!(buffer::<i8>(column(&array, 2), 1, 2), [0, 1]);
        assert_eq!(buffer::<u8>(column(&array, 4), 2, 11), b"tenfourteen");
        let release = array.release.expect("not released");
        release(&mut array);

        assert_eq!(hand(batch, 1, 0, &mut array), 0);
        let value = column(&array, 4);
        assert_eq!((value.null_count, buffer::<u8>(value, 0, 1)[0]), (1, 0b10));
        let lists = column(&array, 5);
        assert_eq!(buffer::<i32>(lists, 1, 3), [0, 2, 2]);
        let pairs = column(lists, 0);
        assert_eq!((pairs.length, column(pairs, 1).null_count), (2, 1));
        let release = array.release.expect("not released");
        release(&mut array);

        assert_eq!(hand(batch, 0, 1, &mut array), 0);
        assert_eq!(buffer::<i64>(column(&array, 0), 1, 1), [11]);
        free(batch);
        let release = array.release.expect("an array outlives its batch");
        release(&mut array);
    }
    assert_eq!(destroyed(), [1; 7]);
}

#[test]
fn a_run_that_is_not_there_gives_nothing_and_what_nobody_takes_is_freed() {
    let (read, hand, free) = functions_of_ours();
    QUEUE.with(|queue| {
        *queue.borrow_mut() = vec![message(b"a\0", 0, 0, 0, Some(b"x"), Ok(vec![]))];
    });
    unsafe {
        let mut told: Told = std::mem::zeroed();
        let queue = ptr::NonNull::<c_void>::dangling().as_ptr();
        let batch = read(functions().as_ptr(), queue, 0, 100, &mut told);
        let mut array = ArrowArray::empty();
        assert_eq!(hand(batch, 1, 0, &mut array), 1);
        assert!(array.release.is_none());
        free(batch);
    }
    assert_eq!(destroyed(), [1]);
}

#[test]
fn a_queue_that_can_not_be_read_gives_no_batch() {
    let (read, _, _) = functions_of_ours();
    unsafe {
        let mut told: Told = std::mem::zeroed();
        assert!(read(functions().as_ptr(), ptr::null_mut(), 0, 100, &mut told).is_null());
    }
}
