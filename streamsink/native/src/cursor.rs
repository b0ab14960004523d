//! Steps through one JSON text: literals and strings as RFC 8259 has them; `number.rs` has the numbers.

const DEEPEST: u32 = 60;
/// Why reading stopped.
#[derive(Debug, PartialEq)]
pub enum Stop {
    /// A value that may be in order is none for this place.
    Misfit,
    /// Only the exact reader can judge this row.
    Doubt,
}

pub struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    depth: u32,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor {
            bytes,
            at: 0,
            depth: 0,
        }
    }

    /// The byte that is next; 0 at the end.
    #[inline]
    pub fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// All that is not yet read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// What was read from somewhere on.
    #[inline]
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    #[inline]
    pub fn skip_spaces(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    #[inline]
    pub fn begins_with(&self, word: &[u8]) -> bool {
        self.bytes[self.at..].starts_with(word)
    }

    /// Steps over a word that must stand here.
    #[inline]
    pub fn expect(&mut self, word: &[u8]) -> Result<(), Stop> {
        if !self.begins_with(word) {
            return Err(Stop::Doubt);
        }
        self.at += word.len();
        Ok(())
    }

    /// Behind a member of an object or an array: whether another follows.
    #[inline]
    pub fn goes_on(&mut self, close: u8) -> Result<bool, Stop> {
        self.skip_spaces();
        let next = self.peek();
        self.at += 1;
        if next == b',' {
            self.skip_spaces();
            return Ok(true);
        }
        if next == close {
            return Ok(false);
        }
        Err(Stop::Doubt)
    }

    /// Steps into an object or an array; gives whether it has members.
    #[inline]
    pub fn enter(&mut self, close: u8) -> Result<bool, Stop> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Stop::Doubt);
        }
        self.at += 1;
        self.skip_spaces();
        if self.peek() == close {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Goes back to where a value began.
    pub fn back(&mut self, at: usize, depth: u32) {
        self.at = at;
        self.depth = depth;
    }

    /// Steps over a key's colon.
    #[inline]
    pub fn colon(&mut self) -> Result<(), Stop> {
        self.skip_spaces();
        self.expect(b":")?;
        self.skip_spaces();
        Ok(())
    }

    pub fn boolean(&mut self) -> Result<bool, Stop> {
        let value = self.peek() == b't';
        self.expect(if value { b"true" } else { b"false" })?;
        Ok(value)
    }

    /// From after its opening quote, appends a string to what is there.
    #[inline(always)]
    pub fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Stop> {
        loop {
            out.extend_from_slice(self.plain());
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    let sign = self.escaped()?;
                    let mut bytes = [0; 4];
                    out.extend_from_slice(sign.encode_utf8(&mut bytes).as_bytes());
                }
                _ => return Err(Stop::Doubt),
            }
        }
    }

    /// Steps over bytes of a string that stand for themselves.
    #[inline(always)]
    pub fn plain(&mut self) -> &'a [u8] {
        let start = self.at;
        let mut at = start;
        while let Some(eight) = self.bytes.get(at..at + 8) {
            let special = special(eight);
            if special != 0 {
                self.at = at + special.trailing_zeros() as usize / 8;
                return &self.bytes[start..self.at];
            }
            at += 8;
        }
        while matches!(self.bytes.get(at), Some(byte) if !matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
            at += 1;
        }
        self.at = at;
        &self.bytes[start..at]
    }

    /// Steps over an escape; half a surrogate pair is in doubt.
    pub fn escaped(&mut self) -> Result<char, Stop> {
        self.at += 1;
        let sign = self.peek();
        self.at += 1;
        match sign {
            b'"' | b'\\' | b'/' => Ok(char::from(sign)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => {
                let mut code = self.hexadecimal()?;
                if (0xd800..0xdc00).contains(&code) {
                    self.expect(b"\\u")?;
                    let low = self.hexadecimal()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(Stop::Doubt);
                    }
                    code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                char::from_u32(code).ok_or(Stop::Doubt)
            }
            _ => Err(Stop::Doubt),
        }
    }

    /// Steps over a value, whatever it is.
    pub fn skip_value(&mut self) -> Result<(), Stop> {
        match self.peek() {
            b'"' => {
                self.at += 1;
                self.skip_string()
            }
            b'{' => {
                let mut more = self.enter(b'}')?;
                while more {
                    self.expect(b"\"")?;
                    self.skip_string()?;
                    self.colon()?;
                    self.skip_value()?;
                    more = self.goes_on(b'}')?;
                }
                self.leave();
                Ok(())
            }
            b'[' => {
                let mut more = self.enter(b']')?;
                while more {
                    self.skip_value()?;
                    more = self.goes_on(b']')?;
                }
                self.leave();
                Ok(())
            }
            b't' | b'f' => self.boolean().map(drop),
            b'n' => self.expect(b"null"),
            _ => self.number().map(drop),
        }
    }

    fn skip_string(&mut self) -> Result<(), Stop> {
        loop {
            self.plain();
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escaped().map(drop)?,
                _ => return Err(Stop::Doubt),
            }
        }
    }

    fn hexadecimal(&mut self) -> Result<u32, Stop> {
        let mut code = 0;
        for _ in 0..4 {
            code = code * 16 + char::from(self.peek()).to_digit(16).ok_or(Stop::Doubt)?;
            self.at += 1;
        }
        Ok(code)
    }
}

/// In eight bytes, a bit at each that ends a plain run; those behind the first may be wrong.
#[inline]
fn special(eight: &[u8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let word = u64::from_le_bytes([
        eight[0], eight[1], eight[2], eight[3], eight[4], eight[5], eight[6], eight[7],
    ]);
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let slashes = slash.wrapping_sub(ONES) & !slash;
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | slashes | controls) & HIGHS
}
