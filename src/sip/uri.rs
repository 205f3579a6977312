//! URIs (RFC 3261 §19.1, RFC 3966 for `tel:`): read, print, compare. The wire's spelling is kept, so that a Contact is
//! sent back to its owner as he wrote it.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::grammar;
use super::host::{Host, HostRef};
use super::params::Params;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    Sip,
    Sips,
    /// RFC 3966. The number is [`Uri::user`], there is no host.
    Tel,
    /// Any other scheme: `rest` is what follows its colon, unread.
    Other {
        name: String,
        rest: String,
    },
}

/// A URI. Equality is of the spelling; [`Uri::equivalent`] is RFC 3261's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Uri {
    pub scheme: Scheme,
    /// As on the wire, escapes and all. [`Uri::user`] reads it.
    raw_user: Option<String>,
    raw_password: Option<String>,
    pub host: Host,
    pub port: Option<u16>,
    /// As on the wire. [`Uri::param`] reads them.
    pub params: Params,
    /// What follows `?`, as on the wire: never honoured in a Request-URI (§19.1.5).
    pub headers: Vec<(String, String)>,
}

impl Uri {
    /// `sip:user@host:port`; `user` is escaped as needed.
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Uri {
        Uri {
            scheme: Scheme::Sip,
            raw_user: user.filter(|user| !user.is_empty()).map(escape_user),
            raw_password: None,
            host,
            port,
            params: Params::new(),
            headers: Vec::new(),
        }
    }

    /// `sip:user@address:port`.
    pub fn at(user: Option<&str>, address: SocketAddr) -> Uri {
        Uri::sip(user, address.ip().into(), Some(address.port()))
    }

    pub fn parse(text: &str) -> Result<Uri, Fault> {
        UriRef::parse(text)?.to_uri()
    }

    /// The same with one parameter more (or another value of it).
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Uri {
        self.params.set(name, value);
        self
    }

    /// Whether this is `sip:` or `sips:`.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user part (of `tel:` the number), unescaped once.
    pub fn user(&self) -> Option<Cow<'_, str>> {
        self.raw_user.as_deref().map(grammar::unescape)
    }

    /// The user part as on the wire.
    pub fn raw_user(&self) -> Option<&str> {
        self.raw_user.as_deref()
    }

    pub fn password(&self) -> Option<Cow<'_, str>> {
        self.raw_password.as_deref().map(grammar::unescape)
    }

    /// A parameter's value, unescaped. Names compare without case and unescaped (`%6C%72` is `lr`).
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.find_param(name).flatten().map(grammar::unescape)
    }

    pub fn has_param(&self, name: &str) -> bool {
        self.find_param(name).is_some()
    }

    /// Whether a route with this URI is a loose router's (§19.1.1).
    pub fn is_loose(&self) -> bool {
        self.has_param("lr")
    }

    fn find_param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(key, _)| grammar::unescape(key).eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// RFC 3261 §19.1.4. Schemes that are not read are compared by spelling.
    pub fn equivalent(&self, other: &Uri) -> bool {
        if !self.is_sip() || !other.is_sip() {
            return self == other;
        }
        self.scheme == other.scheme
            && self.user() == other.user()
            && self.password() == other.password()
            && self.host.same_as(&other.host)
            && self.port == other.port
            && self.params_match(other)
            && other.params_match(self)
            && same_headers(&self.headers, &other.headers)
    }

    /// A parameter on both sides must agree; user, ttl, method, maddr and transport must not stand on one side alone.
    fn params_match(&self, other: &Uri) -> bool {
        self.params.iter().all(|(key, value)| {
            let key = grammar::unescape(key);
            match other.find_param(&key) {
                Some(theirs) => match (value, theirs) {
                    (Some(a), Some(b)) => grammar::unescape(a).eq_ignore_ascii_case(&grammar::unescape(b)),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                },
                None => !["user", "ttl", "method", "maddr", "transport"].iter().any(|k| key.eq_ignore_ascii_case(k)),
            }
        })
    }
}

fn same_headers(a: &[(String, String)], b: &[(String, String)]) -> bool {
    let normal = |list: &[(String, String)]| {
        let mut list: Vec<(String, String)> = list
            .iter()
            .map(|(k, v)| (grammar::unescape(k).to_ascii_lowercase(), grammar::unescape(v).into_owned()))
            .collect();
        list.sort();
        list
    };
    a.len() == b.len() && normal(a) == normal(b)
}

/// Escapes what may not stand in a user part; `;` and `?` too, although they may, since many readers stumble there.
fn escape_user(user: &str) -> String {
    use fmt::Write;
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if grammar::is_user_char(byte) && !b";?".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheme {
            Scheme::Sip => f.write_str("sip:")?,
            Scheme::Sips => f.write_str("sips:")?,
            Scheme::Tel => f.write_str("tel:")?,
            Scheme::Other { name, rest } => return write!(f, "{name}:{rest}"),
        }
        if let Some(user) = &self.raw_user {
            f.write_str(user)?;
            if let Some(password) = &self.raw_password {
                write!(f, ":{password}")?;
            }
            if self.scheme != Scheme::Tel {
                f.write_str("@")?;
            }
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        for (at, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{}{name}={value}", if at == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl FromStr for Uri {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Uri, Fault> {
        Uri::parse(text)
    }
}

impl From<Uri> for String {
    fn from(uri: Uri) -> String {
        uri.to_string()
    }
}

impl TryFrom<String> for Uri {
    type Error = Fault;

    fn try_from(text: String) -> Result<Uri, Fault> {
        Uri::parse(&text)
    }
}

/// A checked URI still in the message: costs no allocation.
pub(super) enum UriRef<'a> {
    Sip {
        secure: bool,
        user: Option<&'a str>,
        password: Option<&'a str>,
        host: HostRef<'a>,
        port: Option<u16>,
        params: &'a str,
        headers: Option<&'a str>,
    },
    Tel {
        number: &'a str,
        params: &'a str,
    },
    Other {
        name: &'a str,
        rest: &'a str,
    },
}

impl<'a> UriRef<'a> {
    pub(super) fn parse(text: &'a str) -> Result<UriRef<'a>, Fault> {
        let (scheme, rest) = text.split_once(':').ok_or(Fault::Uri)?;
        if scheme.eq_ignore_ascii_case("sip") {
            UriRef::sip(false, rest)
        } else if scheme.eq_ignore_ascii_case("sips") {
            UriRef::sip(true, rest)
        } else if scheme.eq_ignore_ascii_case("tel") {
            UriRef::tel(rest)
        } else {
            UriRef::other(scheme, rest)
        }
    }

    fn sip(secure: bool, text: &'a str) -> Result<UriRef<'a>, Fault> {
        let (userinfo, rest) = match text.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, text),
        };
        let (user, password) = match userinfo.map(|userinfo| userinfo.split_once(':').ok_or(userinfo)) {
            Some(Ok((user, password))) => (Some(user), Some(password)),
            Some(Err(user)) => (Some(user), None),
            None => (None, None),
        };
        if user.is_some_and(|user| !grammar::is_user(user)) || password.is_some_and(|p| !grammar::is_password(p)) {
            return Err(Fault::Uri);
        }
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let end = rest.find(';').unwrap_or(rest.len());
        let (host, params) = rest.split_at_checked(end).ok_or(Fault::Uri)?;
        let (host, port) = HostRef::with_port(host, false)?;
        for param in uri_params(params) {
            param?;
        }
        for header in headers.into_iter().flat_map(uri_headers) {
            header?;
        }
        Ok(UriRef::Sip { secure, user, password, host, port, params, headers })
    }

    fn tel(text: &'a str) -> Result<UriRef<'a>, Fault> {
        let end = text.find(';').unwrap_or(text.len());
        let (number, params) = text.split_at_checked(end).ok_or(Fault::Uri)?;
        if !grammar::is_user(number) {
            return Err(Fault::Uri);
        }
        for param in uri_params(params) {
            param?;
        }
        Ok(UriRef::Tel { number, params })
    }

    fn other(name: &'a str, rest: &'a str) -> Result<UriRef<'a>, Fault> {
        let mut letters = name.bytes();
        let named = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
            && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let opaque = !rest.is_empty() && rest.bytes().all(|b| b > b' ' && b != 0x7f && !b"<>\"\\".contains(&b));
        if named && opaque { Ok(UriRef::Other { name, rest }) } else { Err(Fault::Uri) }
    }

    pub(super) fn has_headers(&self) -> bool {
        matches!(self, UriRef::Sip { headers: Some(_), .. })
    }

    pub(super) fn to_uri(&self) -> Result<Uri, Fault> {
        let mut uri = Uri {
            scheme: Scheme::Sip,
            raw_user: None,
            raw_password: None,
            host: Host::Absent,
            port: None,
            params: Params::new(),
            headers: Vec::new(),
        };
        let params = match self {
            UriRef::Sip { secure, user, password, host, port, params, headers } => {
                uri.scheme = if *secure { Scheme::Sips } else { Scheme::Sip };
                uri.raw_user = user.map(str::to_owned);
                uri.raw_password = password.map(str::to_owned);
                uri.host = host.to_host();
                uri.port = *port;
                for header in headers.iter().copied().flat_map(uri_headers) {
                    let (name, value) = header?;
                    uri.headers.push((name.to_owned(), value.to_owned()));
                }
                params
            }
            UriRef::Tel { number, params } => {
                uri.scheme = Scheme::Tel;
                uri.raw_user = Some((*number).to_owned());
                params
            }
            UriRef::Other { name, rest } => {
                uri.scheme = Scheme::Other { name: (*name).to_owned(), rest: (*rest).to_owned() };
                ""
            }
        };
        for param in uri_params(params) {
            let (name, value) = param?;
            uri.params.push_raw(name, value);
        }
        Ok(uri)
    }
}

/// `;pname[=pvalue]`, no blanks (§25.1 uri-parameters).
fn uri_params(text: &str) -> impl Iterator<Item = Result<(&str, Option<&str>), Fault>> {
    // `text` is empty or begins with ';', so the first piece of the split is nothing.
    text.split(';').skip(1).map(|piece| match piece.split_once('=') {
        Some((name, value)) if grammar::is_uri_param(name) && grammar::is_uri_param(value) => Ok((name, Some(value))),
        None if grammar::is_uri_param(piece) => Ok((piece, None)),
        Some(_) | None => Err(Fault::Uri),
    })
}

/// `hname=hvalue` joined by `&` (§25.1 headers).
fn uri_headers(text: &str) -> impl Iterator<Item = Result<(&str, &str), Fault>> {
    text.split('&').map(|piece| match piece.split_once('=') {
        Some((name, value)) if !name.is_empty() && grammar::is_uri_header(name) && grammar::is_uri_header(value) => {
            Ok((name, value))
        }
        Some(_) | None => Err(Fault::Uri),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn every_part_is_read_and_printed_as_it_was() {
        let text = "sips:al%69ce:se%63ret@Example.com:5061;transport=tcp;lr?Subject=a%20b&Priority=urgent";
        let uri = uri(text);
        assert_eq!(uri.scheme, Scheme::Sips);
        assert_eq!(uri.user().as_deref(), Some("alice"));
        assert_eq!(uri.raw_user(), Some("al%69ce"));
        assert_eq!(uri.password().as_deref(), Some("secret"));
        assert_eq!(uri.host, Host::Name("Example.com".to_owned()));
        assert_eq!(uri.port, Some(5061));
        assert_eq!(uri.param("TRANSPORT").as_deref(), Some("tcp"));
        assert!(uri.is_loose());
        assert_eq!(
            uri.headers,
            [("Subject".to_owned(), "a%20b".to_owned()), ("Priority".to_owned(), "urgent".to_owned())]
        );
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn user_parts_may_hold_semicolons_colons_escaped_and_slashes() {
        assert_eq!(uri("sip:user;par=u%40example.net@example.com").user().as_deref(), Some("user;par=u@example.net"));
        assert_eq!(uri("sip:sips%3Auser%40example.com@example.net").user().as_deref(), Some("sips:user@example.com"));
        assert_eq!(uri("sip:*72#@pbx").user().as_deref(), Some("*72#"));
    }

    #[test]
    fn other_schemes_are_kept_whole() {
        let tel = uri("tel:+1-555-0100;phone-context=example.com");
        assert_eq!((tel.user().as_deref(), tel.host.clone()), (Some("+1-555-0100"), Host::Absent));
        assert_eq!(tel.to_string(), "tel:+1-555-0100;phone-context=example.com");
        assert_eq!(
            uri("soap.beep://192.0.2.103:3002").scheme,
            Scheme::Other { name: "soap.beep".to_owned(), rest: "//192.0.2.103:3002".to_owned() }
        );
    }

    #[test]
    fn malformed_uris_are_refused() {
        for bad in [
            "",
            "sip:",
            "sip",
            "example.com",
            "sip:a@",
            "sip:@h",
            "sip:a@b@c",
            "sip:a b@h",
            "sip:h;;lr",
            "sip:h;",
            "sip:h; lr",
            "sip:h:70000",
            "sip:2001:db8::10",
            "sip:%zz@h",
            "sip:h;a=",
            "sip:h?",
            "sip:h?a",
            "tel:",
            ":x",
            "1a:x",
            "x:a b",
            "sip:a\0@h",
            "sip:h\r\nX: y",
        ] {
            assert!(Uri::parse(bad).is_err(), "{bad:?}");
        }
    }

    // The table of RFC 3261 §19.1.4, in our own names.
    #[test]
    fn equivalence_follows_19_1_4() {
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            ("sip:h;a=1;b=2?to=x&from=y", "sip:h;b=2;a=1?from=y&to=x"),
            ("sip:x@[::1]", "sip:x@[0:0:0:0:0:0:0:1]"),
        ] {
            assert!(uri(a).equivalent(&uri(b)) && uri(b).equivalent(&uri(a)), "{a} = {b}");
        }
        for (a, b) in [
            ("sip:ALICE@h", "sip:alice@h"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:carol@chicago.com;x=1", "sip:carol@chicago.com;x=2"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next"),
            ("sip:bob@h", "sips:bob@h"),
            ("sip:%00@h", "sip:%00%00@h"),
        ] {
            assert!(!uri(a).equivalent(&uri(b)) && !uri(b).equivalent(&uri(a)), "{a} != {b}");
        }
    }

    #[test]
    fn a_built_user_is_escaped() {
        let built = Uri::sip(Some("a b;c@d\r\n"), Host::Name("h".to_owned()), Some(5060));
        assert_eq!(built.to_string(), "sip:a%20b%3Bc%40d%0D%0A@h:5060");
        assert_eq!(uri(&built.to_string()), built);
    }
}
