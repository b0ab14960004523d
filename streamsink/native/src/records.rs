//! The records of one partition as they fill columns, in the order of `RAW_SCHEMA` in `streamsink/record.py`.

use crate::arrow::{Buffer, Complete};
use crate::bits::Bits;
use std::str::from_utf8;

/// What a column of bytes holds at most: Arrow counts them by 32 bits.
const BYTES_MAX: usize = i32::MAX as usize;

/// Kafka's number for "the broker kept no timestamp"; librdkafka counts from 0 where Kafka counts from -1.
const NO_TIMESTAMP: i8 = -1;

/// One record, borrowed from librdkafka's message.
pub struct Record<'a> {
    pub offset: i64,
    pub timestamp_ms: i64,
    /// As Kafka counts.
    pub timestamp_type: i8,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// A header, its name up to the first NUL: librdkafka tells no more of it.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// How large the columns of a run become.
#[derive(Default, Clone, Copy)]
pub struct Size {
    pub rows: usize,
    pub keys: usize,
    pub values: usize,
}

impl Size {
    /// Adds a record; false where it has no room any more.
    pub fn add(&mut self, key: usize, value: usize) -> bool {
        let fits = self.keys + key <= BYTES_MAX && self.values + value <= BYTES_MAX;
        if fits {
            self.rows += 1;
            self.keys += key;
            self.values += value;
        }
        fits
    }
}

#[derive(Default)]
pub struct Records {
    offsets: Vec<i64>,
    times: Vec<i64>,
    timed: Nulls,
    types: Vec<u8>,
    keys: Binary,
    values: Binary,
    header_ends: Vec<i32>,
    header_keys: Binary,
    header_values: Binary,
}

impl Records {
    pub fn with_room(size: Size) -> Records {
        Records {
            offsets: Vec::with_capacity(size.rows),
            times: Vec::with_capacity(size.rows),
            types: Vec::with_capacity(size.rows),
            keys: Binary::with_room(size.rows, size.keys),
            values: Binary::with_room(size.rows, size.values),
            header_ends: Vec::with_capacity(size.rows + 1),
            ..Records::default()
        }
    }

    pub fn rows(&self) -> usize {
        self.offsets.len()
    }

    /// Adds a record. False where a header's name is no UTF-8: then nothing is added.
    ///
    /// # Panics
    /// Headers of a run are more than a column holds, which takes more memory than there is.
    pub fn push(&mut self, record: &Record, headers: &[Header]) -> bool {
        if !self.push_headers(headers) {
            return false;
        }
        self.offsets.push(record.offset);
        self.times.push(record.timestamp_ms);
        self.timed.push(record.timestamp_type != NO_TIMESTAMP);
        self.types.push(record.timestamp_type as u8);
        self.keys.push(record.key);
        self.values.push(record.value);
        true
    }

    fn push_headers(&mut self, headers: &[Header]) -> bool {
        if headers.iter().any(|(name, _)| from_utf8(name).is_err()) {
            return false;
        }
        let names: usize = headers.iter().map(|(name, _)| name.len()).sum();
        let values: usize = headers
            .iter()
            .map(|(_, value)| value.map_or(0, <[u8]>::len))
            .sum();
        assert!(self.header_keys.bytes.len() + names <= BYTES_MAX);
        assert!(self.header_values.bytes.len() + values <= BYTES_MAX);
        for (name, value) in headers {
            self.header_keys.push(Some(name));
            self.header_values.push(*value);
        }
        if self.header_ends.is_empty() {
            self.header_ends.push(0);
        }
        self.header_ends.push(self.header_values.rows() as i32);
        true
    }

    /// A struct array of the columns.
    pub fn finish(mut self) -> Complete {
        let rows = self.rows();
        if self.header_ends.is_empty() {
            self.header_ends.push(0);
        }
        let pairs = self.header_values.rows();
        let pair = Complete {
            rows: pairs,
            nulls: 0,
            buffers: vec![Buffer::Absent],
            children: vec![self.header_keys.finish(), self.header_values.finish()],
        };
        let timeless = self.timed.nulls;
        let children = vec![
            plain(rows, Buffer::Int64(self.offsets)),
            Complete {
                rows,
                nulls: timeless,
                buffers: vec![self.timed.finish(), Buffer::Int64(self.times)],
                children: vec![],
            },
            plain(rows, Buffer::Bytes(self.types)),
            self.keys.finish(),
            self.values.finish(),
            Complete {
                rows,
                nulls: 0,
                buffers: vec![Buffer::Absent, Buffer::Int32(self.header_ends)],
                children: vec![pair],
            },
        ];
        Complete {
            rows,
            nulls: 0,
            buffers: vec![Buffer::Absent],
            children,
        }
    }
}

fn plain(rows: usize, values: Buffer) -> Complete {
    Complete {
        rows,
        nulls: 0,
        buffers: vec![Buffer::Absent, values],
        children: vec![],
    }
}

/// Which rows have a value; kept from the first one on that has none.
#[derive(Default)]
struct Nulls {
    rows: usize,
    nulls: usize,
    there: Bits,
}

impl Nulls {
    #[inline]
    fn push(&mut self, there: bool) {
        if !there && self.nulls == 0 {
            self.there.push_many(true, self.rows);
        }
        self.nulls += usize::from(!there);
        if self.nulls > 0 {
            self.there.push(there);
        }
        self.rows += 1;
    }

    fn finish(mut self) -> Buffer {
        if self.nulls == 0 {
            Buffer::Absent
        } else {
            Buffer::Bytes(self.there.take())
        }
    }
}

struct Binary {
    there: Nulls,
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Default for Binary {
    fn default() -> Binary {
        Binary::with_room(0, 0)
    }
}

impl Binary {
    fn with_room(rows: usize, bytes: usize) -> Binary {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Binary {
            there: Nulls::default(),
            ends,
            bytes: Vec::with_capacity(bytes),
        }
    }

    fn rows(&self) -> usize {
        self.there.rows
    }

    #[inline]
    fn push(&mut self, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.bytes.extend_from_slice(value);
        }
        self.there.push(value.is_some());
        self.ends.push(self.bytes.len() as i32);
    }

    fn finish(self) -> Complete {
        Complete {
            rows: self.there.rows,
            nulls: self.there.nulls,
            buffers: vec![
                self.there.finish(),
                Buffer::Int32(self.ends),
                Buffer::Bytes(self.bytes),
            ],
            children: vec![],
        }
    }
}
