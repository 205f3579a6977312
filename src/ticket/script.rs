//! Records for tests: who does what, seconds after a Monday noon.

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use super::*;
use crate::identity::{Caller, Confidence, EhrContext, Place, Source, Sourced};
use crate::ids::{AnalystId, CallId, Extension, HospitalId, Language, OfferId, RungId, Seq, TicketNumber};
use crate::routing::{Behind, Choice, Decision, Level, Need, OfferOutcome, Snapshot, Who};

/// Second zero of every script.
pub const NOON: &str = "2026-11-23T12:00:00Z";

pub fn at(seconds: f64) -> Timestamp {
    let noon: Timestamp = NOON.parse().unwrap();
    noon + SignedDuration::from_secs_f64(seconds)
}

pub fn call(number: u64) -> CallId {
    CallId(Ulid::from_parts(1_800_000_000_000, u128::from(number)))
}

/// Records in the order in which they are written, numbered from 1.
#[derive(Default)]
pub struct Script {
    pub records: Vec<Record>,
    pub number: u64,
}

impl Script {
    pub fn new() -> Script {
        Script::default()
    }

    /// The next lines belong to this ticket's call, which begins now.
    pub fn open(&mut self, number: u64, seconds: f64) -> &mut Script {
        self.number = number;
        self.event(seconds, Event::CallOpened(opened(number)))
    }

    /// The next lines belong to this ticket's call.
    pub fn on(&mut self, number: u64) -> &mut Script {
        self.number = number;
        self
    }

    pub fn event(&mut self, seconds: f64, event: Event) -> &mut Script {
        let call = call(self.number);
        self.push(seconds, Some(call), event)
    }

    pub fn desk(&mut self, seconds: f64, event: Event) -> &mut Script {
        self.push(seconds, None, event)
    }

    pub fn push(&mut self, seconds: f64, call: Option<CallId>, event: Event) -> &mut Script {
        let seq = Seq(self.records.len() as u64 + 1);
        self.records.push(Record { seq, at: at(seconds), call, event });
        self
    }

    pub fn from(&mut self, seconds: f64, unit: &str, system: &str) -> &mut Script {
        let caller = Box::new(caller(unit, system));
        self.event(seconds, Event::CallerIdentified { caller })
    }

    pub fn need(&mut self, seconds: f64, module: &str, system: &str) -> &mut Script {
        self.event(seconds, Event::NeedSettled { need: need(module, system), by: NeedSource::Place })
    }

    pub fn offer(&mut self, seconds: f64, offer: u64, analyst: &str) -> &mut Script {
        let (offer, analyst) = (OfferId(offer), AnalystId::new(analyst));
        self.event(seconds, Event::OfferSent { offer, analyst, rung: RungId::new("qualified"), outside: false })
    }

    pub fn ringing(&mut self, seconds: f64, offer: u64, analyst: &str) -> &mut Script {
        self.event(seconds, Event::OfferRinging { offer: OfferId(offer), analyst: AnalystId::new(analyst) })
    }

    pub fn offer_ended(&mut self, seconds: f64, offer: u64, analyst: &str, outcome: OfferOutcome) -> &mut Script {
        self.event(seconds, Event::OfferEnded { offer: OfferId(offer), analyst: AnalystId::new(analyst), outcome })
    }

    /// Offer, answer, bridge and the first word, all at once.
    pub fn helped(&mut self, seconds: f64, offer: u64, analyst: &str) -> &mut Script {
        self.offer(seconds, offer, analyst);
        self.event(seconds, Event::AnalystAnswered { offer: OfferId(offer), analyst: AnalystId::new(analyst) });
        self.event(seconds, Event::Bridged { with: Party::Analyst });
        self.event(seconds, Event::HumanHeard)
    }

    pub fn disposition(&mut self, seconds: f64, by: &str, code: DispositionCode, solved: Option<bool>) -> &mut Script {
        let disposition = Disposition { code, solved, note: None };
        self.event(seconds, Event::DispositionSet { by: AnalystId::new(by), disposition })
    }

    pub fn booked(&mut self, seconds: f64, due: f64, reason: CallbackReason) -> &mut Script {
        self.event(seconds, Event::CallbackBooked { number: Extension::new("4710"), due: at(due), reason })
    }

    pub fn ended(&mut self, seconds: f64, cause: HangupCause, by: Party) -> &mut Script {
        self.event(seconds, Event::CallEnded { cause, by })
    }

    /// The ticket of the script's only call.
    pub fn ticket(&self) -> Ticket {
        let tickets = fold(&self.records);
        assert_eq!(tickets.len(), 1);
        tickets.into_values().next().unwrap()
    }
}

pub fn opened(number: u64) -> CallOpened {
    CallOpened {
        ticket: TicketNumber(number),
        hospital: HospitalId::new("mercy"),
        plan: "desk".into(),
        language: Language::new("en"),
        trunk: Some("pbx".into()),
        calling: "4710".to_owned(),
        dialled: "7000".to_owned(),
        sip_call_id: format!("{number}@pbx"),
        test: false,
        rehearsal: false,
        continues: None,
    }
}

fn sourced<T>(value: T) -> Option<Sourced<T>> {
    Some(Sourced { value, source: Source::ExtensionMap, confidence: Confidence::Claimed, at: at(0.0) })
}

pub fn caller(unit: &str, system: &str) -> Caller {
    let place =
        Place { site: "main".into(), unit: unit.into(), unit_name: unit.to_uppercase(), room: None, workstation: None };
    let ehr = EhrContext {
        system: system.into(),
        product: "Epic".to_owned(),
        instance: "PRD".to_owned(),
        environment: "production".to_owned(),
        release: None,
        module: None,
    };
    Caller {
        hospital: HospitalId::new("mercy"),
        number: sourced("4710".to_owned()),
        extension: sourced(Extension::new("4710")),
        class: None,
        place: sourced(place),
        ehr: sourced(ehr),
        person: None,
        call_back: None,
    }
}

pub fn need(module: &str, system: &str) -> Need {
    Need {
        hospital: HospitalId::new("mercy"),
        site: None,
        system: Some(system.into()),
        module: Some(module.into()),
        release: None,
        language: Language::new("en"),
        level: Level::Basic,
    }
}

pub fn decision(analyst: &str, because: &str) -> Event {
    let (who, because) = (Who::Qualified, because.to_owned());
    let inputs = Snapshot {
        who: vec![who],
        at_once: 2,
        continuity: None,
        people: Vec::new(),
        unlisted: 0,
        behind: Behind::default(),
    };
    let decision = Decision {
        need: need("charting", "epic"),
        rung: "qualified".into(),
        chosen: vec![Choice { analyst: analyst.into(), who, phones: vec![0], because }],
        passed_over: Vec::new(),
        others: Vec::new(),
        inputs,
    };
    Event::RouteDecided { decision: Box::new(decision) }
}
