//! What is printed reads the same again, and what is read prints the same again.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use wardline::sip::{Host, Message, Method, NameAddr, Params, Request, Uri, Via};

/// The same cases on every run; a failure prints its input.
fn config() -> Config {
    Config { rng_seed: RngSeed::Fixed(4710), failure_persistence: None, ..Config::with_cases(512) }
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}"
}

/// A header name that nothing here knows.
fn unknown_name() -> impl Strategy<Value = String> {
    "[Xx]-[A-Za-z0-9.!%*_+`'~-]{1,12}"
}

/// A value without line ends and outer blanks; anything else goes.
fn value() -> impl Strategy<Value = String> {
    "[^\\p{Cc}\\s]([^\\p{Cc}]{0,40}[^\\p{Cc}\\s])?"
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}\\.test".prop_map(Host::Name),
        any::<[u8; 4]>().prop_map(|octets| Host::V4(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Host::V6(octets.into())),
    ]
}

fn uri() -> impl Strategy<Value = Uri> {
    let params = prop::collection::vec(("[a-z]{1,6}", prop::option::of("[a-z0-9]{1,6}")), 0..4);
    (prop::option::of(".{1,12}"), host(), any::<Option<u16>>(), params).prop_map(|(user, host, port, params)| {
        let uri = Uri::sip(user.as_deref(), host, port);
        params.iter().fold(uri, |uri, (name, value)| uri.with_param(name, value.as_deref()))
    })
}

fn params() -> impl Strategy<Value = Params> {
    prop::collection::vec((token(), prop::option::of("[^\\p{Cc}]{0,12}")), 0..4).prop_map(|list| {
        let mut params = Params::new();
        for (name, value) in list {
            params.set(&name, value.as_deref());
        }
        params
    })
}

fn address() -> impl Strategy<Value = NameAddr> {
    (prop::option::of("[^\\p{Cc}]{1,20}"), uri(), params()).prop_map(|(display, uri, params)| NameAddr {
        display,
        uri,
        params,
    })
}

fn via() -> impl Strategy<Value = Via> {
    let head = (token(), host(), any::<Option<u16>>(), params());
    head.prop_map(|(transport, host, port, params)| Via { transport, host, port, params })
}

fn request() -> impl Strategy<Value = Request> {
    let method =
        prop_oneof![Just(Method::Invite), Just(Method::Register), token().prop_map(|t| Method::Other(t.into()))];
    let extra = prop::collection::vec((unknown_name(), value()), 0..6);
    let body = prop::collection::vec(any::<u8>(), 0..64);
    (method, uri(), via(), address(), address(), 0u32..1 << 31, extra, body).prop_map(
        |(method, uri, via, from, to, number, extra, body)| {
            let mut request = Request::new(method, uri);
            request.headers.push("Via", via);
            request.headers.push("From", from);
            request.headers.push("To", to);
            request.headers.push("Call-ID", "c@ward4");
            request.headers.push("CSeq", format!("{number} {}", request.method));
            for (name, value) in extra {
                request.headers.push(&name, value);
            }
            request.headers.push("Content-Length", body.len());
            request.body = body.into();
            request
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_printed_request_reads_the_same(request in request()) {
        let message = Message::Request(request);
        prop_assert_eq!(Message::parse(&message.to_bytes()).ok(), Some(message));
    }

    #[test]
    fn printed_values_read_the_same(address in address(), via in via()) {
        prop_assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
        prop_assert_eq!(Via::parse(&via.to_string()), Ok(via));
    }

    #[test]
    fn unknown_headers_print_octet_by_octet_as_they_came(lines in prop::collection::vec((unknown_name(), value()), 0..20)) {
        let extra: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!(
            "OPTIONS sip:desk@hotline.test SIP/2.0\r\nv: SIP/2.0/UDP ward4.test;branch=z9hG4bKr\r\nf: sip:4710@ward4.test;tag=w\r\n\
            T: \"x\"<sip:desk@hotline.test>\r\ni: c\r\n{extra}cSEQ: 007 OPTIONS\r\nL: 3\r\n\r\nabc"
        );
        let bytes = Bytes::from(text);
        prop_assert_eq!(Message::parse(&bytes).map(|message| message.to_bytes()).ok(), Some(bytes));
    }

    #[test]
    fn nothing_pushed_can_add_a_line(name in ".{0,20}", value in "(?s).{0,40}") {
        let mut request = Request::new(Method::Options, Uri::sip(None, Host::Name("h".to_owned()), None));
        request.headers.push(&name, &value);
        let printed = request.to_bytes();
        let lines = printed.windows(2).filter(|pair| pair == b"\r\n").count();
        // Start line, the header, Content-Length (which the name may itself be), the empty line.
        prop_assert!(lines <= 4, "{:?}", printed);
        prop_assert!(!printed.contains(&0));
    }
}
