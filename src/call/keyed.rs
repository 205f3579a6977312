//! A number was keyed: looked up, counted where it was wrong, and what it says of the caller noted. All within the input
//! that brought its last key, so that no other call is heard between a wrong PIN and its count (line F76).
//!
//! Of a badge or a PIN only the verdict is remembered. A right PIN during a lock takes the same way as a wrong one.

use crate::call::context::Context;
use crate::call::guide::CameBy;
use crate::call::open::need_of;
use crate::call::{Call, CallbackState, Stage};
use crate::config::Hospital;
use crate::identity::{Suspect, claim_badge, claim_callback, claim_extension, is_public_emergency, verify_by_pin};
use crate::ids::{AnalystId, Extension, StepId, TicketNumber};
use crate::ivr::plan::Keyed;
use crate::ivr::{Facts, Input};
use crate::ticket::Event;

/// Who audits a lock.
const LOCKOUT: &str = "lockout";

/// The earlier ticket that the caller has keyed.
#[derive(Clone, Debug)]
pub(super) struct Follows {
    /// Who had it last: rung first, if qualified.
    pub(super) analyst: Option<AnalystId>,
}

/// What a keyed number came to.
enum Verdict {
    Right,
    Wrong,
    /// Wrong, and counted.
    Guessed(Vec<Suspect>),
    /// Not looked at: the person or the calling number is locked.
    Locked,
}

impl Call {
    pub(super) fn number_keyed(&mut self, ctx: &mut Context<'_>, step: StepId, what: Keyed, digits: &str) {
        let verdict = match self.hospital(ctx) {
            None => Verdict::Wrong,
            Some(hospital) => match what {
                Keyed::Badge => self.badge_keyed(ctx, hospital, digits),
                Keyed::Extension => {
                    let number = Extension::new(digits);
                    verdict(claim_extension(&mut self.caller, &number, &hospital.directory, ctx.wall))
                }
                Keyed::Ticket => verdict(ctx.tickets.find(&self.hospital, digits).is_some()),
                Keyed::CallbackNumber => self.callback_number_keyed(ctx, hospital, digits),
                Keyed::Pin => self.pin_keyed(ctx, digits),
            },
        };
        let accepted = matches!(verdict, Verdict::Right);
        ctx.record(Event::Collected { step, accepted });
        match verdict {
            Verdict::Right => self.learn(ctx, what, digits),
            Verdict::Guessed(suspects) => self.count(ctx, what, suspects),
            Verdict::Wrong | Verdict::Locked => {}
        }
        self.guide_input(ctx, Input::Checked { accepted });
    }

    // -- Verdicts ----------------------------------------------------------------------------------------------------

    fn badge_keyed(&mut self, ctx: &Context<'_>, hospital: &Hospital, digits: &str) -> Verdict {
        let phone = self.calling_suspect();
        if ctx.lockouts.is_locked(ctx.now, &self.hospital, &phone) {
            return Verdict::Locked;
        }
        match claim_badge(&mut self.caller, digits, &hospital.directory, ctx.wall) {
            Some(_) => Verdict::Right,
            None => Verdict::Guessed(vec![phone]),
        }
    }

    /// Against whoever the caller claims to be. Somebody without a PIN is guessed at like anybody.
    fn pin_keyed(&self, ctx: &Context<'_>, digits: &str) -> Verdict {
        let phone = self.calling_suspect();
        let person = self.caller.person.as_ref().map(|person| person.value.clone());
        let mut suspects: Vec<Suspect> = person.iter().cloned().map(Suspect::Person).collect();
        suspects.push(phone);
        if suspects.iter().any(|suspect| ctx.lockouts.is_locked(ctx.now, &self.hospital, suspect)) {
            return Verdict::Locked;
        }
        match person {
            Some(person) if ctx.pins.proves(&self.hospital, &person, digits) => Verdict::Right,
            Some(_) | None => Verdict::Guessed(suspects),
        }
    }

    /// An inside number, or one outside that the hospital allows; never an emergency's, nor our own.
    fn callback_number_keyed(&mut self, ctx: &Context<'_>, hospital: &Hospital, digits: &str) -> Verdict {
        let number = Extension::new(digits);
        let ours = hospital.code_numbers.contains(&number) || hospital.hotlines.contains_key(&number);
        let emergency = is_public_emergency(digits) && hospital.directory.phone(&number).is_none();
        if ours || emergency || Call::way_to_keyed(ctx, hospital, &number).is_none() {
            return Verdict::Wrong;
        }
        claim_callback(&mut self.caller, number, ctx.wall);
        Verdict::Right
    }

    fn calling_suspect(&self) -> Suspect {
        Suspect::Number(self.caller.number.as_ref().map(|number| number.value.clone()).unwrap_or_default())
    }

    // -- What comes of it --------------------------------------------------------------------------------------------

    fn learn(&mut self, ctx: &mut Context<'_>, what: Keyed, digits: &str) {
        match what {
            Keyed::Badge | Keyed::Extension => {}
            Keyed::CallbackNumber => self.book_at_keyed_number(ctx),
            Keyed::Ticket => {
                if let Some(ticket) = ctx.tickets.find(&self.hospital, digits) {
                    self.follows = Some(Follows { analyst: ticket.analyst.clone() });
                    let ticket: TicketNumber = ticket.number;
                    ctx.record(Event::TicketLinked { ticket });
                }
                return self.learn_facts(ctx);
            }
            Keyed::Pin => {
                verify_by_pin(&mut self.caller, ctx.wall);
                if let Some(person) = &self.caller.person {
                    let suspect = Suspect::Person(person.value.clone());
                    if ctx.lockouts.forget(&self.hospital, &suspect) {
                        ctx.record(Event::TallyCleared { hospital: self.hospital.clone(), suspect });
                    }
                }
            }
        }
        ctx.record(Event::CallerIdentified { caller: Box::new(self.caller.clone()) });
        if self.need.system.is_none() {
            let (system, module) = (self.need.system.take(), self.need.module.take());
            self.need = need_of(&self.caller, &self.language);
            self.need.system = system.or(self.need.system.take());
            self.need.module = module.or(self.need.module.take());
        }
        self.learn_facts(ctx);
    }

    fn learn_facts(&mut self, ctx: &Context<'_>) {
        let Stage::Guided(guided) = &self.stage else { return };
        let Some(guide) = &guided.guide else { return };
        let Facts { trunk, dialled, digits, .. } = guide.facts().clone();
        let facts = self.facts(ctx, CameBy { trunk, dialled, digits });
        if let Stage::Guided(guided) = &mut self.stage
            && let Some(guide) = &mut guided.guide
        {
            guide.learn(facts);
        }
    }

    /// What is owed already is owed to the number that was keyed.
    fn book_at_keyed_number(&mut self, ctx: &mut Context<'_>) {
        if let CallbackState::Owed { reason } = self.callback {
            self.owe(ctx, reason);
        }
    }

    /// Counts a wrong badge or PIN; what begins a lock is audited.
    fn count(&mut self, ctx: &mut Context<'_>, what: Keyed, suspects: Vec<Suspect>) {
        let rules = self.hospital(ctx).map(|hospital| hospital.lockout).unwrap_or_default();
        let kind = if what == Keyed::Pin { "PINs" } else { "badges or PINs" };
        for suspect in suspects {
            let object = format!("{suspect} of {}", self.hospital);
            let counted = ctx.lockouts.wrong((ctx.now, ctx.wall), &rules, &self.hospital, suspect);
            ctx.record(Event::WrongCounted(Box::new(counted.tally)));
            if let Some((wrong, lasts)) = counted.locked {
                let action = format!("lock for {} s after {wrong} wrong {kind}", lasts.as_secs());
                ctx.record(Event::Audit { actor: LOCKOUT.to_owned(), action, object, reason: None });
            }
        }
    }
}

fn verdict(right: bool) -> Verdict {
    if right { Verdict::Right } else { Verdict::Wrong }
}
