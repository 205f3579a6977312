//! `;name=value` parameters of header values, kept in order and as spelled on the wire.

use std::borrow::Cow;
use std::fmt;

use super::fault::Fault;
use super::grammar;

/// Parameters in the order of the wire. Names compare without case; values keep their quotes until asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    pub const fn new() -> Params {
        Params(Vec::new())
    }

    /// Reads `;a=1;b;c="x"`, blanks allowed around each sign.
    pub fn parse(text: &str) -> Result<Params, Fault> {
        let mut list = Vec::new();
        for param in pieces(text) {
            let (name, value) = param?;
            list.push((name.to_owned(), value.map(str::to_owned)));
        }
        Ok(Params(list))
    }

    pub(super) fn push_raw(&mut self, name: &str, value: Option<&str>) {
        self.0.push((name.to_owned(), value.map(str::to_owned)));
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// The value as on the wire, quotes included. `None` when absent or without a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_deref())
    }

    /// The value, unquoted.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(grammar::unquote)
    }

    /// Sets or adds a parameter. A value that is no token (or host) is quoted; controls become spaces.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(|value| {
            let (plain, rest) = grammar::take_value(value);
            if rest.is_empty() && !plain.is_empty() { value.to_owned() } else { grammar::quote(value) }
        });
        match self.0.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some(slot) => slot.1 = value,
            None => self.0.push((token(name), value)),
        }
    }

    /// Removes every parameter of that name; tells whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.0.len() != before
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

/// `text` as a token: what may not stand in one becomes `-`.
pub(super) fn token(text: &str) -> String {
    if grammar::is_token(text) {
        return text.to_owned();
    }
    let token: String = text
        .chars()
        .map(|c| if u8::try_from(c).is_ok_and(|b| c.is_ascii() && grammar::is_token_char(b)) { c } else { '-' })
        .collect();
    if token.is_empty() { "-".to_owned() } else { token }
}

/// One parameter's name and value, as on the wire.
pub(super) type Piece<'a> = (&'a str, Option<&'a str>);

/// Walks `;a=1;b` without allocating.
pub(super) fn pieces(text: &str) -> Pieces<'_> {
    Pieces { rest: grammar::trim(text) }
}

pub(super) struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = "";
        }
        Some(read)
    }
}

impl<'a> Pieces<'a> {
    /// `SEMI generic-param` (RFC 3261 §25.1).
    fn read(&mut self) -> Result<Piece<'a>, Fault> {
        let rest = self.rest.strip_prefix(';').ok_or(Fault::Param)?;
        let (name, rest) = grammar::take_token(grammar::trim_start(rest));
        if name.is_empty() {
            return Err(Fault::Param);
        }
        let rest = grammar::trim_start(rest);
        let Some(rest) = rest.strip_prefix('=') else {
            self.rest = rest;
            return Ok((name, None));
        };
        let rest = grammar::trim_start(rest);
        let (value, rest) = if rest.starts_with('"') { grammar::take_quoted(rest)? } else { grammar::take_value(rest) };
        if value.is_empty() {
            return Err(Fault::Param);
        }
        self.rest = grammar::trim_start(rest);
        Ok((name, Some(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_order_spelling_and_quotes() {
        let params = Params::parse(r#" ; newparam =  newvalue ; Second ; q = "a\"b""#).unwrap();
        assert_eq!(params.to_string(), r#";newparam=newvalue;Second;q="a\"b""#);
        assert_eq!(params.get("NEWPARAM"), Some("newvalue"));
        assert!(params.has("second") && params.get("second").is_none());
        assert_eq!(params.text("q").as_deref(), Some(r#"a"b"#));
    }

    #[test]
    fn separators_without_a_parameter_are_refused() {
        for bad in [";;", ";", ";a=", ";=1", "a=1", ";a=\"x", ";a b", ";a=1,"] {
            assert!(Params::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn setting_a_value_cannot_add_a_parameter_or_a_line() {
        let mut params = Params::new();
        params.set("reason", Some("a;tag=b\r\nVia: c"));
        params.set("x\r\ny", None);
        assert_eq!(params.to_string(), ";reason=\"a;tag=b  Via: c\";x--y");
        assert!(params.remove("REASON") && !params.remove("reason"));
    }
}
