//! One column as it fills: values at its end, nulls where rows were passed over.
//!
//! A row without a value costs nothing until a later one has a value: then, or at the end, the nulls are written.

use crate::arrow::{Buffer, Complete};
use crate::bits::Bits;
use crate::place::{Fields, Place};
use std::mem::{replace, take};

pub struct Column {
    rows: usize,
    nulls: usize,
    /// Which rows have a value; not kept while all have one.
    there: Bits,
    pub data: Data,
}

pub enum Data {
    Nothing,
    Bool(Bits),
    /// Its bits: 8, 16, 32 or 64.
    Int(Vec<i64>, u8),
    Double(Vec<f64>),
    Text(Vec<i32>, Vec<u8>),
    Json(Vec<i32>, Vec<u8>),
    List(Vec<i32>, Box<Place>),
    Struct(Fields),
}

impl Column {
    pub fn new(data: Data) -> Column {
        Column {
            rows: 0,
            nulls: 0,
            there: Bits::default(),
            data,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Notes that a value was put into `data`.
    #[inline]
    pub fn pushed(&mut self) {
        if self.nulls > 0 {
            self.there.push(true);
        }
        self.rows += 1;
    }

    /// Fills with nulls up to a row.
    #[inline]
    pub fn fill(&mut self, row: usize) {
        if self.rows < row {
            self.push_nulls(row - self.rows);
        }
    }

    fn push_nulls(&mut self, count: usize) {
        if self.nulls == 0 {
            self.there.push_many(true, self.rows);
        }
        self.there.push_many(false, count);
        self.nulls += count;
        self.rows += count;
        match &mut self.data {
            Data::Nothing | Data::Struct(_) => {}
            Data::Bool(values) => values.push_many(false, count),
            Data::Int(values, _) => values.resize(values.len() + count, 0),
            Data::Double(values) => values.resize(values.len() + count, 0.0),
            Data::Text(ends, _) | Data::Json(ends, _) | Data::List(ends, _) => {
                let last = ends[ends.len() - 1];
                ends.resize(ends.len() + count, last);
            }
        }
    }

    /// Takes rows back, and what was begun of the row behind them.
    pub fn truncate(&mut self, rows: usize) {
        if self.rows > rows {
            if self.nulls > 0 {
                self.nulls -= (rows..self.rows)
                    .filter(|row| !self.there.get(*row))
                    .count();
                self.there.truncate(rows);
                if self.nulls == 0 {
                    self.there.truncate(0);
                }
            }
            self.rows = rows;
        }
        let rows = self.rows;
        match &mut self.data {
            Data::Nothing => {}
            Data::Bool(values) => values.truncate(rows),
            Data::Int(values, _) => values.truncate(rows),
            Data::Double(values) => values.truncate(rows),
            Data::Text(ends, bytes) | Data::Json(ends, bytes) => {
                ends.truncate(rows + 1);
                bytes.truncate(ends[rows] as usize);
            }
            Data::List(ends, item) => {
                ends.truncate(rows + 1);
                item.column.truncate(ends[rows] as usize);
            }
            Data::Struct(fields) => fields
                .all
                .iter_mut()
                .for_each(|field| field.place.column.truncate(rows)),
        }
    }

    /// What has been read, filled up to so many rows; the column is empty then.
    pub fn finish(&mut self, rows: usize) -> Complete {
        self.fill(rows);
        let nulls = replace(&mut self.nulls, 0);
        self.rows = 0;
        let there = if nulls > 0 {
            Buffer::Bytes(self.there.take())
        } else {
            Buffer::Absent
        };
        let mut children = vec![];
        let mut buffers = vec![there];
        match &mut self.data {
            Data::Nothing => return nothing(rows),
            Data::Bool(values) => buffers.push(Buffer::Bytes(values.take())),
            Data::Int(values, 64) => buffers.push(Buffer::Int64(emptied(values))),
            Data::Int(values, 32) => buffers.push(Buffer::Int32(
                take(values).iter().map(|value| *value as i32).collect(),
            )),
            Data::Int(values, bits) => buffers.push(Buffer::Bytes(narrowed(
                &take(values),
                usize::from(*bits / 8),
            ))),
            Data::Double(values) => buffers.push(Buffer::Double(emptied(values))),
            Data::Text(ends, bytes) | Data::Json(ends, bytes) => {
                buffers.push(Buffer::Int32(emptied_ends(ends)));
                buffers.push(Buffer::Bytes(emptied(bytes)));
            }
            Data::List(ends, item) => {
                let items = item.column.rows;
                buffers.push(Buffer::Int32(emptied_ends(ends)));
                children.push(item.column.finish(items));
            }
            Data::Struct(fields) => {
                children.extend(
                    fields
                        .all
                        .iter_mut()
                        .map(|field| field.place.column.finish(rows)),
                );
                if children.is_empty() {
                    children.push(nothing(rows));
                }
            }
        }
        Complete {
            rows,
            nulls,
            buffers,
            children,
        }
    }
}

fn nothing(rows: usize) -> Complete {
    Complete {
        rows,
        nulls: rows,
        buffers: vec![],
        children: vec![],
    }
}

/// The values; in their stead a vector as large, since the next batch will be much like this one.
fn emptied<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = values.len() + values.len() / 16;
    replace(values, Vec::with_capacity(room))
}

fn emptied_ends(ends: &mut Vec<i32>) -> Vec<i32> {
    let ended = emptied(ends);
    ends.push(0);
    ended
}

fn narrowed(values: &[i64], bytes: usize) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes().into_iter().take(bytes))
        .collect()
}
