//! Plans out of a seed: every kind of step, in every order that the check allows, under conditions that are free. Some
//! are wild: their steps lead where the check must refuse it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use crate::diagnostic::Report;
use crate::ids::Language;
use crate::ivr::{Keyed, Known, Plan, Prompts};

/// SplitMix64: tiny, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % (bound.max(1) as u64)) as usize
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const WORDS: [(&str, u64, u64); 11] = [
    ("problem", 4_000, 4_000),
    ("please-call-again", 1_250, 1_600),
    ("p0", 300, 500),
    ("p1", 700, 200),
    ("p2", 1_100, 1_100),
    ("p3", 1_505, 1_200),
    ("p4", 2_300, 3_000),
    ("p5", 3_900, 3_700),
    ("unit-a", 900, 800),
    ("unit-b", 1_300, 1_450),
    ("digit-7", 520, 490),
];

/// Silence of so many milliseconds, as a WAV file.
fn wav(millis: u64) -> Vec<u8> {
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

/// The words above, in so many of two languages.
pub fn prompts(languages: usize) -> Arc<Prompts> {
    let (mut prompts, mut report) = (Prompts::default(), Report::new());
    for language in ["en", "de"].into_iter().take(languages) {
        let mut manifest = format!("language = \"{language}\"\n[prompts]\n");
        for (name, _, _) in WORDS {
            writeln!(manifest, "{name} = \"x\"").expect("a String takes it");
        }
        let mut read = |path: &str| {
            let name = path.split(['/', '.']).nth(1).expect("language/name.wav");
            let (_, english, german) = WORDS.iter().find(|(known, _, _)| *known == name).expect("a word");
            Ok(wav(if language == "en" { *english } else { *german }))
        };
        prompts.add(&Language::new(language), &manifest, &mut read, &mut report);
    }
    assert!(report.is_empty(), "{:?}", report.diagnostics());
    Arc::new(prompts)
}

/// A step while it is made: its lines, and where it leads.
struct Made {
    text: String,
    next: Vec<String>,
}

struct Maker {
    rng: Rng,
    steps: BTreeMap<String, Made>,
}

/// One plan in so many is wild.
pub const WILD: u64 = 5;

/// Whether the check may refuse the plan of this seed.
pub fn is_wild(seed: u64) -> bool {
    seed.is_multiple_of(WILD)
}

/// The text of a plan: a valid one unless it is wild.
pub fn text(seed: u64) -> String {
    let mut maker = Maker { rng: Rng(seed), steps: BTreeMap::new() };
    let wild = is_wild(seed);
    let count = |rng: &mut Rng, least: usize, more: usize| least + rng.below(more + 1);
    let named = |name: &str, count: usize| (0..count).map(|number| format!("{name}{number}")).collect::<Vec<_>>();
    let before = named("before", count(&mut maker.rng, 0, 4));
    let alerts = named("alert", count(&mut maker.rng, 1, 1));
    let ring = named("ring", count(&mut maker.rng, 0, 2));
    let connects = named("connect", count(&mut maker.rng, 1, 1));
    let mut after = named("after", count(&mut maker.rng, 0, 4));
    let operator_at = maker.rng.below(after.len() + 1);
    after.insert(operator_at, "operator".to_owned());
    // Wild: hung up on, and nothing was promised.
    let last = [if wild { "bye" } else { "told" }.to_owned(), "booked".to_owned()];

    for (place, name) in before.iter().enumerate() {
        let mut to: Vec<String> = before[place + 1..].iter().chain(&alerts).chain(&alerts).cloned().collect();
        if maker.rng.once_in(4) {
            to.push("operator".to_owned());
        }
        if maker.rng.once_in(25) {
            to.push("booked".to_owned());
        }
        maker.step(name, &to, &[], true);
    }
    // Wild: phones hardly ring.
    let leaves_ringing = ["booked".to_owned(), "operator".to_owned()];
    let hurries: &[String] = if wild { &leaves_ringing } else { &[] };
    for name in &alerts {
        let to: Vec<String> = ring.iter().chain(&connects).chain(hurries).cloned().collect();
        let next = maker.to(&to);
        maker.add(name, "alert", vec![next.clone()], format!("next = \"{next}\"\n"));
    }
    for (place, name) in ring.iter().enumerate() {
        let to: Vec<String> =
            ring[place + 1..].iter().chain(&connects).chain(&connects).chain(hurries).cloned().collect();
        let by_key = if maker.rng.once_in(4) { &leaves_ringing[..] } else { &[] };
        maker.step(name, &to, by_key, false);
    }
    let ends: Vec<String> = after.iter().chain(&last).cloned().collect();
    // Some stay on after asking to be called about an incident, and are rung for anew.
    let stays = maker.rng.once_in(3);
    let mut leaves = ends.clone();
    if stays {
        leaves.extend(["stays".to_owned(), "stays".to_owned()]);
        let say = maker.say();
        let text = format!("cause = \"incident\"\nsay = {say}\nnext = \"between\"\n");
        maker.add("stays", "callback", vec!["between".to_owned()], text);
        maker.step("between", &["again".to_owned()], &[], false);
        maker.add("again", "alert", vec!["connect-again".to_owned()], "next = \"connect-again\"\n".to_owned());
        maker.connect("connect-again", &ends);
    }
    for name in &connects {
        maker.connect(name, &leaves);
    }
    for (place, name) in after.iter().enumerate() {
        let to: Vec<String> = after[place + 1..].iter().chain(&last).cloned().collect();
        if name == "operator" {
            maker.transfer(name, &to);
        } else {
            maker.step(name, &to, &[], true);
        }
    }
    maker.callback("booked", None);
    maker.callback("told", Some("bye".to_owned()));
    let said = maker.say();
    maker.add("bye", "hangup", Vec::new(), format!("say = {said}\n"));

    let start = before.first().unwrap_or(&alerts[0]).clone();
    let person = alerts[maker.rng.below(alerts.len())].clone();
    maker.written(&start, &person)
}

impl Maker {
    fn add(&mut self, name: &str, kind: &str, next: Vec<String>, text: String) {
        self.steps.insert(name.to_owned(), Made { text: format!("type = \"{kind}\"\n{text}"), next });
    }

    fn to(&mut self, to: &[String]) -> String {
        to[self.rng.below(to.len())].clone()
    }

    /// Up to three words, of 4 s together in either language.
    fn say(&mut self) -> String {
        let words = [
            ("p0", 500),
            ("p1", 700),
            ("p2", 1_100),
            ("p3", 1_505),
            ("p4", 3_000),
            ("p5", 3_900),
            ("{unit}", 1_450),
            ("{unit|p0}", 1_450),
            ("{code}", 2_080),
        ];
        let (count, mut left) = ([0, 1, 1, 1, 2, 3][self.rng.below(6)], 4_000);
        let mut said = Vec::new();
        for _ in 0..count {
            let (word, length) = words[self.rng.below(words.len())];
            if length <= left {
                said.push(word);
                left -= length;
            }
        }
        format!("{said:?}")
    }

    fn wait(&mut self) -> &'static str {
        self.rng.pick(&["0s", "300ms", "1s", "1.5s", "4s"])
    }

    /// One that leads on to some of `to`, and by keys to some of `by_key` too; where phones do not ring, also one that
    /// withdraws.
    fn step(&mut self, name: &str, to: &[String], by_key: &[String], withdraws: bool) {
        match self.rng.below(if withdraws { 10 } else { 8 }) {
            0 if self.rng.once_in(2) => {
                let (say, next) = (self.say(), self.to(to));
                let say = if self.rng.once_in(2) { format!("say = {say}\n") } else { String::new() };
                self.add(name, "notice", vec![next.clone()], format!("{say}next = \"{next}\"\n"));
            }
            1 if self.rng.once_in(3) => {
                let next = self.to(to);
                self.add(name, "set", vec![next.clone()], format!("system = \"s\"\nnext = \"{next}\"\n"));
            }
            0 | 1 => {
                let (say, next) = (self.say(), self.to(to));
                self.add(name, "play", vec![next.clone()], format!("say = {say}\nnext = \"{next}\"\n"));
            }
            2..5 => self.menu(name, to, by_key),
            5 => self.collect(name, to),
            6 | 7 => self.branch(name, to),
            8 => {
                let next = self.to(to);
                self.callback(name, Some(next));
            }
            _ => self.transfer(name, to),
        }
    }

    fn menu(&mut self, name: &str, to: &[String], by_key: &[String]) {
        let keyed: Vec<String> = to.iter().chain(by_key).cloned().collect();
        let (say, wait, tries) = (self.say(), self.wait(), 1 + self.rng.below(3));
        let (silence, wrong) = (self.to(to), self.to(to));
        let mut text = format!("say = {say}\nwait = \"{wait}\"\ntries = {tries}\n");
        write!(text, "silence = \"{silence}\"\nwrong = \"{wrong}\"\n").expect("a String takes it");
        let mut next = vec![silence, wrong];
        let skipped = self.rng.once_in(3);
        for key in ["1", "2", "\"*\"", "\"#\""] {
            if self.rng.once_in(2) || (skipped && key == "1") {
                let to = self.to(&keyed);
                writeln!(text, "keys.{key} = {{ system = \"s\", next = \"{to}\" }}").expect("a String takes it");
                next.push(to);
            }
        }
        if skipped {
            let to = self.to(to);
            write!(text, "ask = \"if-it-matters\"\nskip = \"{to}\"\n").expect("a String takes it");
            next.push(to);
        }
        self.add(name, "menu", next, text);
    }

    fn collect(&mut self, name: &str, to: &[String]) {
        let (say, wait) = (self.say(), self.wait());
        let (tries, digits) = (1 + self.rng.below(2), 3 + self.rng.below(2));
        let number = self.rng.pick(&Keyed::NAMES);
        let next: Vec<String> = (0..3).map(|_| self.to(to)).collect();
        let text = format!(
            "say = {say}\nwait = \"{wait}\"\ntries = {tries}\nnumber = \"{number}\"\ndigits = {digits}\n\
             accepted = \"{}\"\nrejected = \"{}\"\nsilence = \"{}\"\n",
            next[0], next[1], next[2]
        );
        self.add(name, "collect", next, text);
    }

    fn branch(&mut self, name: &str, to: &[String]) {
        let mut next = Vec::new();
        let mut cases = String::new();
        for _ in 0..1 + self.rng.below(3) {
            let (on_shift, to) = (self.rng.once_in(2), self.to(to));
            write!(cases, "{{ on_shift = {on_shift}, next = \"{to}\" }}, ").expect("a String takes it");
            next.push(to);
        }
        let otherwise = self.to(to);
        let text = format!("cases = [{cases}]\nelse = \"{otherwise}\"\n");
        next.push(otherwise);
        self.add(name, "branch", next, text);
    }

    fn callback(&mut self, name: &str, next: Option<String>) {
        let (say, no_number) = (self.say(), self.say());
        // Two of one cause on a path would be booked, and waited for, once.
        let cause = match name {
            "booked" | "told" => "nobody-free",
            _ if name.ends_with(['0', '2', '4']) => "asked",
            _ => "operator-silent",
        };
        let mut text = format!("cause = \"{cause}\"\nsay = {say}\nno_number = {no_number}\n");
        if let Some(next) = &next {
            writeln!(text, "next = \"{next}\"").expect("a String takes it");
        }
        self.add(name, "callback", next.into_iter().collect(), text);
    }

    fn transfer(&mut self, name: &str, to: &[String]) {
        let (say, next) = (self.say(), self.to(to));
        let ring_for = self.rng.pick(&["3s", "3500ms", "6s"]);
        let target = if name == "operator" { name } else { "t" };
        let text = format!("target = \"{target}\"\nsay = {say}\nring_for = \"{ring_for}\"\nno_answer = \"{next}\"\n");
        self.add(name, "transfer", vec![next], text);
    }

    fn connect(&mut self, name: &str, to: &[String]) {
        let give_up = self.to(to);
        let said: Vec<String> = (0..3).map(|_| self.say()).collect();
        let mut text = format!("ringing = {}\non_call = {}\nall_busy = {}\n", said[0], said[1], said[2]);
        let mut next = vec![give_up.clone()];
        writeln!(text, "give_up = \"{give_up}\"\nasks = [").expect("a String takes it");
        for _ in 0..self.rng.below(3) {
            let (at, say, wait) = (self.rng.below(20), self.say(), self.wait());
            let (on_shift, number) = (self.rng.once_in(2), self.rng.pick(&Keyed::NAMES));
            write!(text, "{{ at = \"{at}s\", when = {{ on_shift = {on_shift} }}, say = {say}, wait = \"{wait}\", ")
                .expect("a String takes it");
            write!(text, "number = \"{number}\", digits = 3, accepted = [\"p0\"] }}, ").expect("a String takes it");
        }
        text.push_str("]\nwaiting = [");
        // A key that is offered anew with another meaning loses its first one, so no two share one.
        for key in 1..=self.rng.below(3) {
            let (at, say, to) = (self.rng.below(20), self.say(), self.to(to));
            write!(text, "{{ at = \"{at}s\", say = {say}, keys = {{ {key} = \"{to}\" }} }}, ")
                .expect("a String takes it");
            next.push(to);
        }
        text.push_str("]\n");
        self.add(name, "connect", next, text);
    }

    /// Only what a call can reach.
    fn written(&mut self, start: &str, person: &str) -> String {
        let mut reached = BTreeSet::new();
        let mut open = VecDeque::from([start.to_owned(), person.to_owned(), "operator".to_owned()]);
        while let Some(name) = open.pop_front() {
            if reached.insert(name.clone()) {
                open.extend(self.steps[&name].next.iter().cloned());
            }
        }
        let (book, give_up) = *self.rng.pick(&[&("1s", "3s"), &("2s", "12s"), &("10s", "90s")]);
        let mut text = format!("name = \"any\"\nstart = \"{start}\"\nperson = \"{person}\"\noperator = \"operator\"\n");
        write!(text, "[hunting]\nbook_callback_after = \"{book}\"\ngive_up_after = \"{give_up}\"\n")
            .expect("a String takes it");
        for name in reached {
            write!(text, "[steps.{name}]\n{}", self.steps[&name].text).expect("a String takes it");
        }
        text
    }
}

/// The plan of a seed; `None` for a wild one that is refused, for what makes it wild.
pub fn plan(seed: u64, prompts: &Prompts) -> Option<Arc<Plan>> {
    let text = text(seed);
    let mut report = Report::new();
    let known = Known { prompts: Some(prompts), ..Known::default() };
    let plan = Plan::load("plans/any.toml", &text, &known, &mut report);
    let is_why = |what: &str| {
        ["may withdraw phones that hardly rang", "may end a call that was promised nothing"]
            .iter()
            .any(|why| what.contains(why))
    };
    let wild = is_wild(seed) && report.diagnostics().iter().all(|found| !found.is_error() || is_why(&found.what));
    assert!(!report.has_errors() || wild, "{:#?}\n{text}", report.diagnostics());
    plan.map(Arc::new)
}
