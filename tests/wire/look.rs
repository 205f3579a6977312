//! Reads one field of a parsed message by a short path, so that what a message must say can be written as a table.

use bytes::Bytes;
use wardline::sip::{Contacts, Message, NameAddr, Scheme, Uri};

/// What must come of a message.
pub enum Expect {
    /// Parses, and these fields read so. The whole switch gives this final answer, 0 for none.
    Taken(u16, &'static [(&'static str, &'static str)]),
    /// Does not parse; the ready reply has this status.
    Refused(u16),
    /// Does not parse, and there is nothing to answer.
    Discarded,
}

/// One message of our own: the section it is for, what it tries, start line, header lines, body.
pub struct Row {
    pub section: &'static str,
    pub about: &'static str,
    pub start: &'static str,
    pub lines: &'static str,
    pub body: &'static str,
    pub expect: Expect,
}

pub fn check(row: &Row) {
    let bytes = Bytes::from(super::build::message(row.start, row.lines, row.body));
    let name = format!("{} {}", row.section, row.about);
    match (&row.expect, Message::parse(&bytes)) {
        (Expect::Taken(_, fields), Ok(message)) => {
            for (path, expected) in *fields {
                assert_eq!(look(&message, path), *expected, "{name}: {path}");
            }
            let again = Message::parse(&message.to_bytes()).unwrap_or_else(|error| panic!("{name}: printed: {error}"));
            assert_eq!(again.to_bytes(), message.to_bytes(), "{name}: printed and read again");
        }
        (Expect::Refused(status), Err(error)) => {
            let reply = error.reply.unwrap_or_else(|| panic!("{name}: no reply to {}", error.fault));
            assert_eq!(reply.status.code(), *status, "{name}: {}", error.fault);
            assert!(Message::parse(&reply.to_bytes()).is_ok() || *status == 400, "{name}: the reply is well formed");
        }
        (Expect::Discarded, Err(error)) => assert!(error.reply.is_none(), "{name}: answered {:?}", error.reply),
        (Expect::Taken(..), Err(error)) => panic!("{name}: refused: {error}"),
        (Expect::Refused(_) | Expect::Discarded, Ok(message)) => panic!("{name}: taken: {message:?}"),
    }
}

/// `method`, `uri.user`, `from.tag`, `via.1.branch`, `contact.0.uri`, `header Subject`, `list Require`, `body` …;
/// "-" when there is none.
pub fn look(message: &Message, path: &str) -> String {
    let headers = message.headers();
    let none = || "-".to_owned();
    if let Some(name) = path.strip_prefix("header ") {
        return headers.get(name).unwrap_or("-").to_owned();
    }
    let parts: Vec<&str> = path.split(['.', ' ']).collect();
    match (parts.as_slice(), message) {
        (["method"], Message::Request(request)) => request.method.to_string(),
        (["uri"], Message::Request(request)) => request.uri.to_string(),
        (["uri", rest], Message::Request(request)) => uri(&request.uri, rest),
        (["status"], Message::Response(response)) => response.status.to_string(),
        (["reason"], Message::Response(response)) => response.reason.clone(),
        (["from", rest], _) => address(&headers.from().expect("From"), rest),
        (["to", rest], _) => address(&headers.to().expect("To"), rest),
        (["contacts"], _) => match headers.contacts() {
            Ok(Contacts::Star) => "*".to_owned(),
            Ok(Contacts::List(list)) => list.len().to_string(),
            Err(_) => "malformed".to_owned(),
        },
        (["contact", at, rest], _) => match headers.contacts() {
            Ok(Contacts::List(list)) => address(&list[at.parse::<usize>().expect("index")], rest),
            other => panic!("{path}: {other:?}"),
        },
        (["route", at, rest], _) => {
            address(&headers.routes().expect("Route")[at.parse::<usize>().expect("index")], rest)
        }
        (["vias"], _) => headers.vias().expect("Via").len().to_string(),
        (["via", at, rest], _) => {
            let via = headers.vias().expect("Via").remove(at.parse().expect("index"));
            match *rest {
                "transport" => via.transport,
                "host" => via.host.to_string(),
                "port" => via.port.map_or_else(none, |port| port.to_string()),
                "branch" => via.branch().unwrap_or("-").to_owned(),
                "identity" => via.rfc3261_branch().unwrap_or("-").to_owned(),
                "received" => via.received().map_or_else(none, |received| received.to_string()),
                other => panic!("no field {other}"),
            }
        }
        (["cseq"], _) => headers.cseq().expect("CSeq").to_string(),
        (["call-id"], _) => headers.call_id().to_owned(),
        (["max-forwards"], _) => {
            headers.max_forwards().expect("Max-Forwards").map_or_else(none, |hops| hops.to_string())
        }
        (["expires"], _) => headers.expires().map_or_else(none, |seconds| seconds.to_string()),
        (["type"], _) => headers.content_type().unwrap_or("-").to_owned(),
        (["list", name], _) => headers.list(name).collect::<Vec<_>>().join("|"),
        (["body"], Message::Request(request)) => String::from_utf8_lossy(&request.body).into_owned(),
        (["body"], Message::Response(response)) => String::from_utf8_lossy(&response.body).into_owned(),
        _ => panic!("no field {path}"),
    }
}

fn address(address: &NameAddr, field: &str) -> String {
    match field {
        "display" => address.display.clone().unwrap_or_else(|| "-".to_owned()),
        "tag" => address.tag().unwrap_or("-").to_owned(),
        "params" => address.params.to_string(),
        "uri" => address.uri.to_string(),
        other => uri(&address.uri, other),
    }
}

fn uri(uri: &Uri, field: &str) -> String {
    match field {
        "scheme" => match &uri.scheme {
            Scheme::Sip => "sip".to_owned(),
            Scheme::Sips => "sips".to_owned(),
            Scheme::Tel => "tel".to_owned(),
            Scheme::Other { name, .. } => format!("other:{name}"),
        },
        "user" => uri.user().map_or_else(|| "-".to_owned(), |user| user.into_owned()),
        "host" => uri.host.to_string(),
        "port" => uri.port.map_or_else(|| "-".to_owned(), |port| port.to_string()),
        "lr" => uri.is_loose().to_string(),
        "name" => uri.param("name").map_or_else(|| "-".to_owned(), |value| value.into_owned()),
        "ehr" => uri.param("ehr").map_or_else(|| "-".to_owned(), |value| value.into_owned()),
        "uriparams" => uri.params.to_string(),
        "uriheaders" => format!("{:?}", uri.headers),
        other => panic!("no field {other}"),
    }
}
