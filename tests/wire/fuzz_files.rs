//! The fuzz targets of admins' files. Whatever stands in them, reading ends in a configuration or in reasons that can be
//! drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use wardline::config::{File, Folder, Surroundings, compose, render};
use wardline::diagnostic::Report;
use wardline::ids::Language;
use wardline::ivr::{Known, Longest, Plan, Prompts};
use wardline::proof;

use super::mutate::{Rng, Target};

const CONFIG_ROUNDS: u64 = 600;
const PLAN_ROUNDS: u64 = 6_000;

const WORDS: &[&str] = &[
    "\n",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "\"",
    "'''",
    "#",
    " = ",
    ".",
    ",",
    "true",
    "-1",
    "9223372036854775808",
    "1e400",
    "nan",
    "2026-02-29",
    "\"\"",
    "[]",
    "{}",
    "\"9999999h\"",
    "\"0s\"",
    "\"*\"",
    "\"\\u0000\"",
    "\"\\uD800\"",
    "\u{feff}",
    "ü",
    "4700-4799",
    "next = \"ring\"\n",
    "type = \"menu\"\n",
    "say = [\"{unit|}\"]\n",
    "keys.1 = { next = \"ring\" }\n",
    "when = { class = \"ward\" }\n",
    "[steps.ring]\n",
    "[hunting]\n",
    "[analysts.x]\n",
    "[hotlines.7100]\nplan = \"hotline\"\n",
    "digest = \"md5\"",
    "first_offer_within = \"5s\"\n",
    "ends_within = \"600s\"\n",
    "give_up = \"nobody\"\n",
    "tries = 3\n",
];

/// What every report must be: drawn without a panic, with places inside of its files.
fn drawn(report: &Report) -> Result<(), String> {
    let places = report.diagnostics().iter().flat_map(|finding| {
        let related = finding.related.iter().map(|related| (&related.file, &related.span));
        std::iter::once((&finding.file, &finding.span)).chain(related)
    });
    for (file, span) in places {
        let Some(text) = report.sources.get(file) else { continue };
        if text.get(span.clone()).is_none() {
            return Err(format!("{file}: no place {span:?} in {} bytes", text.len()));
        }
    }
    let _ = (render::text(report, true), render::json(report).to_string());
    Ok(())
}

fn file(name: &str, stem: &str, text: &str) -> File {
    File { name: name.to_owned(), stem: stem.to_owned(), bytes: text.as_bytes().to_vec() }
}

/// The sample's files, one of them replaced by `input`: the one that it seems to come from.
fn sample_with(input: &[u8], rng: &mut Rng) -> Folder {
    let mut folder = Folder {
        name: "sip-config".to_owned(),
        base: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        node: Some(file("wardline.toml", "wardline", include_str!("../../sip-config/wardline.toml"))),
        hospitals: vec![
            file("hospital.toml", "hospital", include_str!("../../sip-config/hospital.toml")),
            file("hospital-2.toml", "hospital-2", include_str!("../../sip-config/hospital-cedar-point.toml")),
        ],
        analysts: vec![
            file("analysts.toml", "analysts", include_str!("../../sip-config/analysts.toml")),
            file("analysts-2.toml", "analysts-2", include_str!("../../sip-config/analysts-cedar-point.toml")),
        ],
        plans: vec![file("plans/hotline.toml", "hotline", include_str!("../../sip-config/plans/hotline.toml"))],
        ..Folder::default()
    };
    let text = String::from_utf8_lossy(input);
    let has = |word: &str| text.contains(word);
    let bytes = input.to_vec();
    match rng.below(20) {
        _ if has("[steps.") => folder.plans[0].bytes = bytes,
        _ if has("[analysts.") => folder.analysts[0].bytes = bytes,
        _ if has("time_zone") || has("hotlines") => folder.hospitals[0].bytes = bytes,
        0 => folder.hospitals[1].bytes = bytes,
        1 => folder.analysts[1].bytes = bytes,
        _ => folder.node = Some(File { bytes, ..file("wardline.toml", "wardline", "") }),
    }
    folder
}

fn config(input: &[u8], rng: &mut Rng) -> Result<(), String> {
    let now = "2026-11-23T15:00:00Z".parse().expect("a time");
    let surroundings = Surroundings { variables: BTreeMap::new(), now };
    match compose(&sample_with(input, rng), &surroundings, Report::new()) {
        Ok(loaded) if loaded.warnings.has_errors() => Err("loaded with errors".to_owned()),
        Ok(loaded) => drawn(&loaded.warnings),
        Err(report) if report.has_errors() => drawn(&report),
        Err(_) => Err("refused without a reason".to_owned()),
    }
}

/// The rendered prompts, so that plans are proved with real lengths.
fn prompts() -> &'static Prompts {
    static PROMPTS: LazyLock<Prompts> = LazyLock::new(|| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("prompts");
        Prompts::load(&[Language::new("en")], |path| fs::read(root.join(path)), &mut Report::new())
    });
    &PROMPTS
}

/// Whatever can be loaded can be proved: the path of each bound adds up to it, and goes no further than the limits allow.
fn proved(plan: &Plan, report: &mut Report) -> Result<(), String> {
    let longest = Longest::new(prompts(), &BTreeSet::new(), None);
    let proof = proof::prove(plan, &longest);
    let before = report.errors();
    proof::judge(plan, &proof, report);
    let bounds = [(&proof.first_offer, None), (&proof.qualified_offer, proof.coverage.within), (&proof.end, None)];
    for (bound, more) in bounds {
        let Some(bound) = bound else { continue };
        if bound.within != bound.witness.at + more.unwrap_or_default() + proof::MARGIN {
            return Err(format!("{:?} is not what its path takes: {}", bound.within, bound.witness));
        }
        if !bound.holds() && report.errors() == before {
            return Err(format!("over its limit, and not refused: {}", bound.witness));
        }
    }
    match proof.end {
        Some(_) => drawn(report),
        None => Err("a plan that never ends".to_owned()),
    }
}

fn plan(input: &[u8], rng: &mut Rng) -> Result<(), String> {
    let mut report = Report::new();
    let known = Known { prompts: (rng.below(2) == 0).then(prompts), ..Known::default() };
    let plan = Plan::load("plans/hotline.toml", &String::from_utf8_lossy(input), &known, &mut report);
    match plan {
        Some(_) if report.has_errors() => Err("loaded with errors".to_owned()),
        None if !report.has_errors() => Err("refused without a reason".to_owned()),
        Some(plan) if plan.prompts().count() > 0 && plan.keys().len() < 2 => Err("0 and 9 are always keys".to_owned()),
        Some(plan) => proved(&plan, &mut report),
        None => drawn(&report),
    }
}

#[test]
fn mutated_files_load_or_are_refused_with_reasons() {
    let samples = &[
        "sip-config/wardline.toml",
        "sip-config/hospital.toml",
        "sip-config/analysts.toml",
        "sip-config/plans/hotline.toml",
    ];
    Target { name: "config", samples, dictionary: WORDS, feed: config }.run(CONFIG_ROUNDS);
}

#[test]
fn mutated_plans_load_or_are_refused_with_reasons() {
    let samples = &["sip-config/plans/hotline.toml"];
    Target { name: "plan", samples, dictionary: WORDS, feed: plan }.run(PLAN_ROUNDS);
}
