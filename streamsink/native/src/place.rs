//! Where values go: a tree of places, each with its column, made from a description that Python gives.
//!
//! A description is bytes. A place is its kind and its flags; behind an integer's stand its bits, behind a list's the
//! place of its items, behind a struct's how many fields it has, and each of them: its role, the numbers of the fields
//! that are its variants (for booleans, integers, doubles, strings and JSON texts), its name, its place. The flags say
//! that a value is required, that what doesn't fit is in doubt, that fields which a struct lacks are passed over, or are
//! kept together: then the number of the field that takes them follows, how many names are none of them, and these.

use crate::column::{Column, Data};
use crate::names::{Names, NAME_MAX};
use crate::rest::Rest;

const REQUIRED: u8 = 1;
const STRICT: u8 = 2;
const SKIPPING: u8 = 4;
const RESTING: u8 = 8;
const ABSENT: u16 = u16::MAX;

/// Which fields take what doesn't fit a field, by `Given`.
pub type Variants = [Option<u16>; 5];

/// What a value is that doesn't fit its place.
#[derive(Clone, Copy)]
pub enum Given {
    Bool,
    Int,
    Double,
    Text,
    Json,
}

/// What becomes of a field that a struct lacks.
#[derive(Clone, Copy, PartialEq)]
pub enum Unknown {
    /// It is nothing where it is null, else the row is in doubt.
    NullOnly,
    Doubt,
    Skip,
}

pub struct Fields {
    pub columns: Vec<Column>,
    pub names: Names,
    pub variants: Vec<Variants>,
    pub unknown: Unknown,
    pub rest: Option<Rest>,
    pub required: Vec<usize>,
    pub first: usize,
}

pub struct Description<'a> {
    bytes: &'a [u8],
}

impl<'a> Description<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Description { bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn place(&mut self) -> Option<Column> {
        let kind = self.byte()?;
        let flags = self.byte()?;
        let data = match kind {
            b'n' => Data::Nothing,
            b'b' => Data::Bool(Default::default()),
            b'i' => match self.byte()? {
                bits @ (8 | 16 | 32 | 64) => Data::Int(vec![], bits),
                _ => return None,
            },
            b'd' => Data::Double(vec![]),
            b's' => Data::Text(vec![0], vec![]),
            b'j' => Data::Json(vec![0], vec![]),
            b'l' => Data::List(vec![0], Box::new(self.place()?)),
            b'{' => Data::Struct(Box::new(self.fields(flags)?)),
            _ => return None,
        };
        Some(Column::new(
            data,
            flags & REQUIRED != 0,
            flags & STRICT != 0,
        ))
    }

    fn fields(&mut self, flags: u8) -> Option<Fields> {
        let unknown = match flags & (STRICT | SKIPPING) {
            0 => Unknown::NullOnly,
            STRICT => Unknown::Doubt,
            _ => Unknown::Skip,
        };
        let count = usize::from(self.number()?);
        let mut fields = Fields {
            columns: vec![],
            names: Names::default(),
            variants: vec![],
            unknown,
            rest: None,
            required: vec![],
            first: 0,
        };
        for at in 0..count {
            let is_variant = self.byte()? != 0;
            let mut variants = [None; 5];
            for variant in &mut variants {
                *variant = match self.number()? {
                    ABSENT => None,
                    number if usize::from(number) < count && usize::from(number) != at => {
                        Some(number)
                    }
                    _ => return None,
                };
            }
            let size = usize::from(self.number()?);
            if size > NAME_MAX {
                return None;
            }
            let name = self.take(size)?;
            let column = self.place()?;
            if column.required {
                fields.required.push(at);
            }
            let next = (at + 1) % count;
            fields.names.push(name, next as u16, is_variant);
            fields.variants.push(variants);
            fields.columns.push(column);
        }
        if flags & RESTING != 0 {
            fields.rest = Some(self.rest(count)?);
        }
        Some(fields)
    }

    fn rest(&mut self, fields: usize) -> Option<Rest> {
        let at = usize::from(self.number()?);
        let count = usize::from(self.number()?);
        let mut reserved = vec![];
        for _ in 0..count {
            let size = usize::from(self.number()?);
            reserved.push(self.take(size)?.to_vec());
        }
        (at < fields).then(|| Rest::new(at, reserved))
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(..count)?;
        self.bytes = &self.bytes[count..];
        Some(taken)
    }
}
