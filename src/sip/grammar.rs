//! The character classes and small scanners of RFC 3261 §25.1 that every header value is read with. Nothing allocates.

use super::fault::Fault;

const TOKEN: u8 = 1;
const USER: u8 = 2;
const URI_PARAM: u8 = 4;
const URI_HEADER: u8 = 8;
const PASSWORD: u8 = 16;
const HOST: u8 = 32;
const VALUE: u8 = 64;

/// One byte of class bits per octet.
const CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0usize;
    while octet < 256 {
        let byte = octet as u8;
        let alphanum = byte.is_ascii_alphanumeric();
        let unreserved = alphanum || one_of(byte, b"-_.!~*'()");
        let mut bits = 0;
        if alphanum || one_of(byte, b"-.!%*_+`'~") {
            bits |= TOKEN;
        }
        // '#' is not allowed by §25.1 but stands unescaped in the dial strings of many PBXs.
        if unreserved || one_of(byte, b"&=+$,;?/#") {
            bits |= USER;
        }
        if unreserved || one_of(byte, b"&=+$,") {
            bits |= PASSWORD;
        }
        if unreserved || one_of(byte, b"[]/:&+$") {
            bits |= URI_PARAM;
        }
        if unreserved || one_of(byte, b"[]/?:+$") {
            bits |= URI_HEADER;
        }
        // '_' is no host name character, but Windows-named PBXs have it.
        if alphanum || one_of(byte, b"-._") {
            bits |= HOST;
        }
        // What a generic-param's value may hold unquoted: token, host, and what peers put there all the same.
        if byte > b' ' && byte != 0x7f && !one_of(byte, b",;\"<>\\") {
            bits |= VALUE;
        }
        table[octet] = bits;
        octet += 1;
    }
    table
}

const fn one_of(byte: u8, set: &[u8]) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

fn all(text: &str, class: u8) -> bool {
    !text.is_empty() && text.bytes().all(|byte| CLASS[usize::from(byte)] & class != 0)
}

/// Like [`all`], where `%` must be followed by two hexadecimal digits. Empty text passes.
fn all_escaped(text: &str, class: u8) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if CLASS[usize::from(byte)] & class != 0 {
            continue;
        }
        let escaped = byte == b'%'
            && bytes.next().is_some_and(|b| b.is_ascii_hexdigit())
            && bytes.next().is_some_and(|b| b.is_ascii_hexdigit());
        if !escaped {
            return false;
        }
    }
    true
}

pub fn is_token(text: &str) -> bool {
    all(text, TOKEN)
}

pub(super) fn is_token_char(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TOKEN != 0
}

pub(super) fn is_host_name(text: &str) -> bool {
    all(text, HOST)
}

pub(super) fn is_user(text: &str) -> bool {
    !text.is_empty() && all_escaped(text, USER)
}

pub(super) fn is_password(text: &str) -> bool {
    all_escaped(text, PASSWORD)
}

pub(super) fn is_uri_param(text: &str) -> bool {
    !text.is_empty() && all_escaped(text, URI_PARAM)
}

pub(super) fn is_uri_header(text: &str) -> bool {
    all_escaped(text, URI_HEADER)
}

pub(super) fn is_user_char(byte: u8) -> bool {
    CLASS[usize::from(byte)] & USER != 0
}

/// Strips LWS at both ends (folds are already gone when header values exist).
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

pub(super) fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// Splits off the longest prefix of token characters.
pub(super) fn take_token(text: &str) -> (&str, &str) {
    take(text, TOKEN)
}

/// Splits off the longest prefix of characters that a generic-param's value may hold unquoted.
pub(super) fn take_value(text: &str) -> (&str, &str) {
    take(text, VALUE)
}

fn take(text: &str, class: u8) -> (&str, &str) {
    // Octets of 0x80 and above are all in VALUE and none is in TOKEN, so the cut is always at a character's edge.
    let end = text.bytes().position(|byte| CLASS[usize::from(byte)] & class == 0).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Splits off a quoted-string, quotes included. `text` begins with `"`.
pub(super) fn take_quoted(text: &str) -> Result<(&str, &str), Fault> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return text.split_at_checked(at + 1).ok_or(Fault::UnterminatedQuote),
            _ => {}
        }
    }
    Err(Fault::UnterminatedQuote)
}

/// The text inside a quoted-string, its quoted-pairs resolved. Text that is not quoted comes back as it is.
pub fn unquote(text: &str) -> std::borrow::Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.into();
    };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain.into()
}

/// A quoted-string that holds `text`. Controls (CR and LF above all) become spaces: nothing set by an admin or taken
/// from a peer can end the header (line F80).
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Splits a value at its commas, those in quoted-strings and `<…>` left alone. Elements come trimmed; empty ones
/// (`a,,b`) are left out, as RFC 9110 §5.6.1 has it and RFC 3261 does not forbid.
pub(super) struct List<'a> {
    rest: &'a str,
}

pub(super) fn list(value: &str) -> List<'_> {
    List { rest: value }
}

impl<'a> Iterator for List<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let (element, rest) = match comma(self.rest) {
                Some(at) => (self.rest.get(..at).unwrap_or_default(), self.rest.get(at + 1..).unwrap_or_default()),
                None => (self.rest, ""),
            };
            self.rest = rest;
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// Where the first comma outside quotes and angle brackets stands.
fn comma(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angle => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            b',' if !quoted && !angle => return Some(at),
            _ => {}
        }
    }
    None
}

/// Resolves `%HH` once (RFC 3261 §19.1.2). Octets that do not make UTF-8 are read as Latin-1.
pub fn unescape(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (byte, ahead.next().and_then(hex), ahead.next().and_then(hex)) {
            (b'%', Some(high), Some(low)) => {
                octets.push(high << 4 | low);
                bytes = ahead;
            }
            _ => octets.push(byte),
        }
    }
    match String::from_utf8(octets) {
        Ok(text) => text.into(),
        Err(error) => error.into_bytes().into_iter().map(char::from).collect::<String>().into(),
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A number of digits only: no sign, no blank, no empty text. Leading zeros count for nothing; what exceeds u32 is
/// [`u32::MAX`], so that the caller's own bound decides.
pub(super) fn digits(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.bytes().fold(0u32, |sum, byte| sum.saturating_mul(10).saturating_add(u32::from(byte - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let parts: Vec<&str> = list(r#""a, \", b" <sip:x,y@h>;p="1,2" , <sip:z@h> ,, c"#).collect();
        assert_eq!(parts, [r#""a, \", b" <sip:x,y@h>;p="1,2""#, "<sip:z@h>", "c"]);
    }

    #[test]
    fn quoting_and_unquoting_are_inverse_and_drop_line_ends() {
        assert_eq!(quote(r#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(unquote(r#""a\"b\\c""#), r#"a"b\c"#);
        assert_eq!(quote("a\r\nVia: x"), "\"a  Via: x\"");
        assert_eq!(unquote("plain"), "plain");
    }

    #[test]
    fn escapes_are_resolved_once_and_broken_ones_stay() {
        assert_eq!(unescape("sips%3Auser%40example.com"), "sips:user@example.com");
        assert_eq!(unescape("v%61lue%25%34%31"), "value%41");
        assert_eq!(unescape("%Z%45"), "%ZE");
        assert_eq!(unescape("m%FCller"), "müller");
        assert_eq!(unescape("null-%00-null"), "null-\0-null");
    }

    #[test]
    fn numbers_are_digits_only_and_saturate() {
        assert_eq!(digits("0068"), Some(68));
        assert_eq!(digits("36893488147419103232"), Some(u32::MAX));
        for bad in ["", "-1", "+1", " 1", "1 ", "0x1"] {
            assert_eq!(digits(bad), None, "{bad:?}");
        }
    }
}
