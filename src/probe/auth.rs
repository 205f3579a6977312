//! Digest answers (RFC 7616, RFC 8760): MD5 and SHA-256.
//!
//! Written here because `rsip` spells the algorithm "SHA256", refuses `qop="auth,auth-int"` and hashes its own print of
//! the URI.

use md5::{Digest as _, Md5};
use sha2::Sha256;

/// Who a probe says it is.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn hash(self, text: &str) -> String {
        let bytes: Vec<u8> = match self {
            Algorithm::Md5 => Md5::digest(text.as_bytes()).to_vec(),
            Algorithm::Sha256 => Sha256::digest(text.as_bytes()).to_vec(),
        };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The value of an Authorization header for the topmost challenge that can be answered (RFC 8760 section 2.4).
pub fn answer(challenges: &[String], who: &Credentials, method: &str, uri: &str, cnonce: &str) -> Option<String> {
    challenges.iter().find_map(|challenge| answer_one(challenge, who, method, uri, cnonce))
}

fn answer_one(challenge: &str, who: &Credentials, method: &str, uri: &str, cnonce: &str) -> Option<String> {
    let fields = fields(challenge.trim().strip_prefix("Digest")?);
    let get = |name: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let (algorithm, spelled) = match get("algorithm").map(|name| name.to_ascii_uppercase()).as_deref() {
        None => (Algorithm::Md5, None),
        Some("MD5") => (Algorithm::Md5, Some("MD5")),
        Some("SHA-256") => (Algorithm::Sha256, Some("SHA-256")),
        Some(_) => return None,
    };
    let (realm, nonce) = (get("realm")?, get("nonce")?);
    let qop = get("qop").is_some_and(|list| list.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")));
    let ha1 = algorithm.hash(&format!("{}:{realm}:{}", who.user, who.password));
    let ha2 = algorithm.hash(&format!("{method}:{uri}"));
    let response = match qop {
        true => algorithm.hash(&format!("{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}")),
        false => algorithm.hash(&format!("{ha1}:{nonce}:{ha2}")),
    };
    let mut out = format!(
        "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\"",
        who.user
    );
    if let Some(name) = spelled {
        out += &format!(", algorithm={name}");
    }
    if qop {
        out += &format!(", qop=auth, nc=00000001, cnonce=\"{cnonce}\"");
    }
    if let Some(opaque) = get("opaque") {
        out += &format!(", opaque=\"{opaque}\"");
    }
    Some(out)
}

/// `a=b, c="d, e"` taken apart; commas within quotes stay.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(String::new()),
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push(c);
                }
            }
        }
    }
    parts
        .iter()
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1 with both algorithms, as far as its numbers apply to one nc and cnonce.
    #[test]
    fn the_example_of_rfc_7616_comes_out() {
        let who = Credentials { user: "Mufasa".into(), password: "Circle of Life".into() };
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let challenge = |algorithm: &str| {
            vec![format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, nonce=\"{nonce}\""
            )]
        };
        let sha = answer(&challenge("SHA-256"), &who, "GET", "/dir/index.html", cnonce).unwrap();
        assert!(sha.contains("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"), "{sha}");
        let md5 = answer(&challenge("MD5"), &who, "GET", "/dir/index.html", cnonce).unwrap();
        assert!(md5.contains("8ca523f5e9506fed4657c9700eebdbec"), "{md5}");
    }

    #[test]
    fn an_algorithm_that_is_not_known_is_passed_over() {
        let who = Credentials { user: "a".into(), password: "b".into() };
        let list = ["Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256", "Digest realm=\"r\", nonce=\"n\""];
        let list: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
        assert!(answer(&list, &who, "REGISTER", "sip:r", "c").unwrap().contains("nonce=\"n\""));
        assert!(answer(&list[..1], &who, "REGISTER", "sip:r", "c").is_none());
    }
}
