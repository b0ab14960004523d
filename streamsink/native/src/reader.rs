//! Reads rows into a tree of places. What doesn't fit its place goes to a variant beside it, if there is one.

use crate::arrow::Complete;
use crate::column::{Column, Data, Zeros};
use crate::cursor::{Cursor, Number, Stop};
use crate::names::hash;
use crate::place::{Description, Fields, Given, Rest, Unknown};
use crate::text::{quote, rewrite};
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
    let number = fields.begin();
    let mut expected = fields.first;
    let mut before = None;
    if let Some(rest) = &mut fields.rest {
        rest.text.clear();
        rest.hashes.clear();
    }
    let mut more = cursor.enter(b'}')?;
    while more {
        match key(cursor, fields, expected)? {
            Key::Other(name) => {
                cursor.colon()?;
                if let Some(rest) = &mut fields.rest {
                    put_aside(cursor, rest, &name)?;
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
                            fields.keys[last].next = at;
                        }
                    }
                }
                cursor.colon()?;
                let key = &mut fields.keys[at];
                if key.seen == number {
                    return Err(Stop::Doubt);
                }
                key.seen = number;
                expected = key.next;
                before = Some(at);
                member(cursor, fields, at, row)?;
            }
        }
        more = cursor.goes_on(b'}')?;
    }
    cursor.leave();
    push_rest(fields, row)?;
    if fields
        .required
        .iter()
        .any(|at| fields.columns[*at].rows() <= row)
    {
        return Err(Stop::Doubt);
    }
    Ok(())
}

/// Appends a field that the struct lacks to what is kept together; one that is null is nothing.
fn put_aside(cursor: &mut Cursor, rest: &mut Rest, name: &Cow<[u8]>) -> Result<(), Stop> {
    let hash = hash(name);
    if rest.is_reserved(name, hash) {
        return Err(Stop::Doubt);
    }
    if cursor.peek() == b'n' {
        cursor.expect(b"null")?;
    } else {
        rest.text
            .push(if rest.text.is_empty() { b'{' } else { b',' });
        match name {
            Cow::Borrowed(plain) => {
                rest.text.push(b'"');
                rest.text.extend_from_slice(plain);
                rest.text.push(b'"');
            }
            Cow::Owned(name) => quote(name, &mut rest.text)?,
        }
        rest.text.push(b':');
        rewrite(cursor, &mut rest.text)?;
    }
    rest.hashes.push(hash);
    Ok(())
}

/// Puts what was kept together into its column.
#[inline]
fn push_rest(fields: &mut Fields, row: usize) -> Result<(), Stop> {
    let rest = match &mut fields.rest {
        Some(rest) if !rest.hashes.is_empty() => rest,
        _ => return Ok(()),
    };
    rest.hashes.sort_unstable();
    if rest.hashes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Stop::Doubt);
    }
    if rest.text.is_empty() {
        return Ok(());
    }
    rest.text.push(b'}');
    let column = &mut fields.columns[rest.at];
    match &mut column.data {
        Data::Json(ends, bytes) => {
            bytes.extend_from_slice(&rest.text);
            ends.push(bytes.len() as i32);
        }
        _ => return Err(Stop::Doubt),
    }
    column.pushed(row);
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
    if let Some(key) = fields.keys.get(expected) {
        if key.quoted.begins(cursor.rest()) {
            cursor.at += key.quoted.len();
            return Ok(Key::Field(expected));
        }
    }
    let text = cursor.rest();
    cursor.expect(b"\"")?;
    let plain = cursor.plain();
    if cursor.peek() == b'"' {
        cursor.at += 1;
        let found = fields.find(text, hash(plain));
        return Ok(found.map_or(Key::Other(Cow::Borrowed(plain)), Key::Field));
    }
    let mut name = plain.to_vec();
    cursor.string(&mut name)?;
    Ok(fields
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

#[inline]
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

#[inline]
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
