//! `"Display" <uri>;params`: the value of From, To, Contact, Route and their like (RFC 3261 §20, §25.1).

use std::borrow::Cow;
use std::fmt;

use super::fault::Fault;
use super::grammar;
use super::params::{Params, pieces};
use super::uri::{Uri, UriRef};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// Unquoted. Never empty.
    pub display: Option<String>,
    pub uri: Uri,
    /// The header's parameters, not the URI's.
    pub params: Params,
}

impl NameAddr {
    pub fn new(uri: Uri) -> NameAddr {
        NameAddr { display: None, uri, params: Params::new() }
    }

    pub fn with_display(mut self, display: &str) -> NameAddr {
        self.display = (!display.is_empty()).then(|| display.to_owned());
        self
    }

    pub fn with_tag(mut self, tag: &str) -> NameAddr {
        self.params.set("tag", Some(tag));
        self
    }

    /// Reads one value. Without brackets the parameters are the header's (§20.10), and a `?` or `,` in the URI is
    /// refused. A display name outside quotes may hold anything but quotes, as peers write `Bell, Alexander <…>`.
    pub fn parse(text: &str) -> Result<NameAddr, Fault> {
        let parts = NameAddrRef::parse(text)?;
        let display = parts.display.map(grammar::unquote).filter(|display| !display.is_empty()).map(Cow::into_owned);
        Ok(NameAddr { display, uri: parts.uri.to_uri()?, params: Params::parse(parts.params)? })
    }

    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    /// A Contact's own expiry in seconds. `None` when absent; what is no number counts as 3600 (§10.3).
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").map(|value| grammar::digits(value).unwrap_or(3600))
    }

    /// A Contact's preference in thousandths (`q=0.33` is 330). Absent or malformed counts as 1000.
    pub fn q_millis(&self) -> u16 {
        let Some((whole, fraction)) = self.params.get("q").map(|q| q.split_once('.').unwrap_or((q, ""))) else {
            return 1000;
        };
        let thousandths = format!("{fraction:0<3}");
        match (whole, grammar::digits(thousandths.get(..3).unwrap_or_default())) {
            ("0", Some(value)) => u16::try_from(value).unwrap_or(1000),
            _ => 1000,
        }
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", grammar::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// A checked value still in the message.
pub(super) struct NameAddrRef<'a> {
    /// With its quotes.
    pub display: Option<&'a str>,
    pub uri: UriRef<'a>,
    pub params: &'a str,
}

impl<'a> NameAddrRef<'a> {
    pub(super) fn parse(text: &'a str) -> Result<NameAddrRef<'a>, Fault> {
        let text = grammar::trim(text);
        let parts = if text.starts_with('"') {
            let (display, rest) = grammar::take_quoted(text)?;
            NameAddrRef::bracketed(Some(display), grammar::trim_start(rest))?
        } else {
            match text.find(['<', '"']) {
                Some(at) if text.as_bytes().get(at) == Some(&b'<') => {
                    let (display, rest) = text.split_at_checked(at).ok_or(Fault::Address)?;
                    let display = grammar::trim(display);
                    NameAddrRef::bracketed((!display.is_empty()).then_some(display), rest)?
                }
                Some(_) | None => NameAddrRef::bare(text)?,
            }
        };
        for param in pieces(parts.params) {
            param?;
        }
        Ok(parts)
    }

    fn bracketed(display: Option<&'a str>, text: &'a str) -> Result<NameAddrRef<'a>, Fault> {
        let (uri, params) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or(Fault::Address)?;
        Ok(NameAddrRef { display, uri: UriRef::parse(uri)?, params })
    }

    fn bare(text: &'a str) -> Result<NameAddrRef<'a>, Fault> {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (uri, params) = text.split_at_checked(end).ok_or(Fault::Address)?;
        if uri.contains(['?', ',']) {
            return Err(Fault::Address);
        }
        Ok(NameAddrRef { display: None, uri: UriRef::parse(uri)?, params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> NameAddr {
        NameAddr::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn the_three_spellings_are_read() {
        let quoted = read(r#""J Rosenberg \\\""       <sip:jdrosen@example.com>  ;  tag = 98asjd8"#);
        assert_eq!(quoted.display.as_deref(), Some(r#"J Rosenberg \""#));
        assert_eq!(quoted.tag(), Some("98asjd8"));
        let glued = read("caller<sip:caller@example.com;lr>;tag=323");
        assert_eq!((glued.display.as_deref(), glued.uri.is_loose()), (Some("caller"), true));
        let bare = read("sip:caller@example.net;tag=1");
        assert_eq!((bare.tag(), bare.uri.params.len()), (Some("1"), 0));
        assert_eq!(read(r#"sip:a@b;x="<""#).params.text("x").as_deref(), Some("<"));
        assert_eq!(read(r#""" <sip:a@b>"#).display, None);
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        for bad in [
            "\"Mr. J. User <sip:j.user@example.com>",
            "< sip:t@example.org >",
            "sip:u@h?Route=%3Csip:x%3E",
            "sip:a@b,c",
            "",
            "<>",
            "<sip:a@b",
            "\"x\" sip:a@b",
            "<sip:a@b>x",
            "<sip:a@b>;;;;",
            "a \"b\" <sip:a@b>",
        ] {
            assert!(NameAddr::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn display_names_cannot_break_out() {
        let evil =
            NameAddr::new(Uri::parse("sip:4710@h").unwrap()).with_display("4 West\"\r\nP-Asserted-Identity: x\0");
        assert_eq!(evil.to_string(), "\"4 West\\\"  P-Asserted-Identity: x \" <sip:4710@h>");
    }

    #[test]
    fn contact_parameters_have_bounds() {
        assert_eq!(read("<sip:a@b>;expires=280297596632815").expires(), Some(u32::MAX));
        assert_eq!(read("<sip:a@b>;expires=-1").expires(), Some(3600));
        assert_eq!(read("<sip:a@b>;q=0.33").q_millis(), 330);
        assert_eq!(read("<sip:a@b>;q=0").q_millis(), 0);
        assert_eq!(read("<sip:a@b>;q=7").q_millis(), 1000);
        assert_eq!(read("<sip:a@b>").q_millis(), 1000);
    }
}
