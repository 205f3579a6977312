//! Session descriptions (RFC 8866, which replaced RFC 4566): bytes to lines and back, without loss.
//!
//! Every line is kept as it was written, in its order, known or not; what offer/answer needs is read from the lines
//! through typed views. Parsing is one pass and bounded, so 10,000 attributes cost milliseconds at most (line B30).
//! Accepted though the grammar forbids it, because phones do it: LF line ends, blank lines at the end, a missing
//! `s=` or `t=`, text that is not UTF-8.

mod crypto;
mod parse;
mod types;

#[cfg(test)]
mod tests;

pub use crypto::{Crypto, KEY_BYTES, MAX_SALT_BYTES, MasterKey, Suite};
pub use types::{Connection, Direction, Host, MediaLine, Origin, RtcpAddress, RtpMap};

use std::collections::BTreeSet;
use std::fmt;

use crate::sip::Status;

/// Largest session description that is read, in bytes: what fits one UDP datagram.
pub const MAX_SDP: usize = 64 * 1024;
/// Most `m=` lines. Browsers with a dozen participants stay below; the answer must repeat each.
pub const MAX_MEDIA_LINES: usize = 32;
/// Most formats of one `m=` line: RTP has 128 payload types.
pub const MAX_FORMATS: usize = 128;
/// Most lines in all; 10,000 attributes pass, a flood of empty ones does not.
pub const MAX_LINES: usize = 16_000;

/// Longest `t=` that is repeated: two numbers of 64 bits and a space.
const MAX_TIMING: usize = 41;

/// One `x=value` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The letter before `=`.
    pub kind: char,
    /// Everything after `=`, without the line end.
    pub value: String,
}

impl Line {
    pub fn new(kind: char, value: impl Into<String>) -> Line {
        Line { kind, value: value.into() }
    }
}

/// One stream: its `m=` line and the lines below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub line: MediaLine,
    /// Everything below `m=`: `i=`, `c=`, `b=`, `a=` and what else was there.
    pub lines: Vec<Line>,
}

/// A whole session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// The lines before the first `m=`, `v=` first.
    pub lines: Vec<Line>,
    pub media: Vec<Media>,
    /// The bytes were not UTF-8 and were read as Latin-1, so that they print as they came.
    latin1: bool,
}

/// Why bytes are no session description, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("session description of {0} bytes, at most {MAX_SDP} are read")]
    TooLarge(usize),
    #[error("more than {MAX_LINES} lines")]
    TooManyLines,
    #[error("line {line}: more than {MAX_MEDIA_LINES} media lines")]
    TooManyMedia { line: usize },
    #[error("line {line}: {what}")]
    Broken { line: usize, what: &'static str },
}

impl SdpError {
    /// The SIP status that tells the peer: 413 for size, 488 for more streams than anybody answers, 400 for a broken
    /// body (RFC 3261 sections 21.4.1, 21.4.11, 21.4.26).
    pub fn status(&self) -> Status {
        match self {
            SdpError::TooLarge(_) | SdpError::TooManyLines => Status::REQUEST_ENTITY_TOO_LARGE,
            SdpError::TooManyMedia { .. } => Status::NOT_ACCEPTABLE_HERE,
            SdpError::Broken { .. } => Status::BAD_REQUEST,
        }
    }

    /// The line the fault stands on, counted from 1; `None` when the whole is too large.
    pub fn line(&self) -> Option<usize> {
        match self {
            SdpError::TooLarge(_) | SdpError::TooManyLines => None,
            SdpError::TooManyMedia { line } | SdpError::Broken { line, .. } => Some(*line),
        }
    }
}

impl SessionDescription {
    /// Reads a body of type application/sdp. What is found is checked: `v=0` first, an `o=` of six fields, `m=` and
    /// `c=` lines well formed; other lines need only be `x=…`.
    pub fn parse(body: &[u8]) -> Result<SessionDescription, SdpError> {
        parse::parse(body)
    }

    /// A description of our own making, with the lines that every one begins with (RFC 8866 section 5). `timing` is the
    /// value of `t=`.
    pub fn new(origin: &Origin, name: &str, connection: &Connection, timing: &str) -> SessionDescription {
        let lines = vec![
            Line::new('v', "0"),
            Line::new('o', origin.to_string()),
            Line::new('s', name),
            Line::new('c', connection.to_string()),
            Line::new('t', timing),
        ];
        SessionDescription { lines, media: Vec::new(), latin1: false }
    }

    /// The `o=` line. Parsed descriptions have one.
    pub fn origin(&self) -> Option<Origin> {
        first(&self.lines, 'o').and_then(Origin::parse)
    }

    /// The value of `t=`, which an answer repeats (RFC 3264 section 6); "0 0" when there is none or it is no two numbers.
    pub fn timing(&self) -> &str {
        let numbers = |text: &&str| {
            text.len() <= MAX_TIMING
                && text.split(' ').count() == 2
                && text.split(' ').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        first(&self.lines, 't').filter(numbers).unwrap_or("0 0")
    }

    /// The session-level `c=`.
    pub fn connection(&self) -> Option<Connection> {
        first(&self.lines, 'c').and_then(Connection::parse)
    }

    /// The session-level direction, the default of each stream that names none (RFC 8866 section 6.7).
    pub fn direction(&self) -> Option<Direction> {
        direction(&self.lines)
    }

    /// Where `media` is to be sent: its own `c=`, else the session's (RFC 8866 section 5.7).
    pub fn connection_of(&self, media: &Media) -> Option<Connection> {
        media.connection().or_else(|| self.connection())
    }

    /// Which way `media` flows, seen from who wrote this: its own attribute, else the session's, else `sendrecv`.
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction().or_else(|| self.direction()).unwrap_or(Direction::SendRecv)
    }

    /// Session-level attribute values by name; empty for a property (`a=name`).
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        attributes(&self.lines, name)
    }

    /// As bytes, each line ended by CRLF.
    pub fn to_bytes(&self) -> Vec<u8> {
        let text = self.to_string();
        if !self.latin1 {
            return text.into_bytes();
        }
        // Each char came from one byte; what was added since and does not fit is replaced.
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            write!(f, "{}={}\r\n", line.kind, line.value)?;
        }
        for media in &self.media {
            write!(f, "m={}\r\n", media.line)?;
            for line in &media.lines {
                write!(f, "{}={}\r\n", line.kind, line.value)?;
            }
        }
        Ok(())
    }
}

impl Media {
    pub fn new(line: MediaLine) -> Media {
        Media { line, lines: Vec::new() }
    }

    /// Adds `a=name` or `a=name:value`.
    pub fn push_attribute(&mut self, name: &str, value: Option<&str>) {
        let text = match value {
            Some(value) => format!("{name}:{value}"),
            None => name.to_owned(),
        };
        self.lines.push(Line::new('a', text));
    }

    /// The stream's own `c=`.
    pub fn connection(&self) -> Option<Connection> {
        first(&self.lines, 'c').and_then(Connection::parse)
    }

    /// The stream's own direction attribute.
    pub fn direction(&self) -> Option<Direction> {
        direction(&self.lines)
    }

    /// Attribute values by name; empty for a property (`a=name`).
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        attributes(&self.lines, name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes(name).next().is_some()
    }

    /// The first well-formed `a=rtpmap` of each payload type, in their order; broken ones are passed over, as their formats may
    /// not be wanted at all. At most 128, however many lines there are.
    pub fn rtpmaps(&self) -> Vec<RtpMap> {
        let mut known = BTreeSet::new();
        self.attributes("rtpmap").filter_map(RtpMap::parse).filter(|map| known.insert(map.payload_type)).collect()
    }

    /// Format parameters of a payload type: `a=fmtp:101 0-15` gives "0-15".
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.attributes("fmtp").find_map(|value| {
            let (format, parameters) = value.split_once(' ')?;
            (format.parse() == Ok(payload_type)).then_some(parameters.trim())
        })
    }

    /// Milliseconds of audio that the writer wants in a packet (RFC 8866 section 6.4). Fractions are cut.
    pub fn ptime_ms(&self) -> Option<u32> {
        milliseconds(self.attributes("ptime").next()?)
    }

    /// The most milliseconds of audio that the writer takes in a packet.
    pub fn maxptime_ms(&self) -> Option<u32> {
        milliseconds(self.attributes("maxptime").next()?)
    }

    /// The keys that are offered for this stream, in the order of the peer's preference (RFC 4568 section 5.1.1).
    pub fn cryptos(&self) -> impl Iterator<Item = Crypto> {
        self.attributes("crypto").filter_map(Crypto::parse)
    }

    /// Where RTCP goes when not to the port above RTP's (RFC 3605).
    pub fn rtcp(&self) -> Option<RtcpAddress> {
        self.attributes("rtcp").find_map(RtcpAddress::parse)
    }
}

/// Every look at lines goes through here.
fn each(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().inspect(|_| {
        #[cfg(test)]
        work::looked_at_a_line();
    })
}

fn first(lines: &[Line], kind: char) -> Option<&str> {
    each(lines).find(|line| line.kind == kind).map(|line| line.value.as_str())
}

fn attributes<'a>(lines: &'a [Line], name: &'a str) -> impl Iterator<Item = &'a str> {
    each(lines).filter(|line| line.kind == 'a').filter_map(move |line| {
        let rest = line.value.strip_prefix(name)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':').map(str::trim) }
    })
}

fn direction(lines: &[Line]) -> Option<Direction> {
    each(lines).filter(|line| line.kind == 'a').find_map(|line| Direction::parse(line.value.trim()))
}

/// RFC 8866 section 6.4 allows a fraction, as in `ptime:33.3`.
fn milliseconds(value: &str) -> Option<u32> {
    value.split('.').next().and_then(|whole| whole.trim().parse().ok())
}

/// For tests of what a large description costs.
#[cfg(test)]
pub mod work {
    use std::cell::Cell;

    thread_local! { static LINES: Cell<usize> = const { Cell::new(0) } }

    pub(super) fn looked_at_a_line() {
        LINES.set(LINES.get() + 1);
    }

    /// Lines that were looked at on this thread since it was last asked; one that was looked at twice counts twice.
    pub fn taken() -> usize {
        LINES.take()
    }
}
