//! Reads records in Avro's binary encoding, all of one schema, into columns; gives them up where one is not in order.
//!
//! Fields are plain values, records, and either that may be null. What is wrong with a record only the exact reader
//! says (`streamsink/decode/avro`), which also knows all other types.

use crate::arrow::{Buffer, Complete};
use crate::bits::Bits;
use crate::column::{Column, Data, Zeros};
use std::mem::replace;
use std::str::from_utf8;

/// In a description: the place is no union.
const NO_UNION: u8 = 0xff;
/// In a description: the place is a union of one branch.
const ONE_BRANCH: u8 = 0xfe;

/// A reader of one schema.
pub struct Reader {
    description: Vec<u8>,
    /// Empty, with room for a batch like the last one; none after a batch that was given up.
    spare: Option<Record>,
}

#[derive(Default)]
struct Record {
    fields: Vec<Place>,
    rows: usize,
    nulls: usize,
    /// Which rows have a record; not kept while all have one.
    there: Bits,
}

struct Place {
    /// `NO_UNION`, `ONE_BRANCH`, or which of two branches is null.
    union: u8,
    values: Values,
}

enum Values {
    Plain(Kind, Column),
    Record(Record),
}

enum Kind {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Enum(Vec<Vec<u8>>),
}

impl Reader {
    /// None where the description is none.
    pub fn new(description: &[u8]) -> Option<Reader> {
        Some(Reader {
            description: description.to_vec(),
            spare: Some(described(description)?),
        })
    }

    /// The records between these places; None where one isn't in order.
    pub fn read(&mut self, data: &[u8], starts: &[i64], stops: &[i64]) -> Option<Complete> {
        let mut root = self.spare.take().or_else(|| described(&self.description))?;
        for (row, (start, stop)) in starts.iter().zip(stops).enumerate() {
            let place = usize::try_from(*start).ok()?..usize::try_from(*stop).ok()?;
            let mut cursor = Cursor {
                left: data.get(place)?,
            };
            root.read(&mut cursor, row)?;
            if !cursor.left.is_empty() {
                return None;
            }
        }
        let complete = root.finish(starts.len(), &mut Zeros::default())?;
        self.spare = Some(root);
        Some(complete)
    }
}

impl Record {
    fn read(&mut self, cursor: &mut Cursor, row: usize) -> Option<()> {
        self.fill(row);
        if self.nulls > 0 {
            self.there.push(true);
        }
        self.rows += 1;
        for field in &mut self.fields {
            field.read(cursor, row)?;
        }
        Some(())
    }

    /// Fills with nulls up to a row.
    fn fill(&mut self, row: usize) {
        let count = row - self.rows;
        if count > 0 {
            if self.nulls == 0 {
                self.there.push_many(true, self.rows);
            }
            self.there.push_many(false, count);
            self.nulls += count;
            self.rows = row;
        }
    }

    fn finish(&mut self, rows: usize, zeros: &mut Zeros) -> Option<Complete> {
        self.fill(rows);
        self.rows = 0;
        let nulls = replace(&mut self.nulls, 0);
        let there = if nulls > 0 {
            Buffer::Bytes(self.there.take())
        } else {
            Buffer::Absent
        };
        let children: Option<Vec<_>> = self
            .fields
            .iter_mut()
            .map(|field| field.finish(rows, zeros))
            .collect();
        Some(Complete {
            rows,
            nulls,
            buffers: vec![there],
            children: children?,
        })
    }
}

impl Place {
    /// Rows without a value are passed over.
    #[inline]
    fn read(&mut self, cursor: &mut Cursor, row: usize) -> Option<()> {
        if self.union != NO_UNION {
            let branch = cursor.long()?;
            if !(0..=i64::from(self.union != ONE_BRANCH)).contains(&branch) {
                return None;
            }
            if branch == i64::from(self.union) {
                return Some(());
            }
        }
        match &mut self.values {
            Values::Record(record) => record.read(cursor, row),
            Values::Plain(kind, column) => {
                kind.read(cursor, &mut column.data)?;
                column.pushed(row);
                Some(())
            }
        }
    }

    fn finish(&mut self, rows: usize, zeros: &mut Zeros) -> Option<Complete> {
        match &mut self.values {
            Values::Record(record) => record.finish(rows, zeros),
            Values::Plain(kind, column) => {
                if let (Kind::Text, Data::Text(ends, bytes)) = (kind, &column.data) {
                    // All at once: each is UTF-8 where all together are and none ends within a character.
                    let text = from_utf8(bytes).ok()?;
                    if !ends.iter().all(|end| text.is_char_boundary(*end as usize)) {
                        return None;
                    }
                }
                Some(column.finish(rows, zeros))
            }
        }
    }
}

impl Kind {
    fn column(&self) -> Column {
        let data = match self {
            Kind::Boolean => Data::Bool(Bits::default()),
            Kind::Int | Kind::Float => Data::Int(vec![], 32),
            // A double's bits are kept as they are.
            Kind::Long | Kind::Double => Data::Int(vec![], 64),
            Kind::Bytes | Kind::Text | Kind::Enum(_) => Data::Text(vec![0], vec![]),
        };
        Column::new(data, false, false)
    }

    #[inline]
    fn read(&self, cursor: &mut Cursor, data: &mut Data) -> Option<()> {
        match (self, data) {
            (Kind::Boolean, Data::Bool(values)) => values.push(match cursor.take(1)? {
                [0] => false,
                [1] => true,
                _ => return None,
            }),
            (Kind::Int, Data::Int(values, _)) => {
                values.push(i32::try_from(cursor.long()?).ok()?.into());
            }
            (Kind::Long, Data::Int(values, _)) => values.push(cursor.long()?),
            (Kind::Float, Data::Int(values, _)) => {
                let bytes = cursor.take(4)?.try_into().ok()?;
                values.push(i32::from_le_bytes(bytes).into());
            }
            (Kind::Double, Data::Int(values, _)) => {
                let bytes = cursor.take(8)?.try_into().ok()?;
                values.push(i64::from_le_bytes(bytes));
            }
            (Kind::Enum(symbols), Data::Text(ends, bytes)) => {
                let symbol = symbols.get(usize::try_from(cursor.long()?).ok()?)?;
                append(symbol, ends, bytes)?;
            }
            (_, Data::Text(ends, bytes)) => {
                let size = usize::try_from(cursor.long()?).ok()?;
                append(cursor.take(size)?, ends, bytes)?;
            }
            _ => return None,
        }
        Some(())
    }
}

/// None where the column would hold more than Arrow counts.
#[inline]
fn append(cell: &[u8], ends: &mut Vec<i32>, bytes: &mut Vec<u8>) -> Option<()> {
    let end = i32::try_from(bytes.len() + cell.len()).ok()?;
    bytes.extend_from_slice(cell);
    ends.push(end);
    Some(())
}

struct Cursor<'a> {
    left: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let taken = self.left.get(..size)?;
        self.left = &self.left[size..];
        Some(taken)
    }

    /// A zigzag varint of at most 64 bits.
    #[inline]
    fn long(&mut self) -> Option<i64> {
        let mut zigzag = 0;
        for (at, byte) in self.left.iter().take(10).enumerate() {
            if at == 9 && *byte > 1 {
                return None;
            }
            zigzag |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.left = &self.left[at + 1..];
                return Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
            }
        }
        None
    }
}

/// The record that a description names: `streamsink/decode/avro/native_reader.py` writes it.
fn described(description: &[u8]) -> Option<Record> {
    let mut cursor = Cursor { left: description };
    let root = record(&mut cursor)?;
    cursor.left.is_empty().then(|| root)
}

fn record(cursor: &mut Cursor) -> Option<Record> {
    let fields: Option<Vec<_>> = (0..number(cursor)?).map(|_| place(cursor)).collect();
    Some(Record {
        fields: fields?,
        ..Record::default()
    })
}

fn place(cursor: &mut Cursor) -> Option<Place> {
    let head = cursor.take(2)?;
    let kind = match head[0] {
        b'z' => Kind::Boolean,
        b'i' => Kind::Int,
        b'l' => Kind::Long,
        b'f' => Kind::Float,
        b'd' => Kind::Double,
        b'b' => Kind::Bytes,
        b's' => Kind::Text,
        b'e' => {
            let symbols: Option<Vec<_>> = (0..number(cursor)?).map(|_| text(cursor)).collect();
            Kind::Enum(symbols?)
        }
        b'r' => {
            let values = Values::Record(record(cursor)?);
            return Some(Place {
                union: head[1],
                values,
            });
        }
        _ => return None,
    };
    let column = kind.column();
    Some(Place {
        union: head[1],
        values: Values::Plain(kind, column),
    })
}

fn number(cursor: &mut Cursor) -> Option<u32> {
    Some(u32::from_le_bytes(cursor.take(4)?.try_into().ok()?))
}

fn text(cursor: &mut Cursor) -> Option<Vec<u8>> {
    let size = number(cursor)?;
    Some(cursor.take(size as usize)?.to_vec())
}
