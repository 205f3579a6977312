//! The hard filter: may this analyst be rung for this call, as one of this group? The answer is the qualification and the
//! phones, or the first reason against it, in words that stand on the ticket.

use jiff::civil::{Date, DateTime};
use thiserror::Error;

use crate::ids::{HospitalId, Language, ModuleId, SiteId, SystemId};
use crate::routing::decision::{Held, Occupied, Person, PhoneState, Presence, Standing, WithThisCall};
use crate::routing::need::{Level, Need};
use crate::routing::rungs::Who;
use crate::routing::staff::{Modules, PhoneUse, Qualification, Releases};

/// Why an analyst is not rung.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    // -- What the analyst may take: lasting ---------------------------------------------------------------------------
    #[error("belongs to another hospital")]
    OtherHospital { needed: HospitalId },
    #[error("does not serve site {site}")]
    OtherSite { site: SiteId },
    #[error("speaks no {}", spoken(.language))]
    Language { language: Language },
    #[error("no qualification{}", of_system(.system))]
    NoQualification { system: Option<SystemId> },
    #[error("{system}, but not {module}")]
    Module { system: SystemId, module: ModuleId },
    #[error("{} for {system}, {} is needed", .held.as_str(), .needed.as_str())]
    Level { system: SystemId, held: Level, needed: Level },
    #[error("expired on {on}")]
    Expired { on: Date },
    #[error("valid only from {from}")]
    NotYetValid { from: Date },
    #[error("release {release} not covered")]
    Release { release: String },
    #[error("stale since {} (release {release})", .since.strftime("%F %H:%M"))]
    Stale { since: DateTime, release: String },
    // -- Which group the analyst belongs to -----------------------------------------------------------------------------
    #[error("not on call now")]
    NotOnCall,
    #[error("no supervisor")]
    NotSupervisor,
    #[error("not in wrap-up")]
    NotInWrapUp,
    // -- What the analyst does now --------------------------------------------------------------------------------------
    #[error("already tried for this call")]
    AlreadyTried,
    #[error("rings for this call")]
    RingsAlready,
    #[error("another call was faster")]
    LeaseRefused,
    #[error("rings for another call")]
    Ringing,
    #[error("on a call")]
    OnCall,
    #[error("not signed in")]
    NotSignedIn,
    #[error("paused{}", because(.reason))]
    Paused { reason: Option<String> },
    #[error("off shift")]
    OffShift,
    #[error("wrap-up")]
    WrapUp,
    #[error("no phone reachable")]
    NoPhone,
    #[error("the phone is in use for another call")]
    PhoneTaken,
}

impl Refusal {
    /// Lasting: no change of the desk makes this analyst fit.
    pub fn is_lasting(&self) -> bool {
        match self {
            Refusal::OtherHospital { .. }
            | Refusal::OtherSite { .. }
            | Refusal::Language { .. }
            | Refusal::NoQualification { .. }
            | Refusal::Module { .. }
            | Refusal::Level { .. }
            | Refusal::Expired { .. }
            | Refusal::NotYetValid { .. }
            | Refusal::Release { .. }
            | Refusal::Stale { .. } => true,
            Refusal::NotOnCall
            | Refusal::NotSupervisor
            | Refusal::NotInWrapUp
            | Refusal::AlreadyTried
            | Refusal::RingsAlready
            | Refusal::LeaseRefused
            | Refusal::Ringing
            | Refusal::OnCall
            | Refusal::NotSignedIn
            | Refusal::Paused { .. }
            | Refusal::OffShift
            | Refusal::WrapUp
            | Refusal::NoPhone
            | Refusal::PhoneTaken => false,
        }
    }

    /// Without the particulars: what people are counted by.
    pub(crate) fn in_short(&self) -> &'static str {
        match self {
            Refusal::OtherHospital { .. } => "of another hospital",
            Refusal::OtherSite { .. } => "not of this site",
            Refusal::Language { .. } => "not of this language",
            Refusal::NoQualification { .. } => "without a qualification",
            Refusal::Module { .. } => "not for this module",
            Refusal::Level { .. } => "below the level",
            Refusal::Expired { .. } => "expired",
            Refusal::NotYetValid { .. } => "not yet valid",
            Refusal::Release { .. } => "not for this release",
            Refusal::Stale { .. } => "stale for this release",
            Refusal::NotOnCall => "not on call now",
            Refusal::NotSupervisor => "no supervisor",
            Refusal::NotInWrapUp => "not in wrap-up",
            Refusal::AlreadyTried => "already tried",
            Refusal::RingsAlready => "rung for this call",
            Refusal::LeaseRefused => "taken by another call",
            Refusal::Ringing => "rung for another call",
            Refusal::OnCall => "on a call",
            Refusal::NotSignedIn => "not signed in",
            Refusal::Paused { .. } => "paused",
            Refusal::OffShift => "off shift",
            Refusal::WrapUp => "in wrap-up",
            Refusal::NoPhone => "without a reachable phone",
            Refusal::PhoneTaken => "with the phone in use",
        }
    }

    /// The analyst is at work and will be free again: waiting may help.
    pub fn is_busy(&self) -> bool {
        matches!(
            self,
            Refusal::Ringing | Refusal::OnCall | Refusal::WrapUp | Refusal::LeaseRefused | Refusal::PhoneTaken
        )
    }

    /// Says only that the analyst is of another group: any other reason tells more.
    pub(crate) fn is_group(&self) -> bool {
        matches!(self, Refusal::NotOnCall | Refusal::NotSupervisor | Refusal::NotInWrapUp)
    }
}

/// How an analyst fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit<'a> {
    /// `None` for a supervisor, whom nobody asks.
    pub qualification: Option<&'a Qualification>,
    /// Which phones to ring: positions in [`Person::phones`], not empty.
    pub phones: Vec<usize>,
}

/// The whole filter for one person as one of the group `who`.
pub fn judge<'a>(person: &'a Person, who: Who, need: &Need) -> Result<Fit<'a>, Refusal> {
    let qualification = match who {
        Who::Supervisor if !person.of_hospital => return Err(other_hospital(need)),
        Who::Supervisor => None,
        Who::Qualified | Who::WrapUp | Who::OnCall => Some(qualified(person, need)?),
    };
    match who {
        Who::OnCall if !person.on_call => return Err(Refusal::NotOnCall),
        Who::Supervisor if !person.supervisor => return Err(Refusal::NotSupervisor),
        Who::Qualified | Who::WrapUp | Who::OnCall | Who::Supervisor => {}
    }
    untouched(person)?;
    if matches!(who, Who::Qualified | Who::WrapUp) {
        at_desk(person)?;
    }
    match person.occupied {
        Occupied::Free => {}
        Occupied::Ringing => return Err(Refusal::Ringing),
        Occupied::OnCall => return Err(Refusal::OnCall),
    }
    match who {
        Who::Qualified if person.wrap_up => return Err(Refusal::WrapUp),
        Who::WrapUp if !person.wrap_up => return Err(Refusal::NotInWrapUp),
        Who::Qualified | Who::WrapUp | Who::OnCall | Who::Supervisor => {}
    }
    Ok(Fit { qualification, phones: phones(person, who)? })
}

/// What the analyst may take: the best of the qualifications that cover the need, or the reason of the one that comes
/// closest.
pub fn qualified<'a>(person: &'a Person, need: &Need) -> Result<&'a Qualification, Refusal> {
    if !person.of_hospital {
        return Err(other_hospital(need));
    }
    if let Some(site) = need.site.as_ref().filter(|_| !person.of_site) {
        return Err(Refusal::OtherSite { site: site.clone() });
    }
    if !person.languages.contains(&need.language) {
        return Err(Refusal::Language { language: need.language.clone() });
    }
    let mut best: Option<&Qualification> = None;
    let mut nearest: Option<(u8, Refusal)> = None;
    for held in &person.qualifications {
        match covers(held, need, person.today) {
            Ok(()) if best.is_none_or(|best| held.qualification.level > best.level) => best = Some(&held.qualification),
            Ok(()) => {}
            Err(miss) if nearest.as_ref().is_none_or(|(steps, _)| miss.0 > *steps) => nearest = Some(miss),
            Err(_) => {}
        }
    }
    let nothing = || Refusal::NoQualification { system: need.system.clone() };
    best.ok_or_else(|| nearest.map_or_else(nothing, |(_, refusal)| refusal))
}

/// The checks in order; on a miss, how many were passed.
fn covers(held: &Held, need: &Need, today: Date) -> Result<(), (u8, Refusal)> {
    let Held { qualification: held, release: standing } = held;
    let other_hospital = held.hospital.as_ref().is_some_and(|hospital| *hospital != need.hospital);
    let other_system = need.system.as_ref().is_some_and(|system| *system != held.system);
    if other_hospital || other_system {
        return Err((0, Refusal::NoQualification { system: need.system.clone() }));
    }
    if let (Some(module), Modules::Only(modules)) = (&need.module, &held.modules)
        && !modules.contains(module)
    {
        return Err((1, Refusal::Module { system: held.system.clone(), module: module.clone() }));
    }
    if held.level < need.level {
        return Err((2, Refusal::Level { system: held.system.clone(), held: held.level, needed: need.level }));
    }
    runs(standing.as_ref(), held, need.release.as_ref()).map_err(|refusal| (3, refusal))?;
    valid(held, today)
}

/// Why a qualification counts for nothing at this moment, whatever is needed of it.
pub(super) fn lapsed(held: &Held, today: Date) -> Option<Refusal> {
    let ran = runs(held.release.as_ref(), &held.qualification, None);
    ran.and_then(|()| valid(&held.qualification, today).map_err(|(_, refusal)| refusal)).err()
}

fn valid(held: &Qualification, today: Date) -> Result<(), (u8, Refusal)> {
    if let Some(from) = held.valid_from.filter(|from| today < *from) {
        return Err((4, Refusal::NotYetValid { from }));
    }
    if let Some(on) = held.valid_until.filter(|until| today > *until) {
        return Err((5, Refusal::Expired { on }));
    }
    Ok(())
}

/// The release that runs, as it was looked up with the choice; else that of the need, if it is known.
fn runs(standing: Option<&Standing>, held: &Qualification, needed: Option<&String>) -> Result<(), Refusal> {
    match (standing, &held.releases, needed) {
        (Some(Standing::Stale { release, since }), ..) => {
            Err(Refusal::Stale { since: *since, release: release.clone() })
        }
        (Some(Standing::Never { release }), ..) => Err(Refusal::Release { release: release.clone() }),
        (None, Releases::Only(releases), Some(release)) if !releases.contains(release) => {
            Err(Refusal::Release { release: release.clone() })
        }
        (Some(Standing::Current), ..) | (None, Releases::Any | Releases::Only(_), _) => Ok(()),
    }
}

/// This call has had nothing to do with the analyst.
fn untouched(person: &Person) -> Result<(), Refusal> {
    match person.with_this_call {
        WithThisCall::Nothing => Ok(()),
        WithThisCall::Rung { .. } => Err(Refusal::RingsAlready),
        WithThisCall::Tried => Err(Refusal::AlreadyTried),
        WithThisCall::Refused => Err(Refusal::LeaseRefused),
    }
}

fn at_desk(person: &Person) -> Result<(), Refusal> {
    match &person.presence {
        Presence::SignedOut => Err(Refusal::NotSignedIn),
        Presence::Paused { reason } => Err(Refusal::Paused { reason: reason.clone() }),
        Presence::Available if !person.on_shift => Err(Refusal::OffShift),
        Presence::Available => Ok(()),
    }
}

/// The phones at which somebody of this group is rung.
fn phones(person: &Person, who: Who) -> Result<Vec<usize>, Refusal> {
    let declares_on_call = person.phones.iter().any(|phone| phone.usage == PhoneUse::OnCall);
    let usage = match who {
        Who::Qualified | Who::WrapUp => PhoneUse::Desk,
        // Somebody on call without a phone for it sits at the desk phone.
        Who::OnCall if declares_on_call => PhoneUse::OnCall,
        Who::OnCall => PhoneUse::Desk,
        Who::Supervisor if at_desk(person).is_ok() && !usable(person, PhoneUse::Desk).is_empty() => PhoneUse::Desk,
        Who::Supervisor => PhoneUse::OnCall,
    };
    let usable = usable(person, usage);
    if !usable.is_empty() {
        return Ok(usable);
    }
    let taken = person.phones.iter().any(|phone| phone.usage == usage && phone.reachable && phone.taken);
    Err(if taken { Refusal::PhoneTaken } else { Refusal::NoPhone })
}

fn usable(person: &Person, usage: PhoneUse) -> Vec<usize> {
    let rings = |phone: &PhoneState| phone.usage == usage && phone.reachable && !phone.taken;
    person.phones.iter().enumerate().filter(|(_, phone)| rings(phone)).map(|(position, _)| position).collect()
}

fn other_hospital(need: &Need) -> Refusal {
    Refusal::OtherHospital { needed: need.hospital.clone() }
}

fn of_system(system: &Option<SystemId>) -> String {
    system.as_ref().map_or_else(String::new, |system| format!(" for {system}"))
}

fn because(reason: &Option<String>) -> String {
    reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"))
}

/// A language as people call it; its folder name when it is none of the usual.
fn spoken(language: &Language) -> &str {
    match language.as_str() {
        "de" => "German",
        "en" => "English",
        "es" => "Spanish",
        "fr" => "French",
        "ht" => "Haitian Creole",
        "it" => "Italian",
        "ko" => "Korean",
        "pl" => "Polish",
        "pt" => "Portuguese",
        "ru" => "Russian",
        "tl" => "Tagalog",
        "vi" => "Vietnamese",
        "zh" => "Chinese",
        other => other,
    }
}
