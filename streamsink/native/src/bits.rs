//! A bitmap that grows, as Arrow has them: the lowest bit first.

#[derive(Default)]
pub struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    #[inline]
    pub fn push(&mut self, bit: bool) {
        if self.len % 8 == 0 {
            self.bytes.push(0);
        }
        if bit {
            let last = self.bytes.len() - 1;
            self.bytes[last] |= 1 << (self.len % 8);
        }
        self.len += 1;
    }

    pub fn push_many(&mut self, bit: bool, mut count: usize) {
        while count > 0 && self.len % 8 != 0 {
            self.push(bit);
            count -= 1;
        }
        let whole = count / 8;
        self.bytes
            .resize(self.bytes.len() + whole, if bit { 0xff } else { 0 });
        self.len += whole * 8;
        for _ in 0..count % 8 {
            self.push(bit);
        }
    }

    pub fn set(&mut self, at: usize) {
        self.bytes[at / 8] |= 1 << (at % 8);
    }

    pub fn get(&self, at: usize) -> bool {
        self.bytes[at / 8] >> (at % 8) & 1 == 1
    }

    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.len = len;
        self.bytes.truncate((len + 7) / 8);
        if len % 8 != 0 {
            let last = self.bytes.len() - 1;
            self.bytes[last] &= (1 << (len % 8)) - 1;
        }
    }

    pub fn take(&mut self) -> Vec<u8> {
        self.len = 0;
        std::mem::take(&mut self.bytes)
    }
}
