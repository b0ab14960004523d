//! Takes messages from a queue of librdkafka's and makes columns of them, a run for each partition.
//!
//! The functions are those of the library that made the queue: Python hands their addresses over, so that nothing is
//! linked. Only what `rdkafka.h` documents is used. This file holds unsafe code: it is the border to C.

use crate::arrow::ArrowArray;
use crate::records::{Header, Record, Records, Size};
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr;
use std::slice::from_raw_parts;

/// `rd_kafka_message_t`.
#[repr(C)]
pub struct Message {
    err: c_int,
    rkt: *mut c_void,
    partition: i32,
    payload: *mut c_void,
    len: usize,
    key: *mut c_void,
    key_len: usize,
    offset: i64,
    _private: *mut c_void,
}

/// librdkafka's functions, in the order in which `streamsink/consume/native/batches.py` names them.
#[repr(C)]
pub struct Functions {
    consume_batch_queue:
        unsafe extern "C" fn(*mut c_void, c_int, *mut *mut Message, usize) -> isize,
    message_timestamp: unsafe extern "C" fn(*const Message, *mut c_int) -> i64,
    message_headers: unsafe extern "C" fn(*const Message, *mut *mut c_void) -> c_int,
    header_get_all: unsafe extern "C" fn(
        *const c_void,
        usize,
        *mut *const c_char,
        *mut *const c_void,
        *mut usize,
    ) -> c_int,
    message_errstr: unsafe extern "C" fn(*const Message) -> *const c_char,
    topic_name: unsafe extern "C" fn(*const c_void) -> *const c_char,
    message_destroy: unsafe extern "C" fn(*mut Message),
}

const NO_ERROR: c_int = 0;
/// A message that has no headers.
const NOENT: c_int = -156;

/// What one call brought; Python reads it through the pointers of `Told`.
#[derive(Default)]
pub struct Batch {
    told: Vec<ToldRun>,
    runs: Vec<Run>,
    told_events: Vec<ToldEvent>,
    texts: Vec<Vec<u8>>,
}

struct Run {
    rkt: *mut c_void,
    partition: i32,
    size: Size,
    records: Records,
    /// Those whose headers can't be read: they have none in here.
    unreadable: Records,
}

/// A run as Python sees it: records of one partition, in order.
#[repr(C)]
pub struct ToldRun {
    topic: *const u8,
    topic_len: usize,
    partition: i32,
    first: i64,
    last: i64,
    rows: usize,
    unreadable: usize,
}

/// A message that is no record.
#[repr(C)]
pub struct ToldEvent {
    topic: *const u8,
    topic_len: usize,
    text: *const u8,
    text_len: usize,
    partition: i32,
    err: c_int,
    offset: i64,
}

/// Where Python finds what a batch holds.
#[repr(C)]
pub struct Told {
    runs: *const ToldRun,
    run_count: usize,
    events: *const ToldEvent,
    event_count: usize,
}

/// Messages that are ours until they are destroyed: each is, once, whatever happens.
struct Messages<'a> {
    functions: &'a Functions,
    all: Vec<*mut Message>,
    destroyed: usize,
}

impl Messages<'_> {
    /// The messages that a queue gives; None where it can't be read.
    unsafe fn take(
        functions: &Functions,
        queue: *mut c_void,
        timeout_ms: c_int,
        most: usize,
    ) -> Option<Messages<'_>> {
        let mut all = vec![ptr::null_mut(); most];
        let count = (functions.consume_batch_queue)(queue, timeout_ms, all.as_mut_ptr(), most);
        if count < 0 {
            return None;
        }
        all.truncate(count as usize);
        Some(Messages {
            functions,
            all,
            destroyed: 0,
        })
    }

    fn destroy_next(&mut self) {
        let message = self.all[self.destroyed];
        self.destroyed += 1;
        unsafe { (self.functions.message_destroy)(message) };
    }
}

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        while self.destroyed < self.all.len() {
            self.destroy_next();
        }
    }
}

impl Batch {
    /// Reads a queue; None where it can't be read. Callbacks of librdkafka's run meanwhile.
    ///
    /// # Safety
    /// `functions` must be librdkafka's, and `queue` a queue of it.
    pub unsafe fn read(
        functions: &Functions,
        queue: *mut c_void,
        timeout_ms: c_int,
        most: usize,
    ) -> Option<Batch> {
        let mut messages = Messages::take(functions, queue, timeout_ms, most)?;
        let mut batch = Batch::default();
        let places = batch.measure(&messages);
        for run in &mut batch.runs {
            run.records = Records::with_room(run.size);
        }
        let mut headers = vec![];
        for place in places {
            let message = &*messages.all[messages.destroyed];
            match place {
                Some(at) => batch.take_record(functions, message, at, &mut headers),
                None => batch.take_event(functions, message),
            }
            messages.destroy_next();
        }
        Some(batch)
    }

    /// Finds the run of each message, and how large it becomes; None for a message that is no record.
    unsafe fn measure(&mut self, messages: &Messages) -> Vec<Option<usize>> {
        let functions = messages.functions;
        let mut at = usize::MAX;
        let mut places = Vec::with_capacity(messages.all.len());
        for message in &messages.all {
            let message = &**message;
            if message.err != NO_ERROR {
                places.push(None);
                continue;
            }
            let is_its = |run: &Run| run.rkt == message.rkt && run.partition == message.partition;
            if !self.runs.get(at).map_or(false, is_its) {
                // The last one, since an earlier one is full.
                at = match self.runs.iter().rposition(is_its) {
                    Some(at) => at,
                    None => self.begin(functions, message),
                };
            }
            if !self.runs[at].size.add(message.key_len, message.len) {
                at = self.begin(functions, message);
                self.runs[at].size.add(message.key_len, message.len);
            }
            self.told[at].last = message.offset;
            places.push(Some(at));
        }
        places
    }

    unsafe fn begin(&mut self, functions: &Functions, message: &Message) -> usize {
        let (topic, topic_len) = self.keep(name(functions, message));
        self.told.push(ToldRun {
            topic,
            topic_len,
            partition: message.partition,
            first: message.offset,
            last: message.offset,
            rows: 0,
            unreadable: 0,
        });
        self.runs.push(Run {
            rkt: message.rkt,
            partition: message.partition,
            size: Size::default(),
            records: Records::default(),
            unreadable: Records::default(),
        });
        self.runs.len() - 1
    }

    /// Keeps a text as long as the batch; its place stays, since the bytes of a vector don't move with it.
    fn keep(&mut self, text: Vec<u8>) -> (*const u8, usize) {
        let told = (text.as_ptr(), text.len());
        self.texts.push(text);
        told
    }

    unsafe fn take_record<'a>(
        &mut self,
        functions: &Functions,
        message: &'a Message,
        at: usize,
        headers: &mut Vec<Header<'a>>,
    ) {
        let mut kind = 0;
        let timestamp_ms = (functions.message_timestamp)(message, &mut kind);
        let record = Record {
            offset: message.offset,
            timestamp_ms,
            timestamp_type: kind as i8 - 1,
            key: bytes(message.key, message.key_len),
            value: bytes(message.payload, message.len),
        };
        let read = read_headers(functions, message, headers);
        let run = &mut self.runs[at];
        if read && run.records.push(&record, headers) {
            self.told[at].rows += 1;
        } else {
            run.unreadable.push(&record, &[]);
            self.told[at].unreadable += 1;
        }
        headers.clear();
    }

    unsafe fn take_event(&mut self, functions: &Functions, message: &Message) {
        let (topic, topic_len) = self.keep(name(functions, message));
        let (text, text_len) = self.keep(text((functions.message_errstr)(message)));
        self.told_events.push(ToldEvent {
            topic,
            topic_len,
            text,
            text_len,
            partition: message.partition,
            err: message.err,
            offset: message.offset,
        });
    }

    pub fn tell(&self) -> Told {
        Told {
            runs: self.told.as_ptr(),
            run_count: self.told.len(),
            events: self.told_events.as_ptr(),
            event_count: self.told_events.len(),
        }
    }

    /// A run's records, or those of it that can't be read; they leave the batch.
    pub fn hand_over(&mut self, run: usize, unreadable: bool) -> Option<ArrowArray> {
        let run = self.runs.get_mut(run)?;
        let records = if unreadable {
            &mut run.unreadable
        } else {
            &mut run.records
        };
        Some(ArrowArray::of(std::mem::take(records).finish()))
    }
}

/// Puts a message's headers into `headers`; false where librdkafka can't read them.
unsafe fn read_headers<'a>(
    functions: &Functions,
    message: &'a Message,
    headers: &mut Vec<Header<'a>>,
) -> bool {
    let mut list = ptr::null_mut();
    match (functions.message_headers)(message, &mut list) {
        NO_ERROR => {}
        err => return err == NOENT,
    }
    loop {
        let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
        let err = (functions.header_get_all)(list, headers.len(), &mut name, &mut value, &mut len);
        if err != NO_ERROR {
            return true;
        }
        headers.push((CStr::from_ptr(name).to_bytes(), bytes(value, len)));
    }
}

unsafe fn bytes<'a>(start: *const c_void, len: usize) -> Option<&'a [u8]> {
    if start.is_null() {
        None
    } else {
        Some(from_raw_parts(start.cast(), len))
    }
}

unsafe fn name(functions: &Functions, message: &Message) -> Vec<u8> {
    if message.rkt.is_null() {
        vec![]
    } else {
        text((functions.topic_name)(message.rkt))
    }
}

unsafe fn text(start: *const c_char) -> Vec<u8> {
    if start.is_null() {
        vec![]
    } else {
        CStr::from_ptr(start).to_bytes().to_vec()
    }
}
