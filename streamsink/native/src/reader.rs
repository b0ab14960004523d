//! Reads rows into a tree of places. What doesn't fit its place goes to a variant beside it, if there is one.

use crate::arrow::Complete;
use crate::column::{Column, Data, Zeros};
use crate::cursor::{Cursor, Stop};
use crate::names::hash;
use crate::number::Number;
use crate::place::{Description, Fields, Given, Unknown};
use crate::text::rewrite;
use std::borrow::Cow;
use std::str::from_utf8;

/// Values that are longer together are not read: columns count their bytes by 32 bits, and texts may grow.
const BYTES_MAX: usize = 1 << 28;
/// Up to here a strict place takes an integer for a double.
const EXACT: i64 = 1 << 53;

pub struct Reader {
    root: Column,
}

impl Reader {
    /// A reader of the struct that is described; None where the description is none.
    pub fn new(description: &[u8]) -> Option<Reader> {
        let mut description = Description::new(description);
        let root = description.place()?;
        let whole = description.is_empty() && matches!(root.data, Data::Struct(_));
        whole.then_some(Reader { root })
    }

    /// One row for each value, null in all columns where it is in doubt; None where the offsets are none.
    pub fn read(&mut self, offsets: &[i32], data: &[u8], doubt: &mut [u8]) -> Option<Complete> {
        // What a batch left behind that failed is no part of this one.
        self.root.truncate(0);
        let ends: Option<Vec<usize>> = offsets
            .iter()
            .map(|offset| usize::try_from(*offset).ok())
            .collect();
        let ends = ends?;
        let used = data.get(*ends.first()?..*ends.last()?)?;
        if used.len() > BYTES_MAX {
            return None;
        }
        // Rows in order begin and end with a brace or a space, so none of their letters reaches over its end.
        let all_utf8 = from_utf8(used).is_ok();
        for (row, pair) in ends.windows(2).enumerate() {
            let value = data.get(pair[0]..pair[1])?;
            let read = if all_utf8 || from_utf8(value).is_ok() {
                self.row(value, row)
            } else {
                Err(Stop::Doubt)
            };
            doubt[row] = u8::from(read.is_err());
            if read.is_err() {
                self.root.truncate(row);
            }
            self.root.pushed(row);
        }
        Some(self.root.finish(doubt.len(), &mut Zeros::default()))
    }

    fn row(&mut self, value: &[u8], row: usize) -> Result<(), Stop> {
        let mut cursor = Cursor::new(value);
        cursor.skip_spaces();
        match &mut self.root.data {
            Data::Struct(fields) if cursor.peek() == b'{' => object(&mut cursor, fields, row)?,
            _ => return Err(Stop::Doubt),
        }
        cursor.skip_spaces();
        if cursor.is_at_end() {
            Ok(())
        } else {
            Err(Stop::Doubt)
        }
    }
}

/// Reads an object into a struct's fields, at a row of theirs.
fn object(cursor: &mut Cursor, fields: &mut Fields, row: usize) -> Result<(), Stop> {
    let number = fields.names.begin();
    let mut expected = fields.first;
    let mut before = None;
    if let Some(rest) = &mut fields.rest {
        rest.clear();
    }
    let mut more = cursor.enter(b'}')?;
    while more {
        match key(cursor, fields, expected)? {
            Key::Other(name) => {
                cursor.colon()?;
                if let Some(rest) = &mut fields.rest {
                    rest.put_aside(cursor, name)?;
                    more = cursor.goes_on(b'}')?;
                    continue;
                }
                match fields.unknown {
                    Unknown::NullOnly => cursor.expect(b"null")?,
                    Unknown::Doubt => return Err(Stop::Doubt),
                    Unknown::Skip => cursor.skip_value()?,
                }
            }
            Key::Field(at) => {
                if at != expected {
                    match before {
                        None => fields.first = at,
                        Some(last) => {
                            let last: usize = last;
                            fields.names.keys[last].next = at as u16;
                        }
                    }
                }
                cursor.colon()?;
                let key = &mut fields.names.keys[at];
                if key.seen == number {
                    return Err(Stop::Doubt);
                }
                key.seen = number;
                expected = usize::from(key.next);
                before = Some(at);
                member(cursor, fields, at, row)?;
            }
        }
        more = cursor.goes_on(b'}')?;
    }
    cursor.leave();
    match &mut fields.rest {
        Some(rest) if !rest.is_empty() => rest.push_to(&mut fields.columns[rest.at], row)?,
        _ => {}
    }
    if fields
        .required
        .iter()
        .any(|at| fields.columns[*at].rows() <= row)
    {
        return Err(Stop::Doubt);
    }
    Ok(())
}

enum Key<'a> {
    Field(usize),
    /// Borrowed where a text writes the name as it is.
    Other(Cow<'a, [u8]>),
}

/// Steps over a key; gives its field, or its name where the struct has none such.
#[inline]
fn key<'a>(cursor: &mut Cursor<'a>, fields: &Fields, expected: usize) -> Result<Key<'a>, Stop> {
    if let Some(size) = fields.names.begins(expected, cursor.rest()) {
        cursor.at += size;
        return Ok(Key::Field(expected));
    }
    let text = cursor.rest();
    cursor.expect(b"\"")?;
    let plain = cursor.plain();
    if cursor.peek() == b'"' {
        cursor.at += 1;
        let found = fields.names.find(text, hash(plain));
        return Ok(found.map_or(Key::Other(Cow::Borrowed(plain)), Key::Field));
    }
    let mut name = plain.to_vec();
    cursor.string(&mut name)?;
    Ok(fields
        .names
        .find_name(&name)
        .map_or(Key::Other(Cow::Owned(name)), Key::Field))
}

/// Reads a field's value into its column, or into the variant that takes such values.
#[inline]
fn member(cursor: &mut Cursor, fields: &mut Fields, at: usize, row: usize) -> Result<(), Stop> {
    let start = (cursor.at, cursor.depth());
    if cursor.peek() == b'n' {
        return cursor.expect(b"null");
    }
    let column = &mut fields.columns[at];
    match value(cursor, column, row) {
        Err(Stop::Misfit) if !column.strict => {
            column.truncate(row);
            cursor.back(start.0, start.1);
            variant(cursor, fields, at, row)
        }
        Err(_) => Err(Stop::Doubt),
        Ok(()) => Ok(()),
    }
}

/// Reads a value, none that is null, into a row of a place's column, behind all others.
#[inline(always)]
fn value(cursor: &mut Cursor, column: &mut Column, row: usize) -> Result<(), Stop> {
    let next = cursor.peek();
    match &mut column.data {
        Data::Text(ends, bytes) => {
            if next != b'"' {
                return Err(Stop::Misfit);
            }
            cursor.at += 1;
            cursor.string(bytes)?;
            ends.push(bytes.len() as i32);
        }
        Data::Int(values, bits) => {
            let value = integer(cursor, column.strict)?;
            if *bits < 64 && value >> (*bits - 1) != value >> 63 {
                return Err(Stop::Doubt);
            }
            values.push(value);
        }
        Data::Double(values) => values.push(double(cursor, column.strict)?),
        Data::Bool(values) => {
            if next != b't' && next != b'f' {
                return Err(Stop::Misfit);
            }
            values.push(cursor.boolean()?);
        }
        Data::Json(ends, bytes) => {
            if column.strict {
                return Err(Stop::Doubt);
            }
            rewrite(cursor, bytes)?;
            ends.push(bytes.len() as i32);
        }
        Data::Struct(fields) => {
            if next != b'{' {
                return Err(Stop::Misfit);
            }
            object(cursor, fields, row)?;
        }
        Data::List(ends, item) => {
            if next != b'[' {
                return Err(Stop::Misfit);
            }
            items(cursor, item)?;
            ends.push(item.rows() as i32);
        }
        Data::Nothing => return Err(Stop::Doubt),
    }
    column.pushed(row);
    Ok(())
}

fn items(cursor: &mut Cursor, item: &mut Column) -> Result<(), Stop> {
    let mut more = cursor.enter(b']')?;
    while more {
        if cursor.peek() == b'n' {
            cursor.expect(b"null")?;
            if item.required {
                return Err(Stop::Doubt);
            }
            item.passed();
        } else {
            let row = item.rows();
            value(cursor, item, row)
                .map_err(|stop| if item.strict { Stop::Doubt } else { stop })?;
        }
        more = cursor.goes_on(b']')?;
    }
    cursor.leave();
    Ok(())
}

#[inline(always)]
fn integer(cursor: &mut Cursor, strict: bool) -> Result<i64, Stop> {
    if !is_number(cursor) {
        return Err(Stop::Misfit);
    }
    match cursor.number()? {
        Number::Int(value) => Ok(value),
        Number::Double(value) if !strict => {
            let whole = value.abs() < EXACT as f64
                && value.fract() == 0.0
                && !(value == 0.0 && value.is_sign_negative());
            if whole {
                Ok(value as i64)
            } else {
                Err(Stop::Misfit)
            }
        }
        _ => Err(Stop::Misfit),
    }
}

#[inline(always)]
fn double(cursor: &mut Cursor, strict: bool) -> Result<f64, Stop> {
    if !is_number(cursor) {
        return Err(Stop::Misfit);
    }
    match cursor.number()? {
        Number::Double(value) => Ok(value),
        Number::Int(value) => {
            let exact = (-EXACT..=EXACT).contains(&value)
                || (!strict && value as f64 as i128 == i128::from(value));
            if exact {
                Ok(value as f64)
            } else {
                Err(Stop::Misfit)
            }
        }
        Number::Large => Err(Stop::Misfit),
    }
}

fn is_number(cursor: &Cursor) -> bool {
    matches!(cursor.peek(), b'-' | b'0'..=b'9')
}

/// Reads a value that its field's column can't take into the variant of its kind.
#[cold]
fn variant(cursor: &mut Cursor, fields: &mut Fields, at: usize, row: usize) -> Result<(), Stop> {
    let start = (cursor.at, cursor.depth());
    let given = match cursor.peek() {
        b'"' => Given::Text,
        b't' | b'f' => Given::Bool,
        b'[' | b'{' => Given::Json,
        _ => match cursor.number()? {
            Number::Int(_) => Given::Int,
            Number::Double(_) => Given::Double,
            Number::Large => Given::Json,
        },
    };
    cursor.back(start.0, start.1);
    let column = match fields.variants[at][given as usize] {
        Some(variant) => &mut fields.columns[usize::from(variant)],
        None => return Err(Stop::Doubt),
    };
    value(cursor, column, row).map_err(|_| Stop::Doubt)
}
