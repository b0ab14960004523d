//! Finds a field by its name: the one that the last object leads one to expect, or any by a table of hashes.

/// So long may a name be: with its quotes, 16 bits count it.
pub const NAME_MAX: usize = u16::MAX as usize - 2;

/// The names of a struct's fields, by the fields' numbers.
#[derive(Default)]
pub struct Names {
    pub keys: Vec<Key>,
    names: Vec<Vec<u8>>,
    table: Table,
    /// Numbers the objects, so that a field that comes twice is noticed.
    object: u32,
}

/// A field as its name is met, small, since hundreds of them are compared with for each object.
#[repr(align(32))]
pub struct Key {
    /// Of the name in quotes, the first eight bytes, zeros behind them, and which of them count.
    head: u64,
    mask: u64,
    /// The last eight bytes, if there are as many.
    tail: u64,
    /// How long it is; 0 where a text has to write the name otherwise, or where it is a variant's.
    size: u16,
    /// The field that came after this one in the last object.
    pub next: u16,
    /// The object that had this field last.
    pub seen: u32,
}

impl Names {
    /// Adds the name of the next field; one that is a variant's is never found.
    pub fn push(&mut self, name: &[u8], next: u16, is_variant: bool) {
        let plain = !name
            .iter()
            .any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
        let quoted = if plain && !is_variant {
            [b"\"", name, b"\""].concat()
        } else {
            vec![]
        };
        let mut head = [0; 8];
        let size = quoted.len().min(8);
        head[..size].copy_from_slice(&quoted[..size]);
        if !is_variant {
            self.table.insert(hash(name), self.keys.len());
        }
        self.names.push(name.to_vec());
        self.keys.push(Key {
            head: u64::from_le_bytes(head),
            mask: if size == 0 {
                0
            } else {
                u64::MAX >> (64 - 8 * size)
            },
            tail: quoted
                .len()
                .checked_sub(8)
                .map_or(0, |at| word(&quoted[at..])),
            size: quoted.len() as u16,
            next,
            seen: 0,
        });
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

    /// How long a field's name in quotes is, if a text begins with it.
    #[inline(always)]
    pub fn begins(&self, at: usize, text: &[u8]) -> Option<usize> {
        let key = self.keys.get(at)?;
        let size = usize::from(key.size);
        let begins = match text.get(..8) {
            Some(eight) if word(eight) & key.mask != key.head => false,
            Some(_) if size <= 8 => size > 0,
            Some(_) => match text.get(size - 8..size) {
                Some(eight) if word(eight) != key.tail => false,
                Some(_) => size <= 16 || text[1..size - 1] == self.names[at],
                None => false,
            },
            // Two quotes are part of it.
            None => {
                matches!(text.get(..size), Some([b'"', name @ .., b'"']) if name == self.names[at])
            }
        };
        begins.then_some(size)
    }

    /// The field whose name, in quotes, a text begins with.
    #[inline]
    pub fn find(&self, text: &[u8], hash: u64) -> Option<usize> {
        self.table.find(hash, |at| self.begins(at, text).is_some())
    }

    /// The field of a name that a text writes otherwise.
    pub fn find_name(&self, name: &[u8]) -> Option<usize> {
        self.table.find(hash(name), |at| self.names[at] == name)
    }
}

/// Numbers by the hashes of names; whose a number is, the asker knows.
#[derive(Default)]
pub struct Table {
    /// Some bits of a hash, and a number plus one; a power of two of them, half free at least.
    slots: Vec<(u32, u32)>,
    used: usize,
}

impl Table {
    pub fn insert(&mut self, hash: u64, number: usize) {
        if self.used * 2 >= self.slots.len() {
            let room = (self.slots.len() * 2).max(16);
            let before = std::mem::replace(&mut self.slots, vec![(0, 0); room]);
            before
                .into_iter()
                .filter(|slot| slot.1 > 0)
                .for_each(|slot| self.put(slot));
        }
        self.put(((hash >> 32) as u32, number as u32 + 1));
        self.used += 1;
    }

    fn put(&mut self, slot: (u32, u32)) {
        let last = self.slots.len() - 1;
        let mut at = self.first(slot.0);
        while self.slots[at].1 > 0 {
            at = (at + 1) & last;
        }
        self.slots[at] = slot;
    }

    /// Where to look first: by the highest bits, which all others have had a part in.
    #[inline]
    fn first(&self, part: u32) -> usize {
        ((u64::from(part) * self.slots.len() as u64) >> 32) as usize
    }

    /// The number of a hash that is the right one.
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let last = self.slots.len().checked_sub(1)?;
        let part = (hash >> 32) as u32;
        let mut at = self.first(part);
        loop {
            let (other, number) = self.slots[at];
            if number == 0 {
                return None;
            }
            if other == part && is_it(number as usize - 1) {
                return Some(number as usize - 1);
            }
            at = (at + 1) & last;
        }
    }
}

/// A quick hash of short names; its highest bits are the best.
#[inline]
pub fn hash(name: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut sum = name.len() as u64;
    let mut eights = name.chunks_exact(8);
    for eight in &mut eights {
        sum = (sum.rotate_left(29) ^ word(eight)).wrapping_mul(ODD);
    }
    let rest = eights.remainder();
    let last = match rest.len() {
        0 => 0,
        1..=3 => {
            u64::from(rest[0])
                | u64::from(rest[rest.len() / 2]) << 8
                | u64::from(rest[rest.len() - 1]) << 16
        }
        size => four(rest) | four(&rest[size - 4..]) << 32,
    };
    (sum.rotate_left(29) ^ last).wrapping_mul(ODD)
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ])
}

#[inline]
fn four(bytes: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}
