//! Where values go: a tree of places, each with its column, made from a description that Python gives.
//!
//! A description is bytes. A place is its kind and its flags; behind an integer's stand its bits, behind a list's the
//! place of its items, behind a struct's how many fields it has, and each of them: its role, the numbers of the fields
//! that are its variants (for booleans, integers, doubles, strings and JSON texts), its name, its place. The flags say
//! that a value is required, that what doesn't fit is in doubt, that fields which a struct lacks are passed over, or are
//! kept together: then the number of the field that takes them follows, how many names are none of them, and these.

use crate::column::{Column, Data};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

const REQUIRED: u8 = 1;
const STRICT: u8 = 2;
const SKIPPING: u8 = 4;
const RESTING: u8 = 8;
const ABSENT: u16 = u16::MAX;

pub struct Place {
    /// Whether a null here leaves the row in doubt.
    pub required: bool,
    /// Whether what doesn't fit leaves the row in doubt, and numbers of the other kind don't fit.
    pub strict: bool,
    pub column: Column,
}

pub struct Field {
    /// `"name"`, with its quotes; none where a text may write the name otherwise, or where it is a variant's.
    pub quoted: Option<Vec<u8>>,
    /// Which fields take what doesn't fit, by `Given`.
    pub variants: [Option<usize>; 5],
    /// The field that came after this one in the last object.
    pub next: usize,
    /// The object that had this field last.
    pub seen: u32,
    pub place: Place,
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
    pub all: Vec<Field>,
    pub unknown: Unknown,
    pub rest: Option<Rest>,
    pub required: Vec<usize>,
    pub first: usize,
    /// Numbers the objects, so that a field that comes twice is noticed.
    pub object: u32,
    names: HashMap<Vec<u8>, usize, BuildHasherDefault<Fnv>>,
}

impl Fields {
    /// The field of a name.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// Begins an object; gives its number.
    pub fn begin(&mut self) -> u32 {
        if self.object == u32::MAX {
            self.all.iter_mut().for_each(|field| field.seen = 0);
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
    pub reserved: HashSet<Vec<u8>>,
    /// The text of one object so far, without its last brace.
    pub text: Vec<u8>,
    /// All names that this object had and the struct lacks.
    pub names: Vec<Vec<u8>>,
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

    pub fn place(&mut self) -> Option<Place> {
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
            b'{' => Data::Struct(self.fields(flags)?),
            _ => return None,
        };
        Some(Place {
            required: flags & REQUIRED != 0,
            strict: flags & STRICT != 0,
            column: Column::new(data),
        })
    }

    fn fields(&mut self, flags: u8) -> Option<Fields> {
        let unknown = match flags & (STRICT | SKIPPING) {
            0 => Unknown::NullOnly,
            STRICT => Unknown::Doubt,
            _ => Unknown::Skip,
        };
        let count = usize::from(self.number()?);
        let mut fields = Fields {
            all: vec![],
            unknown,
            rest: None,
            required: vec![],
            first: 0,
            object: 0,
            names: HashMap::default(),
        };
        for at in 0..count {
            let is_variant = self.byte()? != 0;
            let mut variants = [None; 5];
            for variant in &mut variants {
                *variant = match self.number()? {
                    ABSENT => None,
                    number if usize::from(number) < count && usize::from(number) != at => {
                        Some(usize::from(number))
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
            let quoted = (plain && !is_variant).then(|| [b"\"", name.as_slice(), b"\""].concat());
            if !is_variant {
                fields.names.insert(name, at);
            }
            fields.all.push(Field {
                quoted,
                variants,
                next: (at + 1) % count,
                seen: 0,
                place,
            });
        }
        if flags & RESTING != 0 {
            fields.rest = Some(self.rest(count)?);
        }
        Some(fields)
    }

    fn rest(&mut self, fields: usize) -> Option<Rest> {
        let at = usize::from(self.number()?);
        let count = usize::from(self.number()?);
        let mut reserved = HashSet::new();
        for _ in 0..count {
            let size = usize::from(self.number()?);
            reserved.insert(self.take(size)?.to_vec());
        }
        (at < fields).then_some(Rest {
            at,
            reserved,
            text: vec![],
            names: vec![],
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

/// A quick hash of short names (Fowler, Noll and Vo's).
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
