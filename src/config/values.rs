//! How each kind of value is written: durations, addresses, numbers, dates, words.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::ivr::condition::{Hours, Pattern};
use ipnet::IpNet;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use crate::config::reader::{Read, Wrong};
use crate::config::tree::{Tree, Value};
use crate::config::{ClientCertificates, LogFormat};
use crate::diagnostic::nearest;
use crate::identity::PhoneClass;
use crate::ids::{
    AnalystId, ClinicianId, Extension, HospitalId, Language, ListenerId, ModuleId, PlanId, PromptId, SiteId, SystemId,
    TrunkId, UnitId,
};
use crate::routing::Level;
use crate::sip::Transport;
use crate::time::Duration;

/// Longer durations are mistyped: nothing in a call or a node waits for a month.
pub const MAX_DURATION: Duration = Duration::from_secs(31 * 24 * 3600);

/// Digits of an extension or telephone number (E.164 allows 15; prefixes add a few).
const MAX_DIGITS: usize = 20;

/// A value that is written as text.
pub trait FromText: Sized {
    /// With its article: "a duration".
    const WANTED: &'static str;
    /// An order: "write a duration such as \"8s\"".
    const REMEDY: &'static str;
    fn from_text(text: &str) -> Option<Self>;
}

fn text_of<T: FromText>(tree: &Tree) -> Result<T, Vec<Wrong>> {
    match &tree.value {
        Value::Text(text) | Value::Loose(text) => {
            T::from_text(text).ok_or_else(|| vec![Wrong::of(tree, T::WANTED).remedy(T::REMEDY)])
        }
        Value::Integer(number) => {
            // Seconds are what a duration without its unit means most often.
            let meant =
                [number.to_string(), format!("{number}s")].into_iter().find(|text| T::from_text(text).is_some());
            let quoted = meant.map(|text| format!("; text stands in quotes: \"{text}\"")).unwrap_or_default();
            Err(vec![Wrong::of(tree, T::WANTED).remedy(format!("{}{quoted}", T::REMEDY))])
        }
        Value::Float(_) | Value::Boolean(_) | Value::Date(_) | Value::List(_) | Value::Table(_) => {
            Err(vec![Wrong::of(tree, T::WANTED).remedy(T::REMEDY)])
        }
    }
}

macro_rules! from_text {
    ($($type:ty, $wanted:literal, $remedy:literal, $parse:expr;)*) => {$(
        impl FromText for $type {
            const WANTED: &'static str = $wanted;
            const REMEDY: &'static str = $remedy;
            fn from_text(text: &str) -> Option<$type> {
                let parse: fn(&str) -> Option<$type> = $parse;
                parse(text)
            }
        }
        impl Read for $type {
            fn read(tree: &Tree) -> Result<$type, Vec<Wrong>> {
                text_of(tree)
            }
        }
    )*};
}

from_text! {
    String, "text", "write some text, without line breaks", line;
    PathBuf, "a path", "write a path such as \"data\"", |text| line(text).map(PathBuf::from);
    Duration, "a duration", "write a number and ms, s, m, h or d, such as \"8s\" or \"250ms\"", duration;
    IpAddr, "an IP address", "write an address such as \"10.1.2.3\" or \"::1\"", |text| text.parse().ok();
    SocketAddr, "an address with a port", "write one such as \"10.1.2.3:5060\" or \"[::1]:5060\"", |text| text.parse().ok();
    IpNet, "an address or a CIDR network", "write one such as \"10.1.2.3\" or \"10.1.0.0/16\"", network;
    PortRange, "a port range", "write the first and last port, such as \"20000-20999\"", PortRange::parse;
    NumberRange, "an extension or a range of them", "write \"4710\", or \"4700-4719\" with equally many digits", NumberRange::parse;
    Extension, "a number to dial", "write digits only, such as \"4710\" or \"+15550100\"", |text| dialable(text).then(|| Extension::new(text));
    Pattern, "a number, or its beginning", "write digits only, such as \"12125550188\", or \"1212*\" for all that begin so", Pattern::parse;
    TimeZone, "a time zone", "write a name such as \"America/New_York\"", |text| TimeZone::get(text).ok();
    Date, "a date", "write year, month and day, such as \"2026-12-25\"", |text| text.parse().ok();
    DateTime, "a date and time", "write one such as \"2026-11-24T10:00\", as the hospital's clocks show it", |text| text.parse().ok();
    Time, "a time of day", "write hours and minutes, such as \"07:00\"", time_of_day;
    Hours, "hours", "write \"07:00-19:00\"; they may cross midnight", Hours::parse;
    Language, "a language", "write a code such as \"en\"", language;
    HospitalId, "a hospital's id", "write its id in quotes", |text| word(text).map(HospitalId::new);
    SiteId, "a site's id", "write its id in quotes", |text| word(text).map(SiteId::new);
    UnitId, "a unit's id", "write its id in quotes", |text| word(text).map(UnitId::new);
    SystemId, "a system's id", "write its id in quotes", |text| word(text).map(SystemId::new);
    ModuleId, "a module's id", "write its id in quotes", |text| word(text).map(ModuleId::new);
    ClinicianId, "a person's id", "write its id in quotes", |text| word(text).map(ClinicianId::new);
    AnalystId, "an analyst's id", "write its id in quotes", |text| word(text).map(AnalystId::new);
    TrunkId, "a trunk's id", "write its id in quotes", |text| word(text).map(TrunkId::new);
    ListenerId, "a listener's id", "write its id in quotes", |text| word(text).map(ListenerId::new);
    PlanId, "a plan's id", "write the plan's file name without .toml", |text| word(text).map(PlanId::new);
    PromptId, "a prompt's id", "write its id in quotes", |text| word(text).map(PromptId::new);
}

fn line(text: &str) -> Option<String> {
    (!text.trim().is_empty() && !text.contains(['\r', '\n', '\0'])).then(|| text.to_owned())
}

/// An id: [`Fields::named`](crate::config::reader::Fields::named) says how they are spelt; here it need only be a word.
fn word(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.contains(char::is_whitespace)).then_some(text)
}

fn duration(text: &str) -> Option<Duration> {
    crate::grammar::duration(text).filter(|duration| *duration <= MAX_DURATION)
}

fn network(text: &str) -> Option<IpNet> {
    let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    Some(IpNet::trunc(&net))
}

fn time_of_day(text: &str) -> Option<Time> {
    // Midnight at the end of a day is written so by everybody.
    let text = if text == "24:00" { "00:00" } else { text };
    text.parse().ok()
}

fn language(text: &str) -> Option<Language> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ((2..=8).contains(&text.len()) && text.bytes().all(plain)).then(|| Language::new(text))
}

/// Digits, `*` and `#`, with an optional leading "+".
pub fn dialable(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (1..=MAX_DIGITS).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*' || byte == b'#')
}

/// First and last UDP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    fn parse(text: &str) -> Option<PortRange> {
        let (first, last) = text.split_once('-')?;
        let range = PortRange { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? };
        (range.first > 0 && range.first <= range.last).then_some(range)
    }
}

/// One extension, or equally long ones from first to last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberRange {
    One(Extension),
    Many { digits: usize, first: u64, last: u64 },
}

impl NumberRange {
    /// "4710" or "4700-4715".
    pub fn parse(text: &str) -> Option<NumberRange> {
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && (1..=15).contains(&text.len());
        let Some((first, last)) = text.split_once('-') else {
            return number(text).then(|| NumberRange::One(Extension::new(text)));
        };
        let (first, last) = (first.trim(), last.trim());
        if !number(first) || !number(last) || first.len() != last.len() {
            return None;
        }
        let (digits, first, last) = (first.len(), first.parse().ok()?, last.parse().ok()?);
        (first < last).then_some(NumberRange::Many { digits, first, last })
    }
}

macro_rules! words {
    ($($type:ty, $wanted:literal, { $($word:literal => $value:expr),* $(,)? };)*) => {$(
        impl Read for $type {
            fn read(tree: &Tree) -> Result<$type, Vec<Wrong>> {
                const WORDS: &[&str] = &[$($word),*];
                let (Value::Text(text) | Value::Loose(text)) = &tree.value else {
                    let remedy = format!("write one of \"{}\"", WORDS.join("\", \""));
                    return Err(vec![Wrong::of(tree, $wanted).remedy(remedy)]);
                };
                $(if text == $word { return Ok($value); })*
                let mut wrong = Wrong::of(tree, $wanted).remedy(format!("write one of \"{}\"", WORDS.join("\", \"")));
                wrong.nearest = nearest(text, WORDS.iter().copied()).map(str::to_owned);
                Err(vec![wrong])
            }
        }
    )*};
}

words! {
    Transport, "a transport", { "udp" => Transport::Udp, "tcp" => Transport::Tcp, "tls" => Transport::Tls };
    ClientCertificates, "whether clients show a certificate", {
        "none" => ClientCertificates::None,
        "asked" => ClientCertificates::Asked,
        "required" => ClientCertificates::Required,
    };
    LogFormat, "a log format", { "auto" => LogFormat::Auto, "text" => LogFormat::Text, "json" => LogFormat::Json };
    PhoneClass, "a phone class", {
        "ward" => PhoneClass::Ward,
        "office" => PhoneClass::Office,
        "patient" => PhoneClass::Patient,
        "public" => PhoneClass::Public,
    };
    Level, "a level", { "basic" => Level::Basic, "advanced" => Level::Advanced, "expert" => Level::Expert };
    Weekday, "a day of the week", {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
    };
}

impl Read for bool {
    fn read(tree: &Tree) -> Result<bool, Vec<Wrong>> {
        let wrong = || vec![Wrong::of(tree, "true or false").remedy("write true or false, without quotes")];
        match &tree.value {
            Value::Boolean(value) => Ok(*value),
            Value::Loose(text) => text.parse().map_err(|_| wrong()),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Date(_)
            | Value::List(_)
            | Value::Table(_) => Err(wrong()),
        }
    }
}

impl Read for usize {
    fn read(tree: &Tree) -> Result<usize, Vec<Wrong>> {
        let wrong = || vec![Wrong::of(tree, "a whole number").remedy("write digits without quotes, such as 4")];
        match &tree.value {
            Value::Integer(number) => usize::try_from(*number).map_err(|_| wrong()),
            Value::Loose(text) => text.parse().map_err(|_| wrong()),
            Value::Text(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Date(_)
            | Value::List(_)
            | Value::Table(_) => Err(wrong()),
        }
    }
}
