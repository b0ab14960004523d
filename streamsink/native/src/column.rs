//! One column as it fills: its values one behind another, and the rows that they are of.
//!
//! A row without a value costs nothing. Where rows were passed over, a column is spread out in the end, once.

use crate::arrow::{Buffer, Complete};
use crate::bits::Bits;
use crate::place::Fields;
use std::mem::{replace, take};
use std::sync::Arc;

/// A column, and what is asked of its values. What each value touches is its first cache line: with hundreds of columns
/// it is these lines that reading waits for.
#[repr(C, align(64))]
pub struct Column {
    pub data: Data,
    /// So many of the first rows have a value each.
    dense: u32,
    /// Whether a null here leaves the row in doubt.
    pub required: bool,
    /// Whether what doesn't fit leaves the row in doubt, and numbers of the other kind don't fit.
    pub strict: bool,
    /// How many rows there are up to the last one noted, unless it is one of these first.
    rows: usize,
    /// The rows of all other values.
    sparse: Vec<u32>,
}

pub enum Data {
    Nothing,
    Bool(Bits),
    /// Its bits: 8, 16, 32 or 64.
    Int(Vec<i64>, u8),
    Double(Vec<f64>),
    Text(Vec<i32>, Vec<u8>),
    Json(Vec<i32>, Vec<u8>),
    List(Vec<i32>, Box<Column>),
    /// Apart, since it is large, and all columns are as large as the largest kind.
    Struct(Box<Fields>),
}

/// Which rows of a complete column have values.
enum Spread {
    Everywhere,
    Nowhere,
    /// The first ones, and some others.
    Some(usize, Vec<u32>),
}

/// Zeros that all empty columns of a batch share.
#[derive(Default)]
pub struct Zeros(Arc<Vec<i64>>);

impl Zeros {
    fn of(&mut self, words: usize) -> Buffer {
        if self.0.len() < words {
            self.0 = Arc::new(vec![0; words]);
        }
        Buffer::Shared(Arc::clone(&self.0))
    }
}

impl Column {
    pub fn new(data: Data, required: bool, strict: bool) -> Column {
        Column {
            data,
            dense: 0,
            required,
            strict,
            rows: 0,
            sparse: vec![],
        }
    }

    pub fn rows(&self) -> usize {
        self.rows.max(self.dense as usize)
    }

    /// Notes that a value of a row, one behind all others, was put into `data`.
    #[inline]
    pub fn pushed(&mut self, row: usize) {
        if row == self.dense as usize {
            self.dense += 1;
        } else {
            self.sparse.push(row as u32);
            self.rows = row + 1;
        }
    }

    /// Notes that the next row has no value.
    pub fn passed(&mut self) {
        self.rows = self.rows() + 1;
    }

    /// Takes rows back, and what was begun of the row behind them.
    pub fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        self.dense = self.dense.min(rows as u32);
        while matches!(self.sparse.last(), Some(row) if *row as usize >= rows) {
            self.sparse.pop();
        }
        let count = self.dense as usize + self.sparse.len();
        match &mut self.data {
            Data::Nothing => {}
            Data::Bool(values) => values.truncate(count),
            Data::Int(values, _) => values.truncate(count),
            Data::Double(values) => values.truncate(count),
            Data::Text(ends, bytes) | Data::Json(ends, bytes) => {
                ends.truncate(count + 1);
                bytes.truncate(ends[count] as usize);
            }
            Data::List(ends, item) => {
                ends.truncate(count + 1);
                item.truncate(ends[count] as usize);
            }
            Data::Struct(fields) => fields
                .columns
                .iter_mut()
                .for_each(|column| column.truncate(rows)),
        }
    }

    /// What has been read, as so many rows; the column is empty then.
    pub fn finish(&mut self, rows: usize, zeros: &mut Zeros) -> Complete {
        self.rows = 0;
        let dense = replace(&mut self.dense, 0) as usize;
        let nulls = rows - dense - self.sparse.len();
        let spread = if nulls == 0 {
            Spread::Everywhere
        } else if nulls == rows {
            Spread::Nowhere
        } else {
            Spread::Some(dense, take(&mut self.sparse))
        };
        let mut children = vec![];
        let mut buffers = Vec::with_capacity(3);
        buffers.push(spread.bitmap(rows, zeros));
        match &mut self.data {
            Data::Nothing => return nothing(rows),
            Data::Bool(values) => buffers.push(spread.bits(values, rows, zeros)),
            Data::Int(values, 64) => {
                buffers.push(spread.values(values, rows, zeros, Buffer::Int64));
            }
            Data::Int(values, bits) => buffers.push(narrowed(
                spread.values(values, rows, zeros, Buffer::Int64),
                rows,
                usize::from(*bits / 8),
            )),
            Data::Double(values) => {
                buffers.push(spread.values(values, rows, zeros, Buffer::Double));
            }
            Data::Text(ends, bytes) | Data::Json(ends, bytes) => {
                buffers.push(spread.ends(ends, rows, zeros));
                buffers.push(Buffer::Bytes(emptied(bytes)));
            }
            Data::List(ends, item) => {
                let items = item.rows();
                buffers.push(spread.ends(ends, rows, zeros));
                children.push(item.finish(items, zeros));
            }
            Data::Struct(fields) => {
                children.extend(
                    fields
                        .columns
                        .iter_mut()
                        .map(|column| column.finish(rows, zeros)),
                );
                if children.is_empty() {
                    children.push(nothing(rows));
                }
            }
        }
        if let Spread::Some(_, mut sparse) = spread {
            sparse.clear();
            self.sparse = sparse;
        }
        Complete {
            rows,
            nulls,
            buffers,
            children,
        }
    }
}

impl Spread {
    fn bitmap(&self, rows: usize, zeros: &mut Zeros) -> Buffer {
        match self {
            Spread::Everywhere => Buffer::Absent,
            Spread::Nowhere => zeros.of(rows / 64 + 1),
            Spread::Some(dense, sparse) => {
                let mut there = Bits::default();
                there.push_many(true, *dense);
                there.push_many(false, rows - dense);
                sparse.iter().for_each(|row| there.set(*row as usize));
                Buffer::Bytes(there.take())
            }
        }
    }

    fn bits(&self, values: &mut Bits, rows: usize, zeros: &mut Zeros) -> Buffer {
        match self {
            Spread::Everywhere => Buffer::Bytes(values.take()),
            Spread::Nowhere => zeros.of(rows / 64 + 1),
            Spread::Some(dense, sparse) => {
                let mut wide = Bits::default();
                wide.push_many(false, rows);
                let places = (0..*dense).chain(sparse.iter().map(|row| *row as usize));
                places
                    .enumerate()
                    .filter(|(at, _)| values.get(*at))
                    .for_each(|(_, row)| wide.set(row));
                values.truncate(0);
                Buffer::Bytes(wide.take())
            }
        }
    }

    /// Numbers at their rows, and zeros between them.
    fn values<T: Copy + Default>(
        &self,
        values: &mut Vec<T>,
        rows: usize,
        zeros: &mut Zeros,
        buffer: fn(Vec<T>) -> Buffer,
    ) -> Buffer {
        match self {
            Spread::Everywhere => buffer(emptied(values)),
            Spread::Nowhere => zeros.of(rows),
            Spread::Some(dense, sparse) => {
                let mut wide = vec![T::default(); rows];
                wide[..*dense].copy_from_slice(&values[..*dense]);
                for (row, value) in sparse.iter().zip(&values[*dense..]) {
                    wide[*row as usize] = *value;
                }
                values.clear();
                buffer(wide)
            }
        }
    }

    /// Where each row ends: one that has no value, where the row before it does.
    fn ends(&self, ends: &mut Vec<i32>, rows: usize, zeros: &mut Zeros) -> Buffer {
        match self {
            Spread::Everywhere => {
                let ended = emptied(ends);
                ends.push(0);
                Buffer::Int32(ended)
            }
            Spread::Nowhere => zeros.of(rows / 2 + 1),
            Spread::Some(dense, sparse) => {
                let mut wide = Vec::with_capacity(rows + 1);
                wide.extend_from_slice(&ends[..=*dense]);
                for (row, pair) in sparse.iter().zip(ends[*dense..].windows(2)) {
                    wide.resize(*row as usize + 1, pair[0]);
                    wide.push(pair[1]);
                }
                wide.resize(rows + 1, ends[ends.len() - 1]);
                ends.truncate(1);
                Buffer::Int32(wide)
            }
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

fn narrowed(values: Buffer, rows: usize, bytes: usize) -> Buffer {
    match values {
        Buffer::Int64(values) if bytes == 4 => {
            Buffer::Int32(values.iter().map(|value| *value as i32).collect())
        }
        Buffer::Int64(values) => Buffer::Bytes(
            values[..rows]
                .iter()
                .flat_map(|value| value.to_le_bytes().into_iter().take(bytes))
                .collect(),
        ),
        other => other,
    }
}
