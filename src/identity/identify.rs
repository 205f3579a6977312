//! From what the signalling says to who and where: pure look-ups, in the order in which headers deserve belief.

use jiff::Timestamp;

use crate::identity::{Caller, Clinician, Confidence, Directory, Number, NumberRules, Phone, Source, Sourced};
use crate::ids::{ClinicianId, Extension};

/// What an INVITE says of its caller: user parts of the headers, as they stand there. The lead fills it from the
/// message; the trust rule is applied here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signalled {
    /// P-Asserted-Identity (RFC 3325), the first sip or tel URI that has a number.
    pub asserted: Option<String>,
    /// Remote-Party-ID.
    pub remote_party: Option<String>,
    pub from: Option<String>,
    /// Diversion (RFC 5806) or History-Info (RFC 7044): who passed the call on, latest first.
    pub diversion: Vec<String>,
    /// The call came over a trunk whose `trusted = true`. Else only `from` counts, and as a mere rumour.
    pub trusted: bool,
    /// The extension of a phone that registered with a password; stands above every header.
    pub registered: Option<Extension>,
}

/// Numbers considered of a Diversion list: a longer chain is a forwarding loop.
const MAX_DIVERSIONS: usize = 8;

/// A number with where it came from.
struct Candidate {
    number: Number,
    source: Source,
    confidence: Confidence,
}

/// Who is calling. Facts that nothing supports are absent; a caller always comes out.
///
/// The number is the first usable one of registration, P-Asserted-Identity, Remote-Party-ID and From: a mapped From
/// does not beat an unmapped asserted identity, because From is what a stranger can write. Only when that number is
/// not on the map does a Diversion say where the call was passed on from.
pub fn identify(signalled: &Signalled, rules: &NumberRules, directory: &Directory, at: Timestamp) -> Caller {
    let mut caller = Caller {
        hospital: directory.hospital().clone(),
        number: None,
        extension: None,
        class: None,
        place: None,
        ehr: None,
        person: None,
        call_back: None,
    };
    let first = calling(signalled, rules);
    let mut mapped = None;
    if let Some(candidate) = &first {
        let Candidate { number, source, confidence } = candidate;
        let fact = |value: String| Sourced { value, source: *source, confidence: *confidence, at };
        caller.number = Some(fact(number.full.clone()));
        mapped = on_map(number, directory).map(|(extension, phone)| (extension, phone, *source, *confidence));
        let inside = || number.extensions().find(|extension| directory.is_inside(extension));
        if let Some(extension) = mapped.as_ref().map(|(extension, ..)| extension.clone()).or_else(inside) {
            caller.extension = Some(Sourced { value: extension, source: *source, confidence: *confidence, at });
        }
    }
    if mapped.is_none() {
        mapped = diverted(signalled, rules, directory);
        // An anonymous call can be called back only where it was passed on from.
        if let (None, Some((extension, _, source, confidence))) = (&first, &mapped) {
            let fact = Sourced { value: extension.clone(), source: *source, confidence: *confidence, at };
            caller.extension = Some(fact);
        }
    }
    if let Some((_, phone, source, confidence)) = mapped {
        let forwarded = source == Source::Diversion;
        describe(&mut caller, phone, directory, confidence, at, forwarded);
    }
    caller
}

/// Notes a keyed badge number on the caller: a claim, which does not undo what a PIN has proved of the same person. Returns
/// the person, `None` for an unknown number.
pub fn claim_badge<'a>(
    caller: &mut Caller,
    keyed: &str,
    directory: &'a Directory,
    at: Timestamp,
) -> Option<&'a Clinician> {
    let person = directory.badge(keyed)?;
    let proved = |known: &Sourced<ClinicianId>| known.value == person.id && known.confidence == Confidence::Verified;
    if !caller.person.as_ref().is_some_and(proved) {
        caller.person = Some(claim(person.id.clone(), Source::Keyed, at));
    }
    Some(person)
}

/// The caller has keyed the PIN of the person that was claimed.
pub fn verify_by_pin(caller: &mut Caller, at: Timestamp) {
    if let Some(person) = &mut caller.person {
        *person = Sourced { value: person.value.clone(), source: Source::Pin, confidence: Confidence::Verified, at };
    }
}

/// Notes where the caller wants to be called back.
pub fn claim_callback(caller: &mut Caller, number: Extension, at: Timestamp) {
    caller.call_back = Some(claim(number, Source::Keyed, at));
}

/// Notes a keyed extension on a caller whose phone is not on the map. Returns whether the map knows it.
pub fn claim_extension(caller: &mut Caller, keyed: &Extension, directory: &Directory, at: Timestamp) -> bool {
    let Some(phone) = directory.phone(keyed) else { return false };
    caller.extension =
        Some(Sourced { value: keyed.clone(), source: Source::Keyed, confidence: Confidence::Claimed, at });
    describe(caller, phone, directory, Confidence::Claimed, at, false);
    true
}

/// The calling number that counts.
fn calling(signalled: &Signalled, rules: &NumberRules) -> Option<Candidate> {
    if let Some(extension) = &signalled.registered {
        // Our own registrations carry no trunk prefix.
        let number = Number::read(extension.as_str(), &NumberRules::default())?;
        return Some(Candidate { number, source: Source::Registration, confidence: Confidence::Verified });
    }
    let confidence = if signalled.trusted { Confidence::Claimed } else { Confidence::Unknown };
    let trusted = [(&signalled.asserted, Source::AssertedIdentity), (&signalled.remote_party, Source::RemotePartyId)];
    let trusted = trusted.into_iter().filter(|_| signalled.trusted);
    trusted.chain([(&signalled.from, Source::From)]).find_map(|(text, source)| {
        let number = Number::read(text.as_deref()?, rules)?;
        Some(Candidate { number, source, confidence })
    })
}

fn on_map<'a>(number: &Number, directory: &'a Directory) -> Option<(Extension, &'a Phone)> {
    number.extensions().find_map(|extension| {
        let phone = directory.phone(&extension)?;
        Some((extension, phone))
    })
}

fn diverted<'a>(
    signalled: &Signalled,
    rules: &NumberRules,
    directory: &'a Directory,
) -> Option<(Extension, &'a Phone, Source, Confidence)> {
    let texts = signalled.diversion.iter().take(MAX_DIVERSIONS).filter(|_| signalled.trusted);
    let mut numbers = texts.filter_map(|text| Number::read(text, rules));
    let (extension, phone) = numbers.find_map(|number| on_map(&number, directory))?;
    Some((extension, phone, Source::Diversion, Confidence::Claimed))
}

/// Writes what the map says of a phone. The phone is as sure as its number; its person never more than claimed.
fn describe(
    caller: &mut Caller,
    phone: &Phone,
    directory: &Directory,
    confidence: Confidence,
    at: Timestamp,
    forwarded: bool,
) {
    let source = if forwarded { Source::Diversion } else { Source::ExtensionMap };
    caller.place = directory.place(phone).map(|value| Sourced { value, source, confidence, at });
    caller.ehr = directory.ehr(phone, at).map(|value| Sourced { value, source, confidence, at });
    // Whoever was forwarded neither holds that phone nor is its owner.
    if !forwarded {
        caller.class = Some(Sourced { value: phone.class, source, confidence, at });
        let person = phone.person.clone().filter(|_| confidence >= Confidence::Claimed);
        caller.person = person.map(|id| claim(id, source, at));
    }
}

fn claim<T>(value: T, source: Source, at: Timestamp) -> Sourced<T> {
    Sourced { value, source, confidence: Confidence::Claimed, at }
}
