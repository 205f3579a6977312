//! `wardline analysts`: who takes calls, what they do right now, and the passwords of their phones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, IsTerminal, Write};

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::ReloadKind;
use crate::api::wire::{Attest, Done, Reload, SetState, Withdraw};
use crate::cli::client::{Client, author, segment};
use crate::cli::exit::{Outcome, Refused, Unreachable, Usage};
use crate::cli::out::{Out, green, padded, red, tell};
use crate::cli::place::Place;
use crate::config::Config;
use crate::diagnostic::nearest;
use crate::ids::{HospitalId, ModuleId, SystemId};
use crate::routing::{Analyst, HeldAt, Modules, PhoneKind, Qualification, Releases, Staff};
use crate::store::{self, blocking};
use crate::ticket::AnalystStateRecord;

/// Shortest password that is taken: digest can be tried offline by whoever hears one registration.
const MIN_PASSWORD: usize = 10;
/// Characters of a generated password: 31^20 is about 2^99.
const GENERATED: usize = 20;
/// Without 0 and o, 1, l and i: it is typed at a phone.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

#[derive(Debug, Subcommand)]
pub enum AnalystsCommand {
    /// Everybody with their state now, or without it when no server runs
    List {
        /// Of this hospital
        #[arg(long)]
        hospital: Option<String>,
        /// As JSON, with phones and whether each has a password
        #[arg(long)]
        json: bool,
    },
    /// What one analyst may take: level, releases, evidence, validity, and what is stale
    Show {
        /// The analyst's id in analysts.toml
        analyst: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Vouch that an analyst knows a release: what went stale with it counts again, at once
    #[command(after_help = "Example:
  wardline analysts attest priya-natarajan --system meridian-amb --release 2026.1 \\
      --evidence \"upgrade course, 18 February\" --by \"V. Lindqvist\"")]
    Attest(AttestArgs),
    /// Set the password of an analyst's phone
    #[command(after_help = "Examples:
  wardline analysts set-password amara              asks twice, shows nothing
  wardline analysts set-password amara --generate   makes one and prints it once
  pass show desk/amara | wardline analysts set-password amara --stdin")]
    SetPassword(SetPasswordArgs),
    /// Sign an analyst in or out, or pause
    SetState {
        /// The analyst's id in analysts.toml
        analyst: String,
        #[arg(value_enum)]
        state: StateWord,
        /// Shown beside the state, and kept in the audit
        #[arg(long)]
        reason: Option<String>,
        /// Who wants it so; for the audit, where it is not whoever works by sudo
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct SetPasswordArgs {
    /// The phone's user name in analysts.toml (`register = "…"`), or the id of an analyst who has one such phone
    user: String,
    /// Read it from standard input: its first line
    #[arg(long, conflicts_with = "generate")]
    stdin: bool,
    /// Make one and print it
    #[arg(long)]
    generate: bool,
}

#[derive(Debug, Args)]
pub struct AttestArgs {
    /// The analyst's id in analysts.toml
    analyst: String,
    /// Of which system
    #[arg(long, value_name = "ID")]
    system: String,
    /// Whose system; needed when several of the analyst's hospitals have one of this id
    #[arg(long, value_name = "ID")]
    hospital: Option<String>,
    /// Only these modules; without it, all that the analyst holds
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    modules: Vec<String>,
    /// For which release; it need not run yet
    #[arg(long)]
    release: String,
    /// What shows it: a course, a test, a signed list
    #[arg(long, value_name = "TEXT", required_unless_present = "withdraw")]
    evidence: Option<String>,
    /// Take back what was attested by mistake, named as it was attested, and why
    #[arg(long, value_name = "WHY", conflicts_with = "evidence")]
    withdraw: Option<String>,
    /// Who vouches, or takes it back
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateWord {
    Available,
    Paused,
    SignedOut,
}

pub fn run(place: &Place, command: &AnalystsCommand, out: &mut Out) -> anyhow::Result<Outcome> {
    match command {
        AnalystsCommand::List { hospital, json } => list(place, hospital.as_deref(), *json, out),
        AnalystsCommand::Show { analyst, json } => show(place, analyst, *json, out),
        AnalystsCommand::Attest(args) => attest(place, args, out),
        AnalystsCommand::SetPassword(args) => set_password(place, args, out),
        AnalystsCommand::SetState { analyst, state, reason, by } => {
            let state = match state {
                StateWord::Available => AnalystStateRecord::Available,
                StateWord::Paused => AnalystStateRecord::Paused,
                StateWord::SignedOut => AnalystStateRecord::SignedOut,
            };
            let client = Client::new(&place.socket)?;
            let wanted = SetState { state, reason: reason.clone(), by: by.clone() };
            let done: Done = client.post(&format!("/v1/analysts/{}/state", segment(analyst)), &wanted)?;
            writeln!(out, "{}", done.done)?;
            Ok(Outcome::Done)
        }
    }
}

// -- list -------------------------------------------------------------------------------------------------------------

/// One analyst as the switch shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Live {
    pub analyst: String,
    name: String,
    pub status: String,
    detail: Option<String>,
    /// A phone of theirs has registered.
    pub reachable: bool,
    pub on_shift: bool,
    pub on_call: bool,
    missed: u32,
    /// Phones that cannot register for wrong passwords.
    #[serde(default)]
    locked: Vec<LockedPhone>,
    #[serde(default)]
    qualifications: Vec<HeldAt>,
}

#[derive(Debug, Deserialize, Serialize)]
struct LockedPhone {
    user: String,
    seconds: u64,
}

#[derive(Deserialize)]
struct LiveList {
    analysts: Vec<Live>,
}

fn list(place: &Place, hospital: Option<&str>, json: bool, out: &mut Out) -> anyhow::Result<Outcome> {
    let config = place.config.as_ref();
    place.knows_hospital(hospital.map(HospitalId::new).as_ref())?;
    let of_hospital = |id: &str| match (hospital, config.and_then(|config| config.staff.get(&id.into()))) {
        (Some(hospital), Some(analyst)) => analyst.hospitals.contains(&HospitalId::new(hospital)),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let shown: Vec<Live> = everybody(place)?.into_iter().filter(|live| of_hospital(&live.analyst)).collect();
    if json {
        let passwords = passwords(place);
        let all: Vec<Value> = shown.iter().map(|live| as_json(live, config, passwords.as_ref())).collect();
        out.json(&json!({ "analysts": all }))?;
        return Ok(Outcome::Done);
    }
    let head = [("analyst", 18), ("name", 20), ("now", 24), ("phone", 9)].map(|(word, width)| padded(word, width));
    writeln!(out, "{} shift    on call", head.join(" "))?;
    for live in &shown {
        let yes = |yes: bool, word: &str| if yes { word.to_owned() } else { "-".to_owned() };
        let state = live.detail.as_ref().map_or(live.status.clone(), |detail| format!("{} ({detail})", live.status));
        let missed = if live.missed == 0 { String::new() } else { format!("  {} missed", live.missed) };
        writeln!(
            out,
            "{} {} {} {} {} {}{missed}{}",
            padded(&live.analyst, 18),
            padded(&live.name, 20),
            padded(&state, 24),
            padded(&yes(live.reachable, "reachable"), 9),
            padded(&yes(live.on_shift, "on shift"), 8),
            padded(&yes(live.on_call, "on call"), 7),
            not_counting(&live.qualifications) + &locked_phones(&live.locked),
        )?;
    }
    Ok(Outcome::Done)
}

/// From the running node.
pub(super) fn live(place: &Place) -> anyhow::Result<Vec<Live>> {
    Ok(Client::new(&place.socket)?.get::<LiveList>("/v1/analysts")?.analysts)
}

/// From the running node; without one, from the files and the store.
fn everybody(place: &Place) -> anyhow::Result<Vec<Live>> {
    match live(place) {
        Ok(live) => Ok(live),
        Err(error) if error.is::<Unreachable>() => {
            tell("wardline: no server runs, so states are unknown");
            let staff = place.config()?.staff.clone().with_attested(place.attested()?);
            Ok(staff.iter().map(|analyst| without_server(analyst, &staff)).collect())
        }
        Err(error) => Err(error),
    }
}

/// "  meridian-amb: stale since …", for each system of which something does not count.
fn not_counting(held: &[HeldAt]) -> String {
    let mut systems: BTreeMap<&str, &str> = BTreeMap::new();
    for held in held {
        if let Some(why) = &held.counts_not {
            systems.entry(held.held.qualification.system.as_str()).or_insert(why);
        }
    }
    systems.into_iter().map(|(system, why)| format!("  {system}: {why}")).collect()
}

/// "  phone lena is locked for 240 s yet: wrong passwords; a new one frees it".
fn locked_phones(locked: &[LockedPhone]) -> String {
    let told = |phone: &LockedPhone| {
        let LockedPhone { user, seconds } = phone;
        format!(
            "  {}",
            red(&format!("phone {user} is locked for {seconds} s yet: wrong passwords; a new one frees it"))
        )
    };
    locked.iter().map(told).collect()
}

fn without_server(analyst: &Analyst, staff: &Staff) -> Live {
    let now = Timestamp::now();
    Live {
        analyst: analyst.id.to_string(),
        name: analyst.name.clone(),
        status: "unknown".to_owned(),
        detail: None,
        reachable: false,
        on_shift: analyst.on_shift(now),
        on_call: analyst.on_call(now),
        missed: 0,
        locked: Vec::new(),
        qualifications: staff.standing(analyst, now),
    }
}

/// Phones that have a password; `None` where the store cannot be asked.
fn passwords(place: &Place) -> Option<BTreeSet<String>> {
    let realm = &place.config.as_ref()?.node.registration.realm;
    if !place.data_dir.join("store.key").exists() {
        // Asking would make a store where there is none.
        return Some(BTreeSet::new());
    }
    let credentials = blocking(async || store::credentials(&place.data_dir).await).ok()?.ok()?;
    let of_realm = credentials.into_iter().filter(|credential| credential.realm == *realm);
    Some(of_realm.map(|credential| credential.account).collect())
}

fn as_json(live: &Live, config: Option<&Config>, passwords: Option<&BTreeSet<String>>) -> Value {
    let analyst = config.and_then(|config| config.staff.get(&live.analyst.as_str().into()));
    let phone = |phone: &crate::routing::Phone| {
        let mut value = json!({ "phone": phone.kind, "use": phone.usage, "outside": phone.outside });
        if let PhoneKind::Registered { user } = &phone.kind {
            value["password"] = json!(passwords.map(|known| known.contains(user)));
        }
        value
    };
    let phones = analyst.map(|analyst| analyst.phones.iter().map(phone).collect::<Vec<_>>());
    json!({
        "analyst": live.analyst, "name": live.name, "status": live.status, "detail": live.detail,
        "reachable": live.reachable, "on_shift": live.on_shift, "on_call": live.on_call, "missed": live.missed,
        "locked": live.locked,
        "hospitals": analyst.map(|analyst| &analyst.hospitals), "phones": phones,
        "qualifications": live.qualifications,
    })
}

// -- show and attest ----------------------------------------------------------------------------------------------------

fn show(place: &Place, analyst: &str, json: bool, out: &mut Out) -> anyhow::Result<Outcome> {
    let all = everybody(place)?;
    let Some(live) = all.iter().find(|live| live.analyst == analyst) else {
        let near = nearest(analyst, all.iter().map(|live| live.analyst.as_str()));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(Refused(format!("no analyst is called {analyst}{hint}")).into());
    };
    if json {
        out.json(&as_json(live, place.config.as_ref(), passwords(place).as_ref()))?;
        return Ok(Outcome::Done);
    }
    writeln!(out, "{}  {}, {}", live.analyst, live.name, live.status)?;
    if live.qualifications.is_empty() {
        writeln!(out, "  holds no qualification")?;
    }
    for HeldAt { hospital, held, evidence, counts_not } in &live.qualifications {
        let Qualification { system, modules, level, releases, attested, valid_from, valid_until, .. } =
            &held.qualification;
        let modules = match modules {
            Modules::All => "all modules".to_owned(),
            Modules::Only(names) => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
        };
        writeln!(out, "  {system} of {hospital}: {modules}; {}", level.as_str())?;
        let state = match (counts_not, &held.release) {
            (Some(why), _) => red(why),
            (None, Some(_)) => format!("{} for the release that runs", green("counts")),
            (None, None) => green("counts"),
        };
        let releases = match releases {
            Releases::Any => None,
            Releases::Only(names) => {
                Some(format!("releases {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))
            }
        };
        let parts = [
            Some(state),
            releases,
            attested.map(|day| format!("given on {day}")),
            valid_from.map(|day| format!("valid from {day}")),
            valid_until.map(|day| format!("valid until {day}")),
        ];
        writeln!(out, "    {}", parts.into_iter().flatten().collect::<Vec<_>>().join("; "))?;
        for evidence in evidence {
            writeln!(out, "    evidence: {evidence}")?;
        }
    }
    Ok(Outcome::Done)
}

fn attest(place: &Place, args: &AttestArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let modules = args.modules.iter().map(|module| ModuleId::new(module)).collect::<BTreeSet<_>>();
    let modules = Some(modules).filter(|modules| !modules.is_empty());
    let (hospital, system) = (args.hospital.as_deref().map(HospitalId::new), SystemId::new(&args.system));
    let AttestArgs { release, by, .. } = args;
    let (release, by) = (release.clone(), by.clone());
    let client = Client::new(&place.socket)?;
    let path = |what: &str| format!("/v1/analysts/{}/{what}", segment(&args.analyst));
    let done: Done = match &args.withdraw {
        Some(reason) => {
            let wanted = Withdraw { hospital, system, modules, release, reason: reason.clone(), by };
            client.post(&path("withdraw"), &wanted)?
        }
        None => {
            let evidence = args.evidence.clone().unwrap_or_default();
            client.post(&path("attest"), &Attest { hospital, system, modules, release, evidence, by })?
        }
    };
    writeln!(out, "{}", done.done)?;
    Ok(Outcome::Done)
}

// -- set-password -----------------------------------------------------------------------------------------------------

fn set_password(place: &Place, args: &SetPasswordArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let config = place.config()?;
    let user = phone_user(config, &args.user)?;
    let password = if args.generate {
        generated()?
    } else if args.stdin {
        first_line()?
    } else {
        typed_twice("password", &user)?
    };
    if password.chars().count() < MIN_PASSWORD {
        bail!("a password has at least {MIN_PASSWORD} characters; nothing was changed");
    }
    let realm = &config.node.registration.realm;
    let actor = author();
    store::make_dir(&place.data_dir)?;
    blocking(async || store::set_password(&place.data_dir, &user, realm, &password, &actor).await)??;
    let client = Client::new(&place.socket)?;
    let told = match client.post::<Done>("/v1/reload", &Reload { what: ReloadKind::Accounts }) {
        Ok(_) => "in force now",
        Err(error) if error.is::<Unreachable>() => "in force when the server starts",
        Err(error) => return Err(error.context("the password is stored, but the running server did not take it")),
    };
    if args.generate {
        // The password alone on standard output: a script takes it from there.
        writeln!(out, "{password}")?;
        tell(&format!("wardline: the password of {user}@{realm} is {told}"));
    } else {
        writeln!(out, "the password of {user}@{realm} is {told}")?;
    }
    Ok(Outcome::Done)
}

/// The phone that is meant: by its user name, or by an analyst who has just one that registers.
fn phone_user(config: &Config, wanted: &str) -> anyhow::Result<String> {
    if config.staff.by_user(wanted).is_some() {
        return Ok(wanted.to_owned());
    }
    let users = |analyst: &Analyst| -> Vec<String> {
        let user = |phone: &crate::routing::Phone| match &phone.kind {
            PhoneKind::Registered { user } => Some(user.clone()),
            PhoneKind::Sip { .. } | PhoneKind::Trunk { .. } => None,
        };
        analyst.phones.iter().filter_map(user).collect()
    };
    if let Some(analyst) = config.staff.get(&wanted.into()) {
        let own = users(analyst);
        return match own.as_slice() {
            [user] => Ok(user.clone()),
            [] => Err(Refused(format!("{wanted} has no phone that registers")).into()),
            _ => Err(Usage(format!("{wanted} has several phones; name one of {}", own.join(", "))).into()),
        };
    }
    let all: Vec<String> = config.staff.iter().flat_map(users).collect();
    let near = nearest(wanted, all.iter().map(String::as_str));
    let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Err(Refused(format!("no analyst's phone registers as {wanted}{hint}")).into())
}

fn generated() -> anyhow::Result<String> {
    let mut password = String::new();
    while password.len() < GENERATED {
        let mut bytes = [0u8; 64];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness from the system: {error}"))?;
        // 248 is the largest multiple of 31 in a byte: every character is as likely as any other.
        let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| ALPHABET[usize::from(byte % 31)]);
        password.extend(fair.take(GENERATED - password.len()).map(char::from));
    }
    Ok(password)
}

pub(super) fn first_line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

pub(super) fn typed_twice(what: &str, user: &str) -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Usage("no terminal to ask at; use --stdin or --generate".to_owned()).into());
    }
    let first = rpassword::prompt_password(format!("New {what} of {user}: "))?;
    let second = rpassword::prompt_password("Again: ")?;
    if first != second {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_long_typeable_and_never_the_same() {
        let (one, other) = (generated().expect("random"), generated().expect("random"));
        assert_eq!(one.len(), 20);
        assert!(one.bytes().all(|byte| ALPHABET.contains(&byte)), "{one}");
        assert_ne!(one, other);
    }
}
