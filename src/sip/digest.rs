//! Digest access authentication (RFC 7616, RFC 8760, RFC 3261 §22): challenges and credentials as values, and the
//! arithmetic between them. MD5 and SHA-256 with qop "auth" or none (RFC 2069's phones); `-sess` and "auth-int" are not
//! offered. Nonces are the registrar's business.

use std::borrow::Cow;
use std::fmt;

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::grammar;
use super::method::Method;

/// Parameters of one header. A real one has a dozen.
const MAX_PARAMS: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    fn parse(text: &str) -> Result<Algorithm, DigestError> {
        [Algorithm::Md5, Algorithm::Sha256]
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text))
            .ok_or(DigestError::Algorithm)
    }

    /// The hash of the parts joined by colons, in lower-case hexadecimal.
    fn hash(self, parts: &[&str]) -> String {
        #[cfg(test)]
        work::hashed(self, parts);
        match self {
            Algorithm::Md5 => hash::<Md5>(parts),
            Algorithm::Sha256 => hash::<Sha256>(parts),
        }
    }
}

fn hash<D: sha2::Digest>(parts: &[&str]) -> String {
    use fmt::Write;
    let mut hasher = D::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_bytes());
    }
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// For tests of who is told apart by the work that an answer takes.
#[cfg(test)]
pub mod work {
    use std::cell::RefCell;

    use super::Algorithm;

    thread_local! { static DONE: RefCell<Vec<(Algorithm, usize)>> = const { RefCell::new(Vec::new()) } }

    pub(super) fn hashed(algorithm: Algorithm, parts: &[&str]) {
        let bytes = parts.iter().map(|part| part.len()).sum();
        DONE.with_borrow_mut(|done| done.push((algorithm, bytes)));
    }

    /// What was hashed on this thread since it was last asked: by which algorithm, and how many bytes.
    pub fn taken() -> Vec<(Algorithm, usize)> {
        DONE.take()
    }
}

/// HA1 of RFC 7616 §3.4.2: what stands for the password, bound to user and realm.
pub fn ha1(algorithm: Algorithm, username: &str, realm: &str, password: &str) -> String {
    algorithm.hash(&[username, realm, password])
}

/// Compares two texts in a time that depends on their lengths only.
pub fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DigestError {
    #[error("another authentication scheme than Digest")]
    Scheme,
    #[error("malformed authentication header")]
    Malformed,
    #[error("authentication header without {0}")]
    Missing(&'static str),
    #[error("digest algorithm not supported")]
    Algorithm,
    #[error("digest quality of protection not supported")]
    Qop,
}

/// WWW-Authenticate or Proxy-Authenticate (RFC 7616 §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    /// The credentials were right, only their nonce is too old.
    pub stale: bool,
    pub algorithm: Algorithm,
    /// Whether qop "auth" is offered. `false` only from servers of RFC 2069's time.
    pub qop_auth: bool,
}

impl Challenge {
    /// A challenge of ours: qop "auth".
    pub fn new(algorithm: Algorithm, realm: &str, nonce: &str) -> Challenge {
        let (realm, nonce) = (realm.to_owned(), nonce.to_owned());
        Challenge { realm, nonce, opaque: None, stale: false, algorithm, qop_auth: true }
    }

    /// Reads one header line's value.
    pub fn parse(value: &str) -> Result<Challenge, DigestError> {
        let params = params(value)?;
        let qop = find(&params, "qop");
        let qop_auth = qop.is_some_and(|qop| grammar::list(qop).any(|qop| qop.eq_ignore_ascii_case("auth")));
        if qop.is_some() && !qop_auth {
            return Err(DigestError::Qop);
        }
        Ok(Challenge {
            realm: need(&params, "realm")?.to_owned(),
            nonce: need(&params, "nonce")?.to_owned(),
            opaque: find(&params, "opaque").map(str::to_owned),
            stale: find(&params, "stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            algorithm: find(&params, "algorithm").map_or(Ok(Algorithm::Md5), Algorithm::parse)?,
            qop_auth,
        })
    }

    /// The credentials that answer this challenge. `count` is how often this nonce has been used, this time included.
    pub fn answer(
        &self,
        username: &str,
        password: &str,
        request: RequestLine<'_>,
        cnonce: &str,
        count: u32,
    ) -> Authorization {
        let ha1 = ha1(self.algorithm, username, &self.realm, password);
        let mut credentials = Authorization {
            username: username.to_owned(),
            realm: self.realm.clone(),
            nonce: self.nonce.clone(),
            uri: request.uri.to_owned(),
            response: String::new(),
            algorithm: self.algorithm,
            opaque: self.opaque.clone(),
            qop: self.qop_auth.then(|| QopAuth { cnonce: cnonce.to_owned(), nc: format!("{count:08x}") }),
        };
        credentials.response = credentials.expected(&ha1, request.method);
        credentials
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // algorithm, stale and qop in the quoting of RFC 7616 §3.3.
        write!(f, "Digest realm={}, nonce={}", grammar::quote(&self.realm), grammar::quote(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", grammar::quote(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        write!(f, ", algorithm={}", self.algorithm.as_str())?;
        if self.qop_auth { f.write_str(", qop=\"auth\"") } else { Ok(()) }
    }
}

/// What answers the challenges of one peer.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    /// The only realm that is answered; `None`: whichever the peer names.
    pub realm: Option<String>,
    pub password: String,
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Credentials { username, realm, password: _ } = self;
        f.debug_struct("Credentials").field("username", username).field("realm", realm).finish_non_exhaustive()
    }
}

/// What of a request is hashed: its method and the Request-URI as printed.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    pub method: &'a Method,
    pub uri: &'a str,
}

/// What qop "auth" adds to credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct QopAuth {
    pub cnonce: String,
    /// As on the wire: it is hashed so. [`Authorization::count`] reads it.
    nc: String,
}

/// Authorization or Proxy-Authorization (RFC 7616 §3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    pub username: String,
    pub realm: String,
    pub nonce: String,
    /// The Request-URI as the sender hashed it; to be compared with the request's own (§3.4.6).
    pub uri: String,
    /// Hexadecimal, as on the wire.
    pub response: String,
    pub algorithm: Algorithm,
    pub opaque: Option<String>,
    /// `None` from clients of RFC 2069's time.
    pub qop: Option<QopAuth>,
}

impl Authorization {
    /// Reads one header line's value.
    pub fn parse(value: &str) -> Result<Authorization, DigestError> {
        let params = params(value)?;
        let owned = |name| need(&params, name).map(str::to_owned);
        let qop = match find(&params, "qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                Some(QopAuth { cnonce: owned("cnonce")?, nc: nc(&params)? })
            }
            Some(_) => return Err(DigestError::Qop),
        };
        Ok(Authorization {
            username: owned("username")?,
            realm: owned("realm")?,
            nonce: owned("nonce")?,
            uri: owned("uri")?,
            response: owned("response")?,
            algorithm: find(&params, "algorithm").map_or(Ok(Algorithm::Md5), Algorithm::parse)?,
            opaque: find(&params, "opaque").map(str::to_owned),
            qop,
        })
    }

    /// The nonce count; `None` without qop.
    pub fn count(&self) -> Option<u32> {
        self.qop.as_ref().and_then(|qop| u32::from_str_radix(&qop.nc, 16).ok())
    }

    /// Whether the response is the one of somebody who knows the password behind `ha1`, in constant time. Says nothing
    /// about nonce, count, realm or URI, which the caller compares.
    pub fn proves(&self, ha1: &str, method: &Method) -> bool {
        same(&self.expected(ha1, method), &self.response.to_ascii_lowercase())
    }

    /// KD of RFC 7616 §3.4.1; without qop that of RFC 2069.
    fn expected(&self, ha1: &str, method: &Method) -> String {
        let ha2 = self.algorithm.hash(&[method.as_str(), &self.uri]);
        match &self.qop {
            Some(qop) => self.algorithm.hash(&[ha1, &self.nonce, &qop.nc, &qop.cnonce, "auth", &ha2]),
            None => self.algorithm.hash(&[ha1, &self.nonce, &ha2]),
        }
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest ")?;
        let quoted = [
            ("username", &self.username),
            ("realm", &self.realm),
            ("nonce", &self.nonce),
            ("uri", &self.uri),
            ("response", &self.response),
        ];
        for (name, value) in quoted {
            write!(f, "{name}={}, ", grammar::quote(value))?;
        }
        write!(f, "algorithm={}", self.algorithm.as_str())?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", grammar::quote(opaque))?;
        }
        if let Some(qop) = &self.qop {
            write!(f, ", qop=auth, nc={}, cnonce={}", qop.nc, grammar::quote(&qop.cnonce))?;
        }
        Ok(())
    }
}

/// Without what a password could be guessed from.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("uri", &self.uri)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

type AuthParams<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// The auth-params of a Digest header, unquoted. None may stand twice (RFC 7616 §3.4).
fn params(value: &str) -> Result<AuthParams<'_>, DigestError> {
    let (scheme, mut rest) = grammar::take_token(grammar::trim(value));
    if !scheme.eq_ignore_ascii_case("Digest") {
        return Err(DigestError::Scheme);
    }
    let mut params: AuthParams<'_> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(params);
        }
        let (name, tail) = grammar::take_token(rest);
        let tail =
            grammar::trim_start(tail).strip_prefix('=').map(grammar::trim_start).ok_or(DigestError::Malformed)?;
        let (text, tail) = if tail.starts_with('"') {
            grammar::take_quoted(tail).map_err(|_| DigestError::Malformed)?
        } else {
            grammar::take_value(tail)
        };
        let tail = grammar::trim_start(tail);
        let ended = tail.is_empty() || tail.starts_with(',');
        if name.is_empty() || text.is_empty() || !ended || find(&params, name).is_some() || params.len() == MAX_PARAMS {
            return Err(DigestError::Malformed);
        }
        params.push((name, grammar::unquote(text)));
        rest = tail;
    }
}

fn find<'a>(params: &'a AuthParams<'_>, name: &str) -> Option<&'a str> {
    params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
}

fn need<'a>(params: &'a AuthParams<'_>, name: &'static str) -> Result<&'a str, DigestError> {
    find(params, name).ok_or(DigestError::Missing(name))
}

/// The nonce count: hexadecimal, eight digits by the RFC, fewer by some phones.
fn nc(params: &AuthParams<'_>) -> Result<String, DigestError> {
    let nc = need(params, "nc")?;
    let good = (1..=8).contains(&nc.len()) && nc.bytes().all(|byte| byte.is_ascii_hexdigit());
    if good { Ok(nc.to_owned()) } else { Err(DigestError::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";

    fn get() -> Method {
        Method::Other("GET".into())
    }

    // RFC 7616 §3.9.1.
    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        for (algorithm, response) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = Challenge::parse(&format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={}, nonce=\"{NONCE}\", opaque=\"FQhe\"",
                algorithm.as_str()
            ))
            .unwrap();
            let line = RequestLine { method: &get(), uri: "/dir/index.html" };
            let answer = challenge.answer("Mufasa", "Circle of Life", line, CNONCE, 1);
            assert_eq!(answer.response, response);
            let read = Authorization::parse(&answer.to_string()).unwrap();
            assert_eq!((read.clone(), read.count()), (answer, Some(1)));
            let secret = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
            assert!(read.proves(&secret, &get()));
            assert!(!read.proves(&secret, &Method::Register));
            assert!(!read.proves(&ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of life"), &get()));
        }
    }

    // RFC 2617 §3.5.
    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let credentials = Authorization::parse(
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
            uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", \
            response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        )
        .unwrap();
        let secret = ha1(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(secret, "939e7578ed9e3c518a452acee763bce9");
        assert!(credentials.proves(&secret, &get()));
    }

    #[test]
    fn without_qop_the_old_formula_counts() {
        // MD5("939e…bce9:dcd98b7102dd2f0e8b11d0f600bfb0c093:39aff3a2bab6126f332b942af96d3366").
        let credentials = Authorization::parse(
            "digest username=Mufasa,realm=\"testrealm@host.com\",nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\",\
            uri=\"/dir/index.html\",response=\"670FD8C2DF070C60B045671B8B24FF02\"",
        )
        .unwrap();
        assert_eq!(credentials.count(), None);
        assert!(credentials.proves("939e7578ed9e3c518a452acee763bce9", &get()));
    }

    #[test]
    fn quoted_values_survive_their_round_trip() {
        let mut challenge = Challenge::new(Algorithm::Sha256, "the \"ward\\s\"", "n\r\nVia: x");
        challenge.opaque = Some("o,p".to_owned());
        challenge.stale = true;
        let text = challenge.to_string();
        assert_eq!(
            text,
            "Digest realm=\"the \\\"ward\\\\s\\\"\", nonce=\"n  Via: x\", opaque=\"o,p\", stale=true, algorithm=SHA-256, qop=\"auth\""
        );
        challenge.nonce = "n  Via: x".to_owned();
        assert_eq!(Challenge::parse(&text), Ok(challenge));
    }

    #[test]
    fn what_we_do_not_speak_is_told_apart() {
        let basic = "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:r\", response=\"0\"";
        for (text, error) in [
            ("NoOneKnowsThisScheme opaque-data=here".to_owned(), DigestError::Scheme),
            (String::new(), DigestError::Scheme),
            ("Digest realm=\"r\"".to_owned(), DigestError::Missing("username")),
            (format!("{basic}, algorithm=MD5-sess"), DigestError::Algorithm),
            (format!("{basic}, qop=auth-int, nc=00000001, cnonce=\"c\""), DigestError::Qop),
            (format!("{basic}, qop=auth, cnonce=\"c\""), DigestError::Missing("nc")),
            (format!("{basic}, qop=auth, nc=+0000001, cnonce=\"c\""), DigestError::Malformed),
            (format!("{basic}, realm=\"other\""), DigestError::Malformed),
            (format!("{basic} x"), DigestError::Malformed),
            (format!("{basic}, opaque=\"x"), DigestError::Malformed),
        ] {
            assert_eq!(Authorization::parse(&text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn a_debug_print_tells_no_response() {
        let text = "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:r\", response=\"c0ffee\"";
        assert!(!format!("{:?}", Authorization::parse(text).unwrap()).contains("c0ffee"));
    }
}
