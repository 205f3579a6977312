//! The fuzz targets of SIP. Each feeds mutations of its corpus and holds: no panic, and what is taken is stable when printed.

use bytes::Bytes;
use wardline::sip::digest::{Authorization, Challenge};
use wardline::sip::limits::{MAX_BODY, MAX_HEAD};
use wardline::sip::stream::{Frame, Framer};
use wardline::sip::{Message, NameAddr, Uri, Via};

use super::mutate::{Rng, Target};

const ROUNDS: u64 = 20_000;

const SIP_WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\r\n ",
    "\n",
    "\0",
    "Via: ",
    "v:",
    "SIP/2.0",
    "SIP/2.0/UDP ",
    ";branch=z9hG4bK",
    "Content-Length: ",
    "l: 0\r\n",
    "-1",
    "4294967296",
    "99999999999999999999",
    "CSeq: 1 INVITE\r\n",
    "Contact: *\r\n",
    "<sip:a@b>",
    "sip:",
    "tel:",
    "sips:a:b@",
    "[::1]",
    "[2001:db8:::192.0.2.1]",
    "%00",
    "%",
    "\"",
    "\\\"",
    ";;",
    ",,",
    "?Route=%3C",
    ";lr",
    ";tag=x",
    "To: ",
    "Max-Forwards: 0\r\n",
    "Digest ",
    "realm=\"",
    "nc=00000001",
    "qop=auth",
    "algorithm=SHA-256",
    "\u{85}",
    "ü",
    ":",
    "@",
    " ",
    "\t",
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Printing gives bytes that parse, and print the same again.
fn message(input: &[u8], _: &mut Rng) -> Result<(), String> {
    let message = match Message::parse(&Bytes::copy_from_slice(input)) {
        Ok(message) => message,
        Err(error) => {
            if let Some(reply) = error.reply {
                reply.to_bytes();
            }
            return Ok(());
        }
    };
    let printed = message.to_bytes();
    let again =
        Message::parse(&printed).map_err(|error| format!("printed does not parse: {error}\n{}", text(&printed)))?;
    if again.to_bytes() != printed {
        return Err(format!("prints otherwise:\n{}\n{}", text(&printed), text(&again.to_bytes())));
    }
    match (&message, &again) {
        (Message::Request(a), Message::Request(b)) if (&a.method, &a.uri, &a.body) == (&b.method, &b.uri, &b.body) => {}
        (Message::Response(a), Message::Response(b))
            if (a.status, &a.reason, &a.body) == (b.status, &b.reason, &b.body) => {}
        _ => return Err(format!("reads otherwise:\n{message:?}\n{again:?}")),
    }
    typed(&message)
}

/// Typed values that can be read print to what reads the same.
fn typed(message: &Message) -> Result<(), String> {
    let headers = message.headers();
    let (from, to) = (headers.from(), headers.to());
    let routes = headers.routes().into_iter().chain(headers.record_routes()).flatten();
    let asserted = headers.addresses("P-Asserted-Identity").into_iter().flatten();
    for address in from.into_iter().chain(to).chain(routes).chain(asserted) {
        let printed = address.to_string();
        let again = NameAddr::parse(&printed).map_err(|fault| format!("{printed}: {fault}"))?;
        // Controls in a display name are printed as blanks.
        if (again.to_string(), &again.uri, &again.params) != (printed.clone(), &address.uri, &address.params) {
            return Err(format!("address reads otherwise: {printed}"));
        }
        if !address.uri.equivalent(&address.uri) {
            return Err(format!("differs from itself: {}", address.uri));
        }
    }
    for via in headers.vias().into_iter().flatten() {
        if Via::parse(&via.to_string()).as_ref() != Ok(&via) {
            return Err(format!("Via reads otherwise: {via}"));
        }
    }
    // Read for their panics alone.
    let _ = (headers.cseq(), headers.rack(), headers.contacts(), headers.expires(), headers.max_forwards());
    let _ =
        (headers.content_type(), headers.with_params("Session-Expires").map(|read| read.is_ok()), headers.contact());
    Ok(())
}

/// However a stream is cut, the same frames come out; what comes out whole is bounded.
fn stream(input: &[u8], rng: &mut Rng) -> Result<(), String> {
    let mut whole = Framer::new();
    whole.push(input);
    let expected: Vec<Frame> = std::iter::from_fn(|| whole.next_frame()).collect();
    let mut framer = Framer::new();
    let (mut frames, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(1 + rng.below(rest.len().min(200)));
        framer.push(chunk);
        frames.extend(std::iter::from_fn(|| framer.next_frame()));
        rest = tail;
    }
    // How much of a lost frame is shown depends on the cut; that it is lost does not.
    let kinds = |frames: &[Frame]| {
        let kind = |frame: &Frame| match frame {
            Frame::Malformed(_) => Frame::Malformed(Bytes::new()),
            Frame::Message(_) | Frame::KeepAlive => frame.clone(),
        };
        frames.iter().map(kind).collect::<Vec<_>>()
    };
    if kinds(&frames) != kinds(&expected) {
        return Err(format!("cut otherwise: {expected:?}\n{frames:?}"));
    }
    for frame in &expected {
        match frame {
            Frame::Message(bytes) if bytes.len() > MAX_HEAD + MAX_BODY => return Err("too long".to_owned()),
            Frame::Malformed(bytes) if Message::parse(bytes).is_ok() => {
                return Err(format!("malformed parses: {}", text(bytes)));
            }
            Frame::Message(_) | Frame::Malformed(_) | Frame::KeepAlive => {}
        }
    }
    Ok(())
}

/// Each line's value as URI, address and credentials.
fn values(input: &[u8], _: &mut Rng) -> Result<(), String> {
    for line in text(input).lines() {
        let value = line.split_once(": ").map_or(line, |(_, value)| value);
        if let Ok(uri) = Uri::parse(value)
            && Uri::parse(&uri.to_string()).as_ref() != Ok(&uri)
        {
            return Err(format!("URI reads otherwise: {uri}"));
        }
        if let Ok(credentials) = Authorization::parse(value) {
            let printed = credentials.to_string();
            let again = Authorization::parse(&printed).map_err(|error| format!("{printed}: {error}"))?;
            if again.to_string() != printed {
                return Err(format!("credentials read otherwise: {printed}"));
            }
        }
        if let Ok(challenge) = Challenge::parse(value) {
            let printed = challenge.to_string();
            let again = Challenge::parse(&printed).map_err(|error| format!("{printed}: {error}"))?;
            if again.to_string() != printed {
                return Err(format!("challenge reads otherwise: {printed}"));
            }
        }
    }
    Ok(())
}

#[test]
fn mutated_messages_never_panic_and_print_stably() {
    Target { name: "sip", samples: &[], dictionary: SIP_WORDS, feed: message }.run(ROUNDS);
}

#[test]
fn mutated_streams_are_cut_alike_however_they_arrive() {
    Target { name: "sip", samples: &[], dictionary: SIP_WORDS, feed: stream }.run(ROUNDS);
}

#[test]
fn mutated_values_print_stably() {
    Target { name: "sip", samples: &[], dictionary: SIP_WORDS, feed: values }.run(ROUNDS);
}
