//! The headers of one message: an ordered list that keeps what it does not know (name's spelling, order, value), and
//! the typed readings of what it does.
//!
//! A parsed list is one shared text and spans into it; a clone costs one reference count and the span table. Only what
//! is set afterwards has text of its own. No value ever holds a control other than a tab that we put there: [`push`] and
//! [`set`] turn each into a blank, so that no value can add a header (line F80).
//!
//! [`push`]: Headers::push
//! [`set`]: Headers::set

use std::fmt;
use std::sync::Arc;

use super::fault::Fault;
use super::grammar;
use super::method::Method;
use super::name_addr::NameAddr;
use super::names::Kind;
use super::params::{Params, token};
use super::via::Via;

#[derive(Clone, Default)]
pub struct Headers {
    /// The head as received, unfolded.
    source: Arc<str>,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    kind: Kind,
    name: Text,
    value: Text,
}

#[derive(Clone)]
enum Text {
    /// Octets of the source.
    Span {
        start: u32,
        end: u32,
    },
    Own(Box<str>),
}

impl Text {
    fn get<'a>(&'a self, source: &'a str) -> &'a str {
        match self {
            // Spans are cut by the parser at this very text's character edges.
            Text::Span { start, end } => source.get(*start as usize..*end as usize).unwrap_or_default(),
            Text::Own(text) => text,
        }
    }
}

/// CSeq (§20.16): below 2^31 (§8.1.1.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

/// RAck of a PRACK (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    pub rseq: u32,
    pub cseq: CSeq,
}

/// The Contact headers of a message (§20.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `Contact: *`, alone.
    Star,
    List(Vec<NameAddr>),
}

impl Headers {
    pub fn new() -> Headers {
        Headers::default()
    }

    /// The first value of that name. Case and compact forms count for nothing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).next().map(|entry| entry.value.get(&self.source))
    }

    /// Every value of that name, one per header line, in order.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.find(name).map(|entry| entry.value.get(&self.source)).collect::<Vec<_>>().into_iter()
    }

    pub fn has(&self, name: &str) -> bool {
        self.find(name).next().is_some()
    }

    /// The elements of a comma-separated header, over all its lines, trimmed, in order. Not for Authorization and
    /// its like, whose commas mean something else.
    pub fn list<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.all(name).flat_map(grammar::list)
    }

    /// Names as spelled and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|entry| (entry.name.get(&self.source), entry.value.get(&self.source)))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a header at the end. Controls in the value become blanks, other than token characters in the name `-`.
    pub fn push(&mut self, name: &str, value: impl fmt::Display) {
        self.entries.push(own(name, value));
    }

    /// Adds a header before all others (a Via of ours).
    pub fn push_front(&mut self, name: &str, value: impl fmt::Display) {
        self.entries.insert(0, own(name, value));
    }

    /// Gives the header that one value: in place of its first line, the others removed; at the end when it is new.
    pub fn set(&mut self, name: &str, value: impl fmt::Display) {
        let entry = own(name, value);
        match self.entries.iter().position(|old| old.is(name, entry.kind, &self.source)) {
            Some(at) => {
                self.remove(name);
                self.entries.insert(at, entry);
            }
            None => self.entries.push(entry),
        }
    }

    /// Removes every line of that name; returns how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let (kind, before) = (Kind::of(name), self.entries.len());
        let source = &self.source;
        self.entries.retain(|entry| !entry.is(name, kind, source));
        before - self.entries.len()
    }

    /// Adds the lines of that name from another message, as spelled there.
    pub fn copy(&mut self, name: &str, from: &Headers) {
        for entry in from.find(name) {
            let shared = Arc::ptr_eq(&self.source, &from.source);
            let text = |text: &Text| match text {
                Text::Span { .. } if shared => text.clone(),
                Text::Span { .. } | Text::Own(_) => Text::Own(text.get(&from.source).into()),
            };
            self.entries.push(Entry { kind: entry.kind, name: text(&entry.name), value: text(&entry.value) });
        }
    }

    /// An empty list that shares `other`'s text, so that copying from it is free.
    pub(super) fn sharing(other: &Headers) -> Headers {
        Headers { source: Arc::clone(&other.source), entries: Vec::with_capacity(16) }
    }

    fn find<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Entry> {
        let kind = Kind::of(name);
        self.entries.iter().filter(move |entry| entry.is(name, kind, &self.source))
    }

    /// The first topmost Via (§18.1.2): of several in one line the first.
    pub fn top_via(&self) -> Result<Via, Fault> {
        Via::parse(self.list("Via").next().ok_or(Fault::Missing("Via"))?)
    }

    /// All Via values, topmost first.
    pub fn vias(&self) -> Result<Vec<Via>, Fault> {
        self.list("Via").map(Via::parse).collect()
    }

    /// Replaces the topmost Via value and no other.
    pub fn set_top_via(&mut self, via: &Via) {
        let Some(at) = self.entries.iter().position(|entry| entry.kind == Kind::Via) else {
            return self.push_front("Via", via);
        };
        let value = self.entries.get(at).map(|entry| entry.value.get(&self.source)).unwrap_or_default();
        let mut line = via.to_string();
        for other in grammar::list(value).skip(1) {
            line.push_str(", ");
            line.push_str(other);
        }
        if let Some(entry) = self.entries.get_mut(at) {
            entry.value = Text::Own(clean(&line).into());
        }
    }

    pub fn from(&self) -> Result<NameAddr, Fault> {
        NameAddr::parse(self.get("From").ok_or(Fault::Missing("From"))?)
    }

    pub fn to(&self) -> Result<NameAddr, Fault> {
        NameAddr::parse(self.get("To").ok_or(Fault::Missing("To"))?)
    }

    /// Empty when there is none; a parsed message always has one.
    pub fn call_id(&self) -> &str {
        self.get("Call-ID").unwrap_or_default()
    }

    pub fn cseq(&self) -> Result<CSeq, Fault> {
        read_cseq(self.get("CSeq").ok_or(Fault::Missing("CSeq"))?)
    }

    /// 0 to 255 (§20.22).
    pub fn max_forwards(&self) -> Result<Option<u8>, Fault> {
        self.get("Max-Forwards").map(read_max_forwards).transpose()
    }

    pub fn contacts(&self) -> Result<Contacts, Fault> {
        let values: Vec<&str> = self.list("Contact").collect();
        if values == ["*"] {
            return Ok(Contacts::Star);
        }
        values.into_iter().map(NameAddr::parse).collect::<Result<_, _>>().map(Contacts::List)
    }

    /// The first Contact that is an address.
    pub fn contact(&self) -> Option<NameAddr> {
        self.list("Contact").find_map(|value| NameAddr::parse(value).ok())
    }

    pub fn routes(&self) -> Result<Vec<NameAddr>, Fault> {
        self.addresses("Route")
    }

    pub fn record_routes(&self) -> Result<Vec<NameAddr>, Fault> {
        self.addresses("Record-Route")
    }

    /// The comma-separated addresses of any header of that kind (P-Asserted-Identity, Diversion, History-Info …).
    pub fn addresses(&self, name: &str) -> Result<Vec<NameAddr>, Fault> {
        self.list(name).map(NameAddr::parse).collect()
    }

    /// Seconds, saturated to u32. A value that is no number counts as 3600 (§10.3); `None` when absent.
    pub fn expires(&self) -> Option<u32> {
        self.get("Expires").map(|value| grammar::digits(grammar::trim(value)).unwrap_or(3600))
    }

    /// `type/subtype` without parameters, as spelled.
    pub fn content_type(&self) -> Option<&str> {
        let value = self.get("Content-Type")?;
        Some(grammar::trim(value.split(';').next().unwrap_or(value)))
    }

    /// Whether the body is of that type ("application/sdp").
    pub fn is_content_type(&self, media_type: &str) -> bool {
        self.content_type().is_some_and(|found| found.eq_ignore_ascii_case(media_type))
    }

    /// Whether a list header (Supported, Require, Allow, Accept …) names that token, without case.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token))
    }

    /// A header of the shape `value;params` (Session-Expires, Event, Replaces, Reason …).
    pub fn with_params(&self, name: &str) -> Option<Result<(&str, Params), Fault>> {
        self.get(name).map(|text| {
            let end = text.find(';').unwrap_or(text.len());
            let (value, params) = text.split_at_checked(end).unwrap_or((text, ""));
            Ok((grammar::trim(value), Params::parse(params)?))
        })
    }

    pub fn rack(&self) -> Result<RAck, Fault> {
        let text = grammar::trim(self.get("RAck").ok_or(Fault::Missing("RAck"))?);
        let (rseq, cseq) = text.split_once([' ', '\t']).ok_or(Fault::Malformed("RAck"))?;
        let rseq = grammar::digits(rseq).filter(|rseq| *rseq < u32::MAX).ok_or(Fault::Malformed("RAck"))?;
        let cseq = read_cseq(cseq).map_err(|_| Fault::Malformed("RAck"))?;
        Ok(RAck { rseq, cseq })
    }
}

/// What the parser needs of the list.
impl Headers {
    pub(super) fn over(source: Arc<str>) -> Headers {
        Headers { source, entries: Vec::with_capacity(24) }
    }

    /// Adds a header of the source: octets `name` and `value` of it.
    pub(super) fn push_span(&mut self, name: (usize, usize), value: (usize, usize)) {
        // The head is bounded by MAX_HEAD, far below u32.
        let span = |(start, end): (usize, usize)| Text::Span { start: start as u32, end: end as u32 };
        let kind = self.source.get(name.0..name.1).map_or(Kind::Other, Kind::of);
        self.entries.push(Entry { kind, name: span(name), value: span(value) });
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = (Kind, &str)> {
        self.entries.iter().map(|entry| (entry.kind, entry.value.get(&self.source)))
    }

    /// The first lines of that kind only (for a reply to a message that repeats what it may not).
    pub(super) fn copy_first(&mut self, name: &str, from: &Headers) {
        let before = self.entries.len();
        self.copy(name, from);
        self.entries.truncate(before + 1);
    }
}

impl Entry {
    fn is(&self, name: &str, kind: Kind, source: &str) -> bool {
        self.kind == kind && (kind != Kind::Other || self.name.get(source).eq_ignore_ascii_case(name))
    }
}

fn own(name: &str, value: impl fmt::Display) -> Entry {
    let name = token(name);
    Entry { kind: Kind::of(&name), name: Text::Own(name.into()), value: Text::Own(clean(&value.to_string()).into()) }
}

/// `text` without anything that could end a header, trimmed.
pub(super) fn clean(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
    grammar::trim(&clean).to_owned()
}

pub(super) fn read_cseq(text: &str) -> Result<CSeq, Fault> {
    let (number, method) = cseq_parts(text)?;
    Ok(CSeq { number, method: Method::parse(method)? })
}

/// Number and method of a CSeq value, the number below 2^31 (§8.1.1.5).
pub(super) fn cseq_parts(text: &str) -> Result<(u32, &str), Fault> {
    const FAULT: Fault = Fault::Malformed("CSeq");
    let (number, method) = grammar::trim(text).split_once([' ', '\t']).ok_or(FAULT)?;
    let number = grammar::digits(number).filter(|number| *number < 1 << 31).ok_or(FAULT)?;
    let method = grammar::trim_start(method);
    if grammar::is_token(method) { Ok((number, method)) } else { Err(FAULT) }
}

pub(super) fn read_max_forwards(text: &str) -> Result<u8, Fault> {
    let number = grammar::digits(grammar::trim(text)).and_then(|number| u8::try_from(number).ok());
    number.ok_or(Fault::Malformed("Max-Forwards"))
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// Same names (spelling included), values and order.
impl PartialEq for Headers {
    fn eq(&self, other: &Headers) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(name, value);
        }
        headers
    }

    #[test]
    fn names_compare_without_case_and_in_compact_form() {
        let list = headers(&[("v", "a"), ("X-Ward", "1"), ("VIA", "b, c"), ("x-ward", "2")]);
        assert_eq!(list.get("Via"), Some("a"));
        assert_eq!(list.all("via").collect::<Vec<_>>(), ["a", "b, c"]);
        assert_eq!(list.list("Via").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(list.all("X-WARD").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(list.get("X-War"), None);
    }

    #[test]
    fn setting_replaces_in_place_and_removing_counts() {
        let mut list = headers(&[("To", "x"), ("m", "1"), ("Contact", "2"), ("Call-ID", "c")]);
        list.set("Contact", "<sip:a@b>");
        assert_eq!(list.iter().collect::<Vec<_>>(), [("To", "x"), ("Contact", "<sip:a@b>"), ("Call-ID", "c")]);
        list.push_front("Via", "v");
        assert_eq!(list.iter().next(), Some(("Via", "v")));
        assert_eq!((list.remove("contact"), list.remove("contact"), list.len()), (1, 0, 3));
    }

    #[test]
    fn no_value_or_name_can_add_a_header() {
        let list = headers(&[("Subject\r\nVia: x", "a\r\nP-Asserted-Identity: <sip:b@c>\0\n")]);
        assert_eq!(list.iter().collect::<Vec<_>>(), [("Subject--Via--x", "a  P-Asserted-Identity: <sip:b@c>")]);
    }

    #[test]
    fn the_top_via_alone_is_replaced() {
        let mut list = headers(&[("Via", "SIP/2.0/UDP a;branch=z9hG4bK1 , SIP/2.0/TCP b"), ("Via", "SIP/2.0/UDP c")]);
        let mut via = list.top_via().unwrap();
        via.stamp("192.0.2.1:5060".parse().unwrap());
        list.set_top_via(&via);
        assert_eq!(
            list.all("Via").collect::<Vec<_>>(),
            ["SIP/2.0/UDP a;branch=z9hG4bK1;received=192.0.2.1, SIP/2.0/TCP b", "SIP/2.0/UDP c"]
        );
    }

    #[test]
    fn scalars_have_their_bounds() {
        let cseq = |text: &str| headers(&[("CSeq", text)]).cseq();
        assert_eq!(cseq("0009   INVITE"), Ok(CSeq { number: 9, method: Method::Invite }));
        assert_eq!(cseq("2147483647 BYE").map(|cseq| cseq.number), Ok(2_147_483_647));
        for bad in ["2147483648 INVITE", "36893488147419103232 REGISTER", "-1 INVITE", "1", "INVITE", "1 A B", ""] {
            assert!(cseq(bad).is_err(), "{bad:?}");
        }
        let hops = |text: &str| headers(&[("Max-Forwards", text)]).max_forwards();
        assert_eq!((hops("0"), hops("0068"), hops("255")), (Ok(Some(0)), Ok(Some(68)), Ok(Some(255))));
        assert!(hops("256").is_err() && hops("-1").is_err() && hops("").is_err());
        assert_eq!(Headers::new().max_forwards(), Ok(None));
        assert_eq!(headers(&[("Expires", "100000000000000000000")]).expires(), Some(u32::MAX));
        assert_eq!(headers(&[("Expires", "-5")]).expires(), Some(3600));
    }

    #[test]
    fn a_star_stands_alone() {
        assert_eq!(headers(&[("m", "*")]).contacts(), Ok(Contacts::Star));
        assert!(headers(&[("m", "*, <sip:a@b>")]).contacts().is_err());
        let Ok(Contacts::List(list)) =
            headers(&[("m", "\"a, b\" <sip:a@b>;q=0.1, sip:c@d"), ("Contact", "<sip:e@f>")]).contacts()
        else {
            panic!("a list")
        };
        assert_eq!(list.iter().map(|c| c.uri.to_string()).collect::<Vec<_>>(), ["sip:a@b", "sip:c@d", "sip:e@f"]);
    }

    #[test]
    fn values_with_parameters_and_rack_are_read() {
        let list =
            headers(&[("x", "1800 ;refresher=uac"), ("RAck", "776656 1 INVITE"), ("c", "Application/SDP; charset=x")]);
        let (value, params) = list.with_params("Session-Expires").unwrap().unwrap();
        assert_eq!((value, params.get("refresher")), ("1800", Some("uac")));
        assert_eq!(list.rack().unwrap().rseq, 776_656);
        assert!(list.is_content_type("application/sdp"));
    }
}
