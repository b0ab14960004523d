//! Where values go: a tree of places, each with its column, made from a description that Python gives.
//!
//! A description is bytes. A place is its kind and its flags; behind an integer's stand its bits, behind a list's the
//! place of its items, behind a struct's how many fields it has, and each of them: its role, the numbers of the fields
//! that are its variants (for booleans, integers, doubles, strings and JSON texts), its name, its place. The flags say
//! that a value is required, that what doesn't fit is in doubt, that fields which a struct lacks are passed over, or are
//! kept together: then the number of the field that takes them follows, how many names are none of them, and these.

use crate::column::{Column, Data};
use crate::names::{hash, Quoted, Table};

const REQUIRED: u8 = 1;
const STRICT: u8 = 2;
const SKIPPING: u8 = 4;
const RESTING: u8 = 8;
const ABSENT: u16 = u16::MAX;

/// Which fields take what doesn't fit a field, by `Given`.
pub type Variants = [Option<u16>; 5];

/// What finding a field needs of it, apart from what reading it needs: so more of them are near, a cache line each.
#[repr(align(64))]
pub struct Key {
    /// The name; nowhere where a text has to write it otherwise, or where it is a variant's.
    pub quoted: Quoted,
    /// The field that came after this one in the last object.
    pub next: usize,
    /// The object that had this field last.
    pub seen: u32,
}

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
    pub keys: Vec<Key>,
    pub variants: Vec<Variants>,
    pub unknown: Unknown,
    pub rest: Option<Rest>,
    pub required: Vec<usize>,
    pub first: usize,
    /// Numbers the objects, so that a field that comes twice is noticed.
    pub object: u32,
    names: Vec<Vec<u8>>,
    table: Table,
}

impl Fields {
    /// The field whose name, in quotes, a text begins with.
    #[inline]
    pub fn find(&self, text: &[u8], hash: u64) -> Option<usize> {
        self.table
            .find(hash, |at| self.keys[at].quoted.begins(text))
    }

    /// The field of a name that a text writes otherwise.
    pub fn find_name(&self, name: &[u8]) -> Option<usize> {
        self.table.find(hash(name), |at| self.names[at] == name)
    }

    /// Begins an object; gives its number.
    pub fn begin(&mut self) -> u32 {
        if self.object == u32::MAX {
            self.keys.iter_mut().for_each(|key| key.seen = 0);
            self.object = 0;
        }
        self.object += 1;
        self.object
    }
}

/// Where fields go that a struct lacks: together, as the text of an object, into one of its columns.
pub struct Rest {
    /// The field that takes the text.
    pub at: usize,
    /// Names that don't go there: such a row is in doubt.
    reserved: Vec<Vec<u8>>,
    table: Table,
    /// The text of one object so far, without its last brace.
    pub text: Vec<u8>,
    /// The hashes of all names that this object had and the struct lacks.
    pub hashes: Vec<u64>,
}

impl Rest {
    pub fn is_reserved(&self, name: &[u8], hash: u64) -> bool {
        self.table
            .find(hash, |at| self.reserved[at] == name)
            .is_some()
    }
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
            keys: vec![],
            variants: vec![],
            unknown,
            rest: None,
            required: vec![],
            first: 0,
            object: 0,
            names: vec![],
            table: Table::default(),
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
            let name = self.take(size)?.to_vec();
            let place = self.place()?;
            if place.required {
                fields.required.push(at);
            }
            let plain = !name
                .iter()
                .any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let quoted = if plain && !is_variant {
                Quoted::new(&name)
            } else {
                Quoted::nowhere()
            };
            if !is_variant {
                fields.table.insert(hash(&name), at);
            }
            fields.names.push(name);
            fields.keys.push(Key {
                quoted,
                next: (at + 1) % count,
                seen: 0,
            });
            fields.variants.push(variants);
            fields.columns.push(place);
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
        let mut table = Table::default();
        for number in 0..count {
            let size = usize::from(self.number()?);
            let name = self.take(size)?.to_vec();
            table.insert(hash(&name), number);
            reserved.push(name);
        }
        (at < fields).then_some(Rest {
            at,
            reserved,
            table,
            text: vec![],
            hashes: vec![],
        })
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
