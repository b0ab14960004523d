//! Writes a value anew as compact JSON text, byte for byte as streamsink's exact reader does (orjson's form).

use crate::cursor::{Cursor, Stop};
use crate::number::Number;
use std::io::Write;

/// From here to `PLAIN_MAX`, a double's shortest form is written without an exponent by all who write it.
const PLAIN_MIN: f64 = 1e-4;
const PLAIN_MAX: f64 = 1e16;

/// Reads a value and appends its text; a key that comes twice is in doubt.
pub fn rewrite(cursor: &mut Cursor, out: &mut Vec<u8>) -> Result<(), Stop> {
    match cursor.peek() {
        b'"' => string(cursor, out),
        b'{' => object(cursor, out),
        b'[' => array(cursor, out),
        b't' | b'f' => {
            let word: &[u8] = if cursor.boolean()? { b"true" } else { b"false" };
            out.extend_from_slice(word);
            Ok(())
        }
        b'n' => {
            cursor.expect(b"null")?;
            out.extend_from_slice(b"null");
            Ok(())
        }
        _ => number(cursor, out),
    }
}

fn number(cursor: &mut Cursor, out: &mut Vec<u8>) -> Result<(), Stop> {
    let start = cursor.at;
    let value = cursor.number()?;
    let text = cursor.since(start);
    match value {
        // Minus zero is an integer without a sign.
        Number::Int(0) => out.push(b'0'),
        Number::Int(_) | Number::Large => out.extend_from_slice(text),
        Number::Double(value) => {
            let size = value.abs();
            if size != 0.0 && !(PLAIN_MIN..PLAIN_MAX).contains(&size) {
                return Err(Stop::Doubt);
            }
            if is_shortest(text) {
                out.extend_from_slice(text);
            } else {
                let start = out.len();
                write!(out, "{:?}", value).map_err(|_| Stop::Doubt)?;
                if has_two(value, &out[start..]) {
                    return Err(Stop::Doubt);
                }
            }
        }
    }
    Ok(())
}

/// Whether a double that is written without an exponent is surely written so: no two decimals of up to fifteen digits
/// are one double, so the shortest that is this one is this one.
fn is_shortest(text: &[u8]) -> bool {
    let bare = matches!(text, [.., b'.', b'0'] | [.., b'1'..=b'9']);
    bare && text.len() <= 16 && !text.iter().any(|byte| matches!(byte, b'e' | b'E'))
}

/// Whether a double has two shortest decimals, one as near as the other: this writer takes the greater, orjson the even.
/// It lies between them, so it has one decimal more than they have, a five, and as many bits behind the point.
fn has_two(value: f64, shortest: &[u8]) -> bool {
    let decimals = shortest.iter().rev().take_while(|byte| **byte != b'.');
    let whole = value * 2f64.powi(decimals.count() as i32);
    whole.fract() != 0.0 && (2.0 * whole).fract() == 0.0
}

fn array(cursor: &mut Cursor, out: &mut Vec<u8>) -> Result<(), Stop> {
    out.push(b'[');
    let mut more = cursor.enter(b']')?;
    while more {
        rewrite(cursor, out)?;
        more = cursor.goes_on(b']')?;
        if more {
            out.push(b',');
        }
    }
    cursor.leave();
    out.push(b']');
    Ok(())
}

fn object(cursor: &mut Cursor, out: &mut Vec<u8>) -> Result<(), Stop> {
    out.push(b'{');
    // Of one key alone nothing has to be kept.
    let mut first = None;
    let mut keys = vec![];
    let mut more = cursor.enter(b'}')?;
    while more {
        let begin = out.len();
        string(cursor, out)?;
        match first {
            None => first = Some((begin, out.len())),
            Some(first) if keys.is_empty() => keys.extend([first, (begin, out.len())]),
            Some(_) => keys.push((begin, out.len())),
        }
        cursor.colon()?;
        out.push(b':');
        rewrite(cursor, out)?;
        more = cursor.goes_on(b'}')?;
        if more {
            out.push(b',');
        }
    }
    cursor.leave();
    out.push(b'}');
    keys.sort_unstable_by(|one, other| out[one.0..one.1].cmp(&out[other.0..other.1]));
    let twice = keys
        .windows(2)
        .any(|pair| out[pair[0].0..pair[0].1] == out[pair[1].0..pair[1].1]);
    if twice {
        Err(Stop::Doubt)
    } else {
        Ok(())
    }
}

fn string(cursor: &mut Cursor, out: &mut Vec<u8>) -> Result<(), Stop> {
    let mut start = cursor.at;
    cursor.expect(b"\"")?;
    loop {
        cursor.plain();
        out.extend_from_slice(cursor.since(start));
        match cursor.peek() {
            b'"' => {
                cursor.at += 1;
                out.push(b'"');
                return Ok(());
            }
            b'\\' => escape(cursor.escaped()?, out),
            _ => return Err(Stop::Doubt),
        }
        start = cursor.at;
    }
}

/// Appends a text as a JSON string.
pub fn quote(text: &[u8], out: &mut Vec<u8>) -> Result<(), Stop> {
    out.push(b'"');
    for sign in std::str::from_utf8(text).map_err(|_| Stop::Doubt)?.chars() {
        escape(sign, out);
    }
    out.push(b'"');
    Ok(())
}

fn escape(sign: char, out: &mut Vec<u8>) {
    match sign {
        '"' | '\\' => out.extend_from_slice(&[b'\\', sign as u8]),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\0'..='\u{1f}' => out.extend_from_slice(format!("\\u{:04x}", sign as u32).as_bytes()),
        _ => out.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
