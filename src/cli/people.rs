//! `wardline people`: the clinicians who call, their PINs, and who is locked out for keying wrong ones.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::ReloadKind;
use crate::api::wire::{ClearTally, Done, Reload, TallyList};
use crate::cli::analysts::{first_line, typed_twice};
use crate::cli::client::{Client, author};
use crate::cli::exit::{Outcome, Refused, Unreachable, Usage};
use crate::cli::out::{Out, padded, tell};
use crate::cli::place::Place;
use crate::config::{Config, Hospital};
use crate::diagnostic::nearest;
use crate::identity::{Clinician, Pins, Suspect, Tally, judge_pin};
use crate::ids::{ClinicianId, HospitalId};
use crate::plural;
use crate::store::{self, blocking};

/// Digits of a generated PIN.
const GENERATED: usize = 6;

#[derive(Debug, Subcommand)]
pub enum PeopleCommand {
    /// Everybody, whether they have a badge and a PIN, and who is locked
    List {
        /// Of this hospital
        #[arg(long, value_name = "ID")]
        hospital: Option<String>,
        /// Only people and calling numbers of whom wrong PINs or badges are counted
        #[arg(long)]
        locked: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a person's PIN
    #[command(after_help = "Examples:
  wardline people set-pin anika-rao              asks twice, shows nothing
  wardline people set-pin anika-rao --generate   makes one of six digits and prints it once
  wardline people set-pin anika-rao --stdin      its first line")]
    SetPin(SetPinArgs),
    /// Take a person's PIN away: whatever is keyed for them is refused
    ClearPin(PersonArgs),
    /// Forget the wrong PINs of a person, or of a calling number, and lift the lock
    #[command(after_help = "Examples:
  wardline people unlock anika-rao
  wardline people unlock --number 4710
  wardline people unlock --number ''             all who withhold their number")]
    Unlock(UnlockArgs),
}

#[derive(Debug, Args)]
pub struct PersonArgs {
    /// The person's id in hospital.toml
    person: String,
    /// Needed when the person stands in several hospitals
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
}

#[derive(Debug, Args)]
pub struct SetPinArgs {
    #[command(flatten)]
    person: PersonArgs,
    /// Read it from standard input: its first line
    #[arg(long, conflicts_with = "generate")]
    stdin: bool,
    /// Make one and print it
    #[arg(long)]
    generate: bool,
}

#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// The person's id in hospital.toml
    #[arg(required_unless_present = "number", conflicts_with = "number")]
    person: Option<String>,
    /// A calling number, as it stands on the ticket
    #[arg(long)]
    number: Option<String>,
    /// Needed when there are several hospitals
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
}

pub fn run(place: &Place, command: &PeopleCommand, out: &mut Out) -> anyhow::Result<Outcome> {
    match command {
        PeopleCommand::List { hospital, locked, json } => list(place, hospital.as_deref(), *locked, *json, out),
        PeopleCommand::SetPin(args) => set_pin(place, args, out),
        PeopleCommand::ClearPin(args) => {
            let (hospital, person) = person(place.config()?, &args.person, args.hospital.as_deref())?;
            keep(place, &hospital.id, &person.id, None)?;
            writeln!(out, "{} of {} has no PIN any more", person.id, hospital.id)?;
            Ok(Outcome::Done)
        }
        PeopleCommand::Unlock(args) => unlock(place, args, out),
    }
}

/// Who is meant; refused with the nearest name.
fn person<'a>(config: &'a Config, wanted: &str, of: Option<&str>) -> anyhow::Result<(&'a Hospital, &'a Clinician)> {
    let hospitals = || config.hospitals.values().filter(|hospital| of.is_none_or(|id| hospital.id.as_str() == id));
    let id = ClinicianId::new(wanted);
    let found: Vec<_> =
        hospitals().filter_map(|hospital| Some((hospital, hospital.directory.clinician(&id)?))).collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => {
            let known: Vec<&str> =
                hospitals().flat_map(|one| one.directory.clinicians()).map(|person| person.id.as_str()).collect();
            let near = nearest(wanted, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            Err(Refused(format!("no person is called {wanted}{near}")).into())
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|(hospital, _)| hospital.id.as_str()).collect();
            Err(Usage(format!("say of which hospital: --hospital, one of {}", ids.join(", "))).into())
        }
    }
}

// -- list -------------------------------------------------------------------------------------------------------------

fn list(place: &Place, of: Option<&str>, locked: bool, json: bool, out: &mut Out) -> anyhow::Result<Outcome> {
    let config = place.config()?;
    let tallies = match Client::new(&place.socket)?.get::<TallyList>("/v1/tallies") {
        Ok(list) => list.tallies,
        Err(error) if error.is::<Unreachable>() => {
            tell("wardline: no server runs, so locks are unknown");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let pins = pins(place)?;
    let now = Timestamp::now();
    let hospitals = || config.hospitals.values().filter(|hospital| of.is_none_or(|id| hospital.id.as_str() == id));
    let of_suspects: BTreeMap<(&HospitalId, &Suspect), &Tally> =
        tallies.iter().map(|tally| ((&tally.hospital, &tally.suspect), tally)).collect();
    let (mut people, mut numbers): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for hospital in hospitals() {
        for person in hospital.directory.clinicians() {
            let suspect = Suspect::Person(person.id.clone());
            let tally = of_suspects.get(&(&hospital.id, &suspect)).copied();
            if locked && tally.is_none() {
                continue;
            }
            let pin = pins.has(&hospital.id, &person.id);
            people.push(json!({
                "hospital": hospital.id, "person": person.id, "name": person.name,
                "badge": person.badge.is_some(), "pin": pin, "tally": tally,
            }));
            if !json {
                let yes = |yes: bool, word: &str| if yes { word.to_owned() } else { "-".to_owned() };
                writeln!(
                    out,
                    "{} {} {} {} {}",
                    padded(person.id.as_str(), 18),
                    padded(&person.name, 24),
                    padded(&yes(person.badge.is_some(), "badge"), 6),
                    padded(&yes(pin, "PIN"), 4),
                    counted(tally, hospital, now),
                )?;
            }
        }
        let calling = tallies.iter().filter(|tally| tally.hospital == hospital.id);
        for tally in calling.filter(|tally| matches!(tally.suspect, Suspect::Number(_))) {
            numbers.push(json!(tally));
            if !json {
                let suspect = padded(&tally.suspect.to_string(), 55);
                writeln!(out, "{suspect} {}", counted(Some(tally), hospital, now))?;
            }
        }
    }
    if json {
        out.json(&json!({ "people": people, "numbers": numbers }))?;
    } else if locked && people.is_empty() && numbers.is_empty() {
        writeln!(out, "no wrong PIN or badge is counted")?;
    }
    Ok(Outcome::Done)
}

/// "locked until 10:15 (2nd lock)", "3 wrong".
fn counted(tally: Option<&Tally>, hospital: &Hospital, now: Timestamp) -> String {
    let Some(tally) = tally else { return String::new() };
    match tally.locked_until.filter(|_| tally.is_locked(now)) {
        Some(until) => {
            let until = until.to_zoned(hospital.time_zone.clone());
            format!("locked until {} (lock {})", until.strftime("%a %H:%M"), tally.locks)
        }
        None if tally.wrong > 0 => format!("{} wrong", tally.wrong),
        None => format!("{} lately", plural::counted(tally.locks, "lock")),
    }
}

fn pins(place: &Place) -> anyhow::Result<Pins> {
    if !place.data_dir.join("store.key").exists() {
        // Asking would make a store where there is none.
        return Ok(Pins::default());
    }
    blocking(async || store::pins(&place.data_dir).await)?
}

// -- Changes ----------------------------------------------------------------------------------------------------------

fn set_pin(place: &Place, args: &SetPinArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let (hospital, person) = person(place.config()?, &args.person.person, args.person.hospital.as_deref())?;
    let badge = person.badge.as_deref();
    let pin = if args.generate {
        generated(badge)?
    } else if args.stdin {
        first_line()?
    } else {
        typed_twice("PIN", person.id.as_str())?
    };
    if let Err(weak) = judge_pin(&pin, badge) {
        bail!("{weak}; nothing was changed");
    }
    let told = keep(place, &hospital.id, &person.id, Some(&pin))?;
    if args.generate {
        // The PIN alone on standard output: a script takes it from there.
        writeln!(out, "{pin}")?;
        tell(&format!("wardline: the PIN of {} of {} is {told}", person.id, hospital.id));
    } else {
        writeln!(out, "the PIN of {} of {} is {told}", person.id, hospital.id)?;
    }
    Ok(Outcome::Done)
}

/// Into the store, and to the running server.
fn keep(place: &Place, hospital: &HospitalId, person: &ClinicianId, pin: Option<&str>) -> anyhow::Result<&'static str> {
    let actor = author();
    store::make_dir(&place.data_dir)?;
    blocking(async || store::set_pin(&place.data_dir, hospital, person, pin, &actor).await)??;
    let client = Client::new(&place.socket)?;
    match client.post::<Done>("/v1/reload", &Reload { what: ReloadKind::Accounts }) {
        Ok(_) => Ok("in force now"),
        Err(error) if error.is::<Unreachable>() => Ok("in force when the server starts"),
        Err(error) => Err(error.context("the change is stored, but the running server did not take it")),
    }
}

fn generated(badge: Option<&str>) -> anyhow::Result<String> {
    loop {
        let mut bytes = [0u8; 64];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness from the system: {error}"))?;
        // 250 is the largest multiple of 10 in a byte: every digit is as likely as any other.
        let fair = bytes.iter().filter(|byte| **byte < 250).map(|byte| char::from(b'0' + byte % 10));
        let pin: String = fair.take(GENERATED).collect();
        if judge_pin(&pin, badge).is_ok() {
            return Ok(pin);
        }
    }
}

fn unlock(place: &Place, args: &UnlockArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let config = place.config()?;
    let (hospital, suspect) = match (&args.person, &args.number) {
        (Some(wanted), _) => {
            let (hospital, person) = person(config, wanted, args.hospital.as_deref())?;
            (hospital.id.clone(), Suspect::Person(person.id.clone()))
        }
        (None, number) => {
            let hospital = place.hospital(args.hospital.as_deref())?;
            (hospital, Suspect::Number(number.clone().unwrap_or_default()))
        }
    };
    let done: Done = Client::new(&place.socket)?.post("/v1/tallies/clear", &ClearTally { hospital, suspect })?;
    writeln!(out, "{}", done.done)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_pins_may_be_set_and_are_never_the_same_for_long() {
        let pins: std::collections::BTreeSet<String> = (0..20).map(|_| generated(None).expect("random")).collect();
        assert!(pins.len() > 15, "{pins:?}");
        assert!(pins.iter().all(|pin| pin.len() == 6 && judge_pin(pin, None).is_ok()));
    }
}
