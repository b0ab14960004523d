//! Finds a field by its name: the one that the last object leads one to expect, or any by a table of hashes.

/// A field's name with its quotes, so that eight bytes of a text are compared at a time.
pub struct Quoted {
    /// The first eight bytes, zeros behind them; which of them count; the last eight, where there are as many.
    head: u64,
    mask: u64,
    tail: u64,
    text: Vec<u8>,
}

impl Quoted {
    pub fn new(name: &[u8]) -> Quoted {
        let text = [b"\"", name, b"\""].concat();
        let size = text.len().min(8);
        let mut head = [0; 8];
        head[..size].copy_from_slice(&text[..size]);
        Quoted {
            head: u64::from_le_bytes(head),
            mask: u64::MAX >> (64 - 8 * size),
            tail: text.len().checked_sub(8).map_or(0, |at| word(&text[at..])),
            text,
        }
    }

    /// One that no text begins with.
    pub fn nowhere() -> Quoted {
        Quoted {
            head: 1,
            mask: 0,
            tail: 0,
            text: vec![],
        }
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether a text begins with it.
    #[inline]
    pub fn begins(&self, text: &[u8]) -> bool {
        let size = self.text.len();
        match text.get(..8) {
            Some(eight) if word(eight) & self.mask != self.head => false,
            Some(_) if size <= 8 => true,
            Some(_) => match text.get(size - 8..size) {
                Some(eight) if word(eight) != self.tail => false,
                Some(_) => size <= 16 || text[8..size - 8] == self.text[8..size - 8],
                None => false,
            },
            None => size > 0 && text.starts_with(&self.text),
        }
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
        (u64::from(part) * self.slots.len() as u64 >> 32) as usize
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
