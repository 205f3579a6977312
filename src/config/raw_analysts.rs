//! One `analysts*.toml` as written: people, with the places of what they refer to.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};

use crate::config::grammar::ANALYSTS;
use crate::config::reader::{Fields, Problems, Read, Spanned, Wrong};
use crate::config::tree::{Place, Tree};
use crate::ids::{AnalystId, Extension, HospitalId, Language, ModuleId, SiteId, SystemId, TrunkId};
use crate::routing::{Level, PhoneUse, Span};
use crate::sip::{Scheme, Uri};

#[derive(Debug)]
pub struct RawAnalyst {
    pub id: AnalystId,
    pub place: Place,
    pub name: String,
    pub hospitals: Vec<Spanned<HospitalId>>,
    pub sites: Option<Vec<Spanned<SiteId>>>,
    pub languages: BTreeSet<Language>,
    pub phones: Vec<RawPhone>,
    pub qualifications: Vec<RawQualification>,
    /// Some were declared, if only such as could not be read.
    pub has_phones: bool,
    pub has_qualifications: bool,
    /// Empty: on shift whenever signed in.
    pub shifts: Vec<Span>,
    pub on_call: Vec<Span>,
    pub supervisor: bool,
}

#[derive(Debug)]
pub struct RawPhone {
    pub reach: Reach,
    pub outside: bool,
    pub usage: PhoneUse,
    /// An old phone, which gives up when it is offered anything but MD5.
    pub md5_only: bool,
}

/// The three ways to reach a phone.
#[derive(Debug)]
pub enum Reach {
    Registered(Spanned<String>),
    Sip(String),
    Trunk { trunk: Spanned<TrunkId>, number: Spanned<Extension> },
}

#[derive(Debug)]
pub struct RawQualification {
    pub hospital: Option<Spanned<HospitalId>>,
    pub system: Spanned<SystemId>,
    /// `None`: all ("*").
    pub modules: Option<Vec<Spanned<ModuleId>>>,
    pub level: Level,
    pub releases: Option<Vec<Spanned<String>>>,
    pub attested: Option<Date>,
    pub evidence: Option<String>,
    pub valid_from: Option<Date>,
    pub valid_until: Option<Spanned<Date>>,
}

impl Read for PhoneUse {
    fn read(tree: &Tree) -> Result<PhoneUse, Vec<Wrong>> {
        let wrong = || vec![Wrong::of(tree, "a phone's role").remedy("write \"desk\" or \"on-call\"")];
        match String::read(tree)?.as_str() {
            "desk" => Ok(PhoneUse::Desk),
            "on-call" => Ok(PhoneUse::OnCall),
            _ => Err(wrong()),
        }
    }
}

/// What an old phone can do of digest (RFC 7616): "md5".
#[derive(Debug)]
struct OldDigest;

impl Read for OldDigest {
    fn read(tree: &Tree) -> Result<OldDigest, Vec<Wrong>> {
        let wrong = Wrong::of(tree, "a digest");
        match String::read(tree)?.as_str() {
            "md5" => Ok(OldDigest),
            _ => Err(vec![wrong.remedy("write \"md5\" for an old phone; without it, SHA-256 is offered too")]),
        }
    }
}

/// A fixed SIP address: "sip:lena@10.1.2.3:5062". An INVITE to a phone waits for no name to be looked up, so a host name
/// would never be rung.
#[derive(Debug)]
struct SipAddress {
    text: String,
    password: bool,
}

impl Read for SipAddress {
    fn read(tree: &Tree) -> Result<SipAddress, Vec<Wrong>> {
        let text = String::read(tree)?;
        let wrong = |wanted, remedy: &str| vec![Wrong::of(tree, wanted).remedy(remedy)];
        let uri = Uri::parse(&text).ok().filter(|uri| uri.scheme == Scheme::Sip && uri.headers.is_empty());
        let Some(uri) = uri else {
            return Err(wrong("a SIP address", "write one such as \"sip:lena@10.1.2.3:5062\""));
        };
        match uri.host.ip() {
            Some(_) => Ok(SipAddress { password: uri.password().is_some(), text }),
            None => {
                let remedy = "write the phone's address, or let it register: { register = \"lena\" }";
                Err(wrong("a SIP URI with an IP address, for no name is looked up when it rings", remedy))
            }
        }
    }
}

/// Reads the tree of an analysts' file.
pub fn read(tree: &Tree, file: &str, problems: &Problems) -> Vec<RawAnalyst> {
    let Some(fields) = Fields::of(tree, file, &ANALYSTS, problems) else { return Vec::new() };
    let named = fields.named("analysts", "analyst").into_iter();
    named.map(|(name, entry)| read_analyst(name, &entry)).collect()
}

fn read_analyst(id: Spanned<String>, entry: &Fields<'_>) -> RawAnalyst {
    let tables = |key, what| entry.tables(key, what);
    let phones = tables("phones", "a phone");
    let qualifications = tables("qualifications", "a qualification");
    let shifts = tables("shifts", "a shift");
    let on_call = tables("on_call", "an on-call duty");
    RawAnalyst {
        id: AnalystId::new(&id.value),
        name: entry.required("name", "\"Amara Osei\"").unwrap_or_default(),
        hospitals: entry.required("hospitals", "[\"mercy-harbor\"]").unwrap_or_default(),
        sites: entry.optional("sites"),
        languages: entry.or("languages", vec![Language::new("en")]).into_iter().collect(),
        has_phones: !phones.is_empty(),
        has_qualifications: !qualifications.is_empty(),
        phones: phones.iter().filter_map(read_phone).collect(),
        qualifications: qualifications.iter().filter_map(read_qualification).collect(),
        shifts: shifts.iter().filter_map(read_span).collect(),
        on_call: on_call.iter().filter_map(read_span).collect(),
        supervisor: entry.or("supervisor", false),
        place: id.place,
    }
}

fn read_phone(entry: &Fields<'_>) -> Option<RawPhone> {
    let register = entry.optional::<Spanned<String>>("register");
    let sip = entry.optional::<Spanned<SipAddress>>("sip");
    let trunk = entry.optional::<Spanned<TrunkId>>("trunk");
    let number = entry.optional::<Spanned<Extension>>("number");
    let (outside, usage) = (entry.or("outside", false), entry.or("role", PhoneUse::Desk));
    let md5_only = entry.optional::<OldDigest>("digest").is_some();
    let ways = ["register", "sip", "trunk"].into_iter().filter(|key| entry.has(key)).count();
    if ways != 1 {
        let finding = entry.place.error("a phone is reached in exactly one way: `register`, `sip` or `trunk`");
        let remedy =
            "write { register = \"user\" }, { sip = \"sip:user@10.1.2.3\" } or { trunk = \"pbx\", number = \"4801\" }";
        entry.problems.push(finding.remedy(remedy));
        return None;
    }
    if let Some(sip) = sip.as_ref().filter(|sip| sip.value.password) {
        entry.problems.hide(&sip.place);
        let finding = sip.place.error("a password stands in this address").why("files are kept, compared and shown");
        entry.problems.push(finding.remedy("leave it out; let the phone register: { register = \"user\" }"));
    }
    if entry.has("trunk") != entry.has("number") {
        let finding = entry.place.error("`trunk` and `number` belong together");
        entry.problems.push(finding.remedy("write { trunk = \"pbx\", number = \"4801\" }"));
        return None;
    }
    if entry.has("digest") && !entry.has("register") {
        let finding = entry.place.error("`digest` belongs to a phone that registers");
        entry.problems.push(finding.remedy("remove it, or write { register = \"user\", digest = \"md5\" }"));
        return None;
    }
    let of_trunk = trunk.zip(number).map(|(trunk, number)| Reach::Trunk { trunk, number });
    let reach = register.map(Reach::Registered).or(sip.map(|sip| Reach::Sip(sip.value.text))).or(of_trunk)?;
    Some(RawPhone { reach, outside, usage, md5_only })
}

fn read_qualification(entry: &Fields<'_>) -> Option<RawQualification> {
    let system = entry.required::<Spanned<SystemId>>("system", "\"meridian-prod\"");
    let modules = entry.required::<Vec<Spanned<ModuleId>>>("modules", "[\"*\"]");
    let all = modules.as_ref().is_some_and(|modules| modules.iter().any(|module| module.value.as_str() == "*"));
    let read = RawQualification {
        hospital: entry.optional("hospital"),
        modules: modules.filter(|_| !all),
        level: entry.or("level", Level::Basic),
        releases: entry.optional("releases"),
        attested: entry.optional("attested"),
        evidence: entry.optional("evidence"),
        valid_from: entry.optional("valid_from"),
        valid_until: entry.optional("valid_until"),
        system: system?,
    };
    if let (Some(from), Some(until)) = (read.valid_from, &read.valid_until)
        && until.value < from
    {
        let finding = until.place.error("this qualification ends before it begins");
        entry.problems.push(finding.remedy("write a later `valid_until`"));
    }
    Some(read)
}

fn read_span(entry: &Fields<'_>) -> Option<Span> {
    let days = entry.required::<Vec<Weekday>>("days", "[\"mon\", \"tue\"]");
    let from = entry.required::<Time>("from", "\"07:00\"");
    let to = entry.required::<Time>("to", "\"19:00\"");
    Some(Span::new(days?, from?, to?))
}
