//! A caller, a desk and a clock for the interpreter: a script in, a ladder out. Prompts have the lengths of HOTLINE.md's
//! table, so that expectations do not move when a voice is rendered anew.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use jiff::civil::{Time, Weekday};

use crate::diagnostic::Report;
use crate::digit::Digit;
use crate::identity::PhoneClass;
use crate::ids::{Extension, IncidentId, Language, ModuleId, PromptId, SiteId, SystemId, UnitId};
use crate::ivr::{
    CallbackCause, Effect, Facts, HuntNews, Input, Interpreter, Keyed, Known, KnownProblem, NeedPatch, Origin, Plan,
    Prompts, SettledBy, World,
};
use crate::time::{Duration, Instant};

pub const SAMPLE: &str = include_str!("../../../sip-config/plans/hotline.toml");
const MANIFEST: &str = include_str!("../../../prompts/en/manifest.toml");

/// Milliseconds; what is not named takes half a second.
const LENGTHS: &[(&str, usize)] = &[
    ("desk", 1_300),
    ("unit-4-west", 1_000),
    ("ringing", 1_600),
    ("desk-question", 4_000),
    ("staff-desk", 3_700),
    ("key-extension", 2_600),
    ("key-badge", 2_000),
    ("calling-on-call", 2_000),
    ("module-charting", 800),
    ("analysts-on-calls", 3_000),
    ("callback-offer", 3_000),
    ("known-problem-charting", 3_100),
    ("callback-when-fixed", 2_500),
    ("connecting-operator", 2_300),
    ("no-answer-dial", 2_000),
];

/// Silence of so many milliseconds, as a WAV file.
pub fn wav(millis: usize) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("writer");
    for _ in 0..millis * 8 {
        writer.write_sample(0i16).expect("sample");
    }
    writer.finalize().expect("finalized");
    bytes.into_inner()
}

pub fn prompts() -> Arc<Prompts> {
    let mut read = |path: &str| {
        let name = path.trim_start_matches("en/").trim_end_matches(".wav");
        Ok(wav(LENGTHS.iter().find(|(known, _)| *known == name).map_or(500, |(_, millis)| *millis)))
    };
    let (mut prompts, mut report) = (Prompts::default(), Report::new());
    prompts.add(&Language::new("en"), MANIFEST, &mut read, &mut report);
    assert!(report.is_empty(), "{:?}", report.diagnostics());
    Arc::new(prompts)
}

pub fn plan(text: &str) -> Arc<Plan> {
    let prompts = prompts();
    let mut report = Report::new();
    let known = Known { prompts: Some(&prompts), ..Known::default() };
    let plan = Plan::load("plans/test.toml", text, &known, &mut report);
    assert!(!report.has_errors(), "{:#?}", report.diagnostics());
    Arc::new(plan.expect("no errors, so a plan"))
}

/// The charge nurse's telephone on 4 West.
pub fn ward_phone() -> Facts {
    Facts {
        class: Some(PhoneClass::Ward),
        mapped: true,
        extension: Some(Extension::new("4710")),
        site: Some(SiteId::new("main")),
        unit: Some(UnitId::new("4-west")),
        unit_prompt: Some(PromptId::new("unit-4-west")),
        system: Some(SystemId::new("ehr")),
        can_call_back: true,
        code_number: Some("5555".to_owned()),
        local_time: Time::constant(10, 0, 0, 0),
        weekday: Weekday::Tuesday,
        ..Facts::unknown(Origin::Inside, Language::new("en"))
    }
}

/// An extension that is not in the map.
pub fn unmapped_phone() -> Facts {
    Facts {
        extension: Some(Extension::new("7741")),
        can_call_back: true,
        code_number: Some("5555".to_owned()),
        ..Facts::unknown(Origin::Inside, Language::new("en"))
    }
}

/// What the desk looks like, and what happens when.
pub struct Script {
    pub facts: Facts,
    /// An answer to the question would change who is rung.
    pub matters: bool,
    pub on_shift: bool,
    /// A known problem concerns the caller.
    pub incident: bool,
    /// Numbers that the directory knows.
    pub directory: &'static [&'static str],
    /// When speech may begin, in ms after the INVITE: answered at 100, ACK at once, 400 more.
    pub start: u64,
    /// What the hunt says, in ms after ringing began.
    pub news: &'static [(u64, HuntNews)],
    /// What is booked is kept for good at once.
    pub keeps: bool,
    /// What happens, in ms after the INVITE.
    pub events: Vec<(u64, Input)>,
    pub until: u64,
}

impl Script {
    pub fn of(facts: Facts) -> Script {
        Script {
            facts,
            matters: false,
            on_shift: true,
            incident: false,
            directory: &[],
            start: 500,
            news: &[(0, HuntNews::Ringing)],
            keeps: true,
            events: Vec::new(),
            until: 100_000,
        }
    }

    /// One key every 200 ms.
    pub fn keys(mut self, from: u64, keys: &str) -> Script {
        for (number, key) in (0u64..).zip(keys.chars()) {
            let digit = Digit::from_char(key).expect("a key");
            self.events.push((from + number * 200, Input::Key(digit)));
        }
        self
    }

    pub fn at(mut self, millis: u64, input: Input) -> Script {
        self.events.push((millis, input));
        self
    }

    /// Runs through the sample plan.
    pub fn ladder(self) -> String {
        self.ladder_of(&plan(SAMPLE))
    }

    pub fn ladder_of(mut self, plan: &Arc<Plan>) -> String {
        let (matters, on_shift, incident) = (self.matters, self.on_shift, self.incident);
        let world = Desk { matters, on_shift, incident };
        self.events.push((self.start, Input::Start));
        self.events.sort_by_key(|(at, _)| *at);
        let prompts = prompts();
        let mut walk = Interpreter::new(Arc::clone(plan), Arc::clone(&prompts), self.facts.clone());
        let mut ladder = String::new();
        let (mut now, mut spoken) = (Instant::ZERO, None);
        walk.begin(now, &world);
        loop {
            drain(&mut walk, now, &prompts, &mut spoken, &mut self, &mut ladder);
            // Of the same instant: first what ends, then deadlines, then what people do.
            let next = [
                spoken.map(|at| (at, 0)),
                walk.poll_timeout().map(|at| (at, 1)),
                self.events.first().map(|(at, _)| (Instant::from_millis(*at), 2)),
            ];
            let Some((at, which)) = next.into_iter().flatten().min() else { break };
            if at > Instant::from_millis(self.until) || walk.is_over() {
                break;
            }
            assert!(at >= now, "time goes back");
            now = at;
            let input = match which {
                0 => {
                    spoken = None;
                    Input::SpokenDone
                }
                1 => Input::Timeout,
                _ => self.events.remove(0).1,
            };
            walk.handle(now, input, &world);
        }
        ladder
    }
}

fn drain(
    walk: &mut Interpreter,
    now: Instant,
    prompts: &Prompts,
    spoken: &mut Option<Instant>,
    script: &mut Script,
    ladder: &mut String,
) {
    while let Some(effect) = walk.poll_effect() {
        match &effect {
            Effect::Say { language, prompts: said } => *spoken = Some(now + prompts.total_length(language, said)),
            Effect::StopSaying => *spoken = None,
            Effect::Alert { .. } => {
                for (after, news) in script.news {
                    script.events.push((now.as_micros() / 1_000 + after, Input::Hunting(*news)));
                }
                script.events.sort_by_key(|(at, _)| *at);
            }
            Effect::Entered(_)
            | Effect::Skipped(_)
            | Effect::Told { .. }
            | Effect::Prioritise(_)
            | Effect::Ringback
            | Effect::Hold
            | Effect::Set(_)
            | Effect::Withdraw
            | Effect::CancelCallback
            | Effect::Dial { .. }
            | Effect::Hangup => {}
            Effect::Check { digits, .. } => {
                let accepted = script.directory.contains(&digits.as_str());
                script.events.insert(0, (now.as_micros() / 1_000, Input::Checked { accepted }));
            }
            Effect::BookCallback { .. } => {
                if script.keeps {
                    script.events.insert(0, (now.as_micros() / 1_000, Input::Kept));
                }
            }
        }
        let millis = now.as_micros() / 1_000;
        let told = told(&effect, script.directory);
        writeln!(ladder, "{}.{:03} {told}", millis / 1_000, millis % 1_000).expect("a String takes it");
    }
}

/// One effect as the ladders write it.
fn told(effect: &Effect, directory: &[&str]) -> String {
    match effect {
        Effect::Entered(step) => format!("> {step}"),
        Effect::Skipped(step) => format!("skip {step}"),
        Effect::Say { prompts, .. } => {
            let names: Vec<&str> = prompts.iter().map(PromptId::as_str).collect();
            format!("say {}", names.join(" "))
        }
        Effect::Prioritise(priority) => format!("priority {}", priority.as_str()),
        Effect::Told { incident } => format!("told of {incident}"),
        Effect::StopSaying => "stop".to_owned(),
        Effect::Ringback => "ringback".to_owned(),
        Effect::Hold => "hold".to_owned(),
        Effect::Set(NeedPatch { module, .. }) => format!("set {}", module.as_ref().map_or("other", ModuleId::as_str)),
        Effect::Alert { by, .. } => match by {
            SettledBy::Place => "alert by place".to_owned(),
            SettledBy::Key => "alert by key".to_owned(),
            SettledBy::NoKey => "alert by no key".to_owned(),
            SettledBy::Plan => "alert by plan".to_owned(),
        },
        Effect::Withdraw => "withdraw".to_owned(),
        Effect::BookCallback { cause } => match cause {
            CallbackCause::Waiting => "book waiting".to_owned(),
            CallbackCause::Asked => "book asked".to_owned(),
            CallbackCause::NobodyFree => "book nobody-free".to_owned(),
            CallbackCause::OperatorSilent => "book operator-silent".to_owned(),
            CallbackCause::Abandoned => "book abandoned".to_owned(),
            CallbackCause::Incident => "book incident".to_owned(),
        },
        Effect::CancelCallback => "cancel callback".to_owned(),
        Effect::Check { what, digits, .. } => {
            let what = match what {
                Keyed::Badge => "badge",
                Keyed::Extension => "extension",
                Keyed::Ticket => "ticket",
                Keyed::CallbackNumber => "call back at",
                Keyed::Pin => "PIN",
            };
            format!("{what} {digits} {}", if directory.contains(&digits.as_str()) { "known" } else { "unknown" })
        }
        Effect::Dial { target } => format!("dial {target}"),
        Effect::Hangup => "hangup".to_owned(),
    }
}

pub struct Desk {
    pub matters: bool,
    pub on_shift: bool,
    pub incident: bool,
}

impl World for Desk {
    fn would_change(&self, _: &[NeedPatch]) -> bool {
        self.matters
    }

    fn on_shift(&self) -> bool {
        self.on_shift
    }

    fn incident(&self, _: &NeedPatch) -> Option<KnownProblem> {
        self.incident.then(|| KnownProblem { id: IncidentId(7), prompt: PromptId::new("known-problem-charting") })
    }

    fn system_down(&self, _: &NeedPatch) -> bool {
        self.incident
    }

    /// Whoever is told of an incident here has a ticket about it, of half an hour ago.
    fn open_ticket(&self) -> bool {
        self.incident
    }

    fn last_helped(&self, _: &NeedPatch) -> Option<Duration> {
        self.incident.then_some(Duration::from_secs(1_800))
    }
}

/// Compares ladders line by line; `expected` may be indented.
#[track_caller]
pub fn assert_ladder(ladder: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let ladder: Vec<&str> = ladder.lines().collect();
    assert_eq!(ladder, expected, "\nthe ladder was:\n{}\n", ladder.join("\n"));
}

/// After so many milliseconds.
pub fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}
