//! Cuts a byte stream into messages (RFC 3261 §18.3, §7.5) and answers for its bounds.
//!
//! ```text
//! blank lines ──► CRLF CRLF ──► KeepAlive (RFC 5626 §3.5.1: a ping, to be answered CRLF)
//!      │
//!      ▼
//! head ──► empty line, Content-Length ──► body ──► Message ──► blank lines …
//!   │
//!   └─► no SIP, no readable length, or over a limit ──► Malformed, and nothing more
//! ```
//! Head and length are read by the parser's own code, so the two can never see different messages in the same bytes.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memmem};

use super::limits::{MAX_BODY, MAX_HEAD};
use super::parse;

/// The answer to [`Frame::KeepAlive`].
pub const PONG: &[u8] = b"\r\n";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One whole message, for [`Message::parse`](super::Message::parse).
    Message(Bytes),
    /// A ping: send [`PONG`].
    KeepAlive,
    /// Where the next message begins can't be known any more. Parsing these bytes gives the error, and with it the
    /// reply if one is possible; then the connection must be closed. Nothing follows.
    Malformed(Bytes),
}

/// Holds what has come in of a message. Never more than [`MAX_HEAD`] + [`MAX_BODY`] and one push.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// Octets in which no end of a head was found, so that single-octet pushes stay linear.
    scanned: usize,
    /// Length of the message whose head is complete.
    length: Option<usize>,
    broken: bool,
}

impl Framer {
    pub fn new() -> Framer {
        Framer::default()
    }

    /// Takes what the socket gave. Call [`Framer::next_frame`] until `None` before the next push.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether no part of a message is waiting for its rest.
    pub fn is_idle(&self) -> bool {
        self.buffer.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    pub fn next_frame(&mut self) -> Option<Frame> {
        if self.broken {
            return None;
        }
        let length = match self.length {
            Some(length) => length,
            None => {
                if let Some(frame) = self.skip_blank() {
                    return Some(frame);
                }
                match self.read_length()? {
                    Ok(length) => length,
                    Err(Broken { end }) => return Some(self.give_up(end)),
                }
            }
        };
        self.length = Some(length);
        if self.buffer.len() < length {
            return None;
        }
        self.length = None;
        self.scanned = 0;
        Some(Frame::Message(self.buffer.split_to(length).freeze()))
    }

    /// Drops blank lines between messages; two of them are a ping. One at the very end waits for what follows it.
    fn skip_blank(&mut self) -> Option<Frame> {
        loop {
            if self.buffer.starts_with(b"\r\n\r\n") {
                self.buffer.advance(4);
                return Some(Frame::KeepAlive);
            }
            let follows = self.buffer.get(2).copied();
            let lone = self.buffer.starts_with(b"\r\n") && follows.is_some_and(|byte| byte != b'\r');
            let odd = self.buffer.starts_with(b"\r\n\r") && self.buffer.get(3).is_some_and(|byte| *byte != b'\n');
            if !lone && !odd {
                return None;
            }
            self.buffer.advance(2);
        }
    }

    /// The length of the message that the buffer begins with. `None` while its head is not whole.
    fn read_length(&mut self) -> Option<Result<usize, Broken>> {
        if self.buffer.is_empty() || b"\r\n\r\n".starts_with(&self.buffer) {
            return None;
        }
        // A first line that is not SIP is refused at once: the stream may never bring the end of such a head.
        if self.scanned == 0
            && let Some(end) = memchr(b'\n', &self.buffer)
        {
            let line = self.buffer.get(..end).unwrap_or_default();
            if !line.windows(4).any(|word| word.eq_ignore_ascii_case(b"SIP/")) {
                return Some(Err(Broken { end: self.buffer.len() }));
            }
        }
        // The empty line may straddle two pushes by three octets.
        let from = self.scanned.saturating_sub(3);
        let Some(at) = memmem::find(self.buffer.get(from..).unwrap_or_default(), b"\r\n\r\n") else {
            if self.buffer.len() > MAX_HEAD {
                return Some(Err(Broken { end: self.buffer.len() }));
            }
            if memchr(b'\n', &self.buffer).is_some() {
                self.scanned = self.buffer.len();
            }
            return None;
        };
        let head = from + at + 4;
        let length = self.buffer.get(..head).and_then(parse::content_length);
        Some(match length {
            Some(body) if body <= MAX_BODY && head <= MAX_HEAD => Ok(head + body),
            Some(_) | None => Err(Broken { end: head }),
        })
    }

    fn give_up(&mut self, end: usize) -> Frame {
        self.broken = true;
        let mut rest = std::mem::take(&mut self.buffer);
        Frame::Malformed(rest.split_to(end.min(rest.len())).freeze())
    }
}

/// Framing is lost; `end` octets show why.
struct Broken {
    end: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Fault, Message};

    fn message(number: usize, body: &str) -> String {
        format!(
            "MESSAGE sip:4710@pbx SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK{number}\r\nFrom: <sip:x@y>;tag=1\r\n\
            To: <sip:z@w>\r\nCall-ID: {number}\r\nCSeq: 1 MESSAGE\r\nl :\r\n {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn drain(framer: &mut Framer) -> Vec<Frame> {
        std::iter::from_fn(|| framer.next_frame()).collect()
    }

    fn whole(text: &str) -> Frame {
        Frame::Message(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn octet_by_octet_every_message_comes_once() {
        let (first, second) = (message(1, "hello\r\n\r\nworld"), message(2, ""));
        let mut framer = Framer::new();
        let mut frames = Vec::new();
        for byte in format!("{first}{second}").bytes() {
            framer.push(&[byte]);
            frames.extend(drain(&mut framer));
        }
        assert_eq!(frames, [whole(&first), whole(&second)]);
        assert!(framer.is_idle());
    }

    #[test]
    fn fifty_messages_in_one_write_come_one_by_one() {
        let all: Vec<String> = (0..50).map(|number| message(number, "x")).collect();
        let mut framer = Framer::new();
        framer.push(all.concat().as_bytes());
        assert_eq!(drain(&mut framer), all.iter().map(|text| whole(text)).collect::<Vec<_>>());
    }

    #[test]
    fn double_crlf_is_a_ping_and_a_single_one_is_nothing() {
        let text = message(1, "");
        let mut framer = Framer::new();
        framer.push(format!("\r\n{text}\r\n\r\n{text}").as_bytes());
        assert_eq!(drain(&mut framer), [whole(&text), Frame::KeepAlive, whole(&text)]);
        for byte in *b"\r\n\r\n\r\n" {
            assert!(framer.is_idle());
            framer.push(&[byte]);
        }
        assert_eq!(drain(&mut framer), [Frame::KeepAlive]);
        assert!(framer.is_idle());
    }

    fn refused(text: &[u8]) -> (Fault, bool) {
        let mut framer = Framer::new();
        framer.push(text);
        let frames = drain(&mut framer);
        let [Frame::Malformed(bytes)] = frames.as_slice() else { panic!("{frames:?}") };
        framer.push(message(1, "").as_bytes());
        assert_eq!(framer.next_frame(), None, "nothing follows");
        let error = Message::parse(bytes).expect_err("what is malformed does not parse");
        (error.fault, error.reply.is_some())
    }

    #[test]
    fn a_lost_frame_is_answered_where_possible_and_ends_the_stream() {
        let with = |length: &str| message(1, "").replace("l :\r\n 0", length).into_bytes();
        assert_eq!(refused(&with("Content-Length: -999")), (Fault::Malformed("Content-Length"), true));
        assert_eq!(refused(&with("Content-Length: 13\r\nl: 5")), (Fault::Repeated("Content-Length"), true));
        assert_eq!(refused(&with("Content-Length: 5000000")), (Fault::BodyTooLarge, true));
        assert_eq!(refused(&with("l: 0\r\nNo colon")), (Fault::NoColon, true));
        assert_eq!(refused(b"GET / HTTP/1.1\r\nHost: a\r\n"), (Fault::StartLine, false));
    }

    #[test]
    fn a_head_without_end_is_bounded() {
        let mut endless = b"INVITE sip:a@b SIP/2.0\r\n".to_vec();
        endless.resize(MAX_HEAD + 1, b'x');
        assert_eq!(refused(&endless), (Fault::HeadTooLarge, false));
        assert_eq!(refused(&vec![b'x'; MAX_HEAD + 1]), (Fault::HeadTooLarge, false));
    }

    #[test]
    fn a_half_sent_message_waits() {
        let text = message(1, "hello");
        let mut framer = Framer::new();
        framer.push(&text.as_bytes()[..text.len() - 1]);
        assert_eq!(framer.next_frame(), None);
        assert!(!framer.is_idle());
        framer.push(b"o");
        assert_eq!(framer.next_frame(), Some(whole(&text)));
    }

    #[test]
    fn without_a_content_length_the_body_is_empty() {
        let text = message(1, "").replace("l :\r\n 0\r\n", "");
        let mut framer = Framer::new();
        framer.push(text.as_bytes());
        framer.push(b"v=0\r\n");
        let rest = Frame::Malformed(Bytes::from_static(b"v=0\r\n"));
        assert_eq!(drain(&mut framer), [whole(&text), rest]);
    }
}
