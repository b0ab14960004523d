//! Keeps fields together that a struct lacks, as the text of an object that goes into one of its columns.

use crate::column::{Column, Data};
use crate::cursor::{Cursor, Stop};
use crate::names::{hash, Table};
use crate::text::{quote, rewrite};
use std::borrow::Cow;

pub struct Rest {
    /// The field that takes the text.
    pub at: usize,
    /// Names that don't go there: such a row is in doubt.
    reserved: Vec<Vec<u8>>,
    table: Table,
    /// The text of one object so far, without its last brace.
    text: Vec<u8>,
    /// The hashes of all names that this object had and the struct lacks. Two that are equal leave a row in doubt.
    hashes: Vec<u64>,
}

impl Rest {
    pub fn new(at: usize, reserved: Vec<Vec<u8>>) -> Rest {
        let mut table = Table::default();
        for (number, name) in reserved.iter().enumerate() {
            table.insert(hash(name), number);
        }
        Rest {
            at,
            reserved,
            table,
            text: vec![],
            hashes: vec![],
        }
    }

    /// Begins an object.
    pub fn clear(&mut self) {
        self.text.clear();
        self.hashes.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Appends a field and the value that a text has for it; one that is null is nothing.
    pub fn put_aside(&mut self, cursor: &mut Cursor, name: Cow<[u8]>) -> Result<(), Stop> {
        let hash = hash(&name);
        let reserved = self.table.find(hash, |at| self.reserved[at] == *name);
        if reserved.is_some() {
            return Err(Stop::Doubt);
        }
        if cursor.peek() == b'n' {
            cursor.expect(b"null")?;
        } else {
            self.text
                .push(if self.text.is_empty() { b'{' } else { b',' });
            match name {
                Cow::Borrowed(plain) => {
                    self.text.push(b'"');
                    self.text.extend_from_slice(plain);
                    self.text.push(b'"');
                }
                Cow::Owned(name) => quote(&name, &mut self.text)?,
            }
            self.text.push(b':');
            rewrite(cursor, &mut self.text)?;
        }
        self.hashes.push(hash);
        Ok(())
    }

    /// Puts what was kept together into a row of its column.
    pub fn push_to(&mut self, column: &mut Column, row: usize) -> Result<(), Stop> {
        self.hashes.sort_unstable();
        if self.hashes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Stop::Doubt);
        }
        if self.text.is_empty() {
            return Ok(());
        }
        self.text.push(b'}');
        match &mut column.data {
            Data::Json(ends, bytes) => {
                bytes.extend_from_slice(&self.text);
                ends.push(bytes.len() as i32);
            }
            _ => return Err(Stop::Doubt),
        }
        column.pushed(row);
        Ok(())
    }
}
