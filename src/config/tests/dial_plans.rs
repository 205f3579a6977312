//! docs/dial-plans.md is true: its plans are valid one by one and end in the sample plan, its mistakes read as shown, its
//! recipes fit the sample configuration.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::grammar::{committed, merged, placeless};
use super::{File, Folder, file, findings, root, surroundings};
use crate::config::{Loaded, compose, cover, render};
use crate::diagnostic::Report;
use crate::ivr::plan::{ENDS_WITHIN, OFFER_WITHIN};
use crate::proof::Proof;
use crate::simulate::Cases;

/// A fenced block: its language and text.
struct Block {
    language: String,
    text: String,
}

/// Blocks of a page, with the headings between them.
enum Part {
    Heading(String),
    Block(Block),
}

fn parts(page: &str) -> Vec<Part> {
    let (mut parts, mut open): (Vec<Part>, Option<Block>) = (Vec::new(), None);
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some(Block { language: language.to_owned(), text: String::new() }),
            (Some(_), Some(_)) => parts.extend(open.take().map(Part::Block)),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) if line.starts_with('#') => {
                parts.push(Part::Heading(line.trim_start_matches(['#', ' ']).to_owned()));
            }
            (None, None) => {}
        }
    }
    parts
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file of the repository")
}

/// The sample configuration, with other texts for some of its files.
fn sample(base: &Path, changed: &[(String, String)]) -> Result<Loaded, Report> {
    let text = |name: &str| {
        let own = changed.iter().rev().find(|(changed, _)| *changed == format!("{name}.toml"));
        own.map_or_else(|| read(&root().join(format!("sip-config/{name}.toml"))), |(_, text)| text.clone())
    };
    let of = |name: &str| -> File { file(name, &text(name)) };
    let folder = Folder {
        name: "sip-config".to_owned(),
        base: base.to_path_buf(),
        node: Some(of("wardline")),
        hospitals: vec![of("hospital"), of("hospital-cedar-point")],
        analysts: vec![of("analysts"), of("analysts-cedar-point")],
        plans: vec![of("plans/hotline")],
        ..Folder::default()
    };
    compose(&folder, &surroundings(), Report::new())
}

fn with_plan(text: &str) -> Result<Loaded, Report> {
    sample(&root(), &[("plans/hotline.toml".to_owned(), text.to_owned())])
}

fn shown(result: Result<Loaded, Report>) -> String {
    render::text(&findings(result), false)
}

/// The plan with lines of a diff exchanged.
fn mistaken(plan: &str, diff: &str) -> String {
    let side = |sign: char| -> String {
        diff.lines().filter_map(|line| line.strip_prefix(sign)).map(|line| format!("{line}\n")).collect()
    };
    let (from, to) = (side('-'), side('+'));
    assert!(plan.contains(&from), "the plan has no lines\n{from}\nin\n{plan}");
    plan.replacen(&from, &to, 1)
}

/// The bound of the first offer that the page shows is the one that was proved, and its steps are those of the worst path.
#[track_caller]
fn told(loaded: &Loaded, text: &str) {
    let bound = loaded.config.proofs.values().next().and_then(|proof| proof.first_offer.as_ref()).expect("a bound");
    let witness = &bound.witness;
    let within = format!("{:.1} s (limit 8 s)", (bound.within.as_secs_f64() * 10.0).ceil() / 10.0);
    assert!(text.contains(&within), "{within} is not in\n{text}");
    for walked in &witness.walked {
        let what = walked.told().unwrap_or_else(|| witness.outcome.to_string());
        let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(walked.step.as_str()));
        assert!(line.is_some_and(|line| line.ends_with(&what)), "{}: {what} is not in\n{text}", walked.step);
    }
}

#[test]
fn the_tutorial_builds_the_sample_plan_and_shows_what_check_says() {
    let page = read(&root().join("docs/dial-plans.md"));
    let (tutorial, cookbook) = page.split_once("\n# Cookbook\n").expect("a cookbook");
    let (mut plan, mut mistake) = (String::new(), None);
    let (mut plans, mut mistakes, mut proofs) = (0, 0, 0);
    let mut written = page.clone();
    for part in parts(tutorial) {
        let Part::Block(block) = part else { continue };
        match block.language.as_str() {
            "toml" => {
                plan = merged(&plan, &block.text);
                assert_eq!(shown(with_plan(&plan)), "", "plan {} of the page:\n{plan}", plans + 1);
                plans += 1;
            }
            "diff" => mistake = Some(block.text),
            "text" => {
                let Some(diff) = mistake.take() else {
                    proofs += 1;
                    told(&with_plan(&plan).expect("valid"), &block.text);
                    continue;
                };
                let said = shown(with_plan(&mistaken(&plan, &diff)));
                assert!(said.contains("error:"), "no mistake:\n{diff}");
                let mut block_there = String::new();
                let _ = write!(block_there, "```diff\n{diff}```\n\n```text\n{}```\n", block.text);
                written = written.replace(&block_there, &format!("```diff\n{diff}```\n\n```text\n{said}```\n"));
                mistakes += 1;
            }
            // Tried by hand: its commands write files.
            "sh" => {}
            other => panic!("what is a block of `{other}`?"),
        }
    }
    committed("docs/dial-plans.md", &written);
    assert_eq!((plans, mistakes, proofs), (8, 8, 1));
    assert!(!cookbook.is_empty());
    let built = with_plan(&plan).expect("valid").config;
    let there = sample(&root(), &[]).expect("valid").config;
    let steps = |config: &crate::config::Config| {
        let plan = config.plans.values().next().expect("a plan");
        let mut steps: Vec<String> = plan.steps().iter().map(|step| placeless(&format!("{step:?}"))).collect();
        steps.sort();
        // Places in the order of walking depend on the order of the file.
        let names = steps.iter().map(|step| step.split(", kind").next().unwrap_or_default().to_owned());
        (names.collect::<Vec<_>>(), format!("{:?} {:?} {}", plan.hunting, plan.call_back_abandoned, plan.language))
    };
    assert_eq!(steps(&built), steps(&there));
    let drawn = |config: &crate::config::Config| {
        let plan = config.plans.values().next().expect("a plan");
        let mut lines: Vec<String> = crate::ivr::draw::words(plan, &config.prompts);
        lines.sort();
        lines
    };
    assert_eq!(drawn(&built), drawn(&there));
}

/// A copy of prompts/ in which English stands for French, too.
fn two_languages() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for language in ["en", "fr"] {
        let to = folder.path().join("prompts").join(language);
        fs::create_dir_all(&to).expect("made");
        for entry in fs::read_dir(root().join("prompts/en")).expect("prompts").filter_map(Result::ok) {
            let bytes = fs::read(entry.path()).expect("read");
            let text = entry.file_name() == "manifest.toml";
            let bytes = if text {
                let text = String::from_utf8(bytes).expect("UTF-8");
                text.replace("language = \"en\"", &format!("language = \"{language}\"")).into_bytes()
            } else {
                bytes
            };
            fs::write(to.join(entry.file_name()), bytes).expect("written");
        }
    }
    folder
}

fn whats(report: &Report) -> Vec<&str> {
    report.diagnostics().iter().map(|finding| finding.what.as_str()).collect()
}

/// What the page itself says that `check` warns of.
fn warned(recipe: &str) -> &'static [&'static str] {
    if recipe != "A second language" {
        return &[];
    }
    // Owen Marsh works from 7 to 16 on working days; of those who know the laboratory's system, nobody speaks French.
    &[
        "492 h of the next 4 weeks have no analyst for `cedar-ehr`, in `fr`",
        "672 h of the next 4 weeks have no analyst for `tidewater-lab`, in `fr`",
    ]
}

/// Limits that a recipe declares, and that are a second longer than what is proved, or more.
fn too_loose(loaded: &Loaded) -> Vec<String> {
    let given = [OFFER_WITHIN, ENDS_WITHIN, Duration::from_secs(210)];
    let of_plan = |proof: &Proof| {
        let bounds = [&proof.first_offer, &proof.qualified_offer, &proof.end].map(Clone::clone);
        let own = bounds.into_iter().flatten().filter(|bound| !given.contains(&bound.limit));
        let loose = own.filter(|bound| bound.limit >= bound.within + Duration::from_secs(1));
        loose.map(|bound| format!("{:?} is declared, {:?} proved", bound.limit, bound.within)).collect::<Vec<_>>()
    };
    loaded.config.proofs.values().flat_map(of_plan).collect()
}

/// Each recipe of the cookbook by its heading, with the files that it changes.
fn recipes() -> Vec<(String, Vec<(String, String)>)> {
    let page = read(&root().join("docs/dial-plans.md"));
    let (_, cookbook) = page.split_once("\n# Cookbook\n").expect("a cookbook");
    let mut recipes: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for part in parts(cookbook) {
        match part {
            Part::Heading(heading) => recipes.push((heading, Vec::new())),
            Part::Block(block) => {
                let (_, changed) = recipes.last_mut().expect("a recipe has a heading");
                let first = block.text.lines().next().unwrap_or_default();
                let name = first.strip_prefix("# ").expect("its first line names the file");
                let there = changed.iter().rev().find(|(changed, _)| changed == name).map(|(_, text)| text.clone());
                let there = there.unwrap_or_else(|| read(&root().join("sip-config").join(name)));
                changed.push((name.to_owned(), merged(&there, &block.text)));
            }
        }
    }
    recipes.retain(|(_, changed)| !changed.is_empty());
    recipes
}

#[test]
fn every_recipe_fits_the_sample_configuration() {
    let base = two_languages();
    let recipes = recipes();
    for (recipe, changed) in &recipes {
        let mut loaded = sample(base.path(), changed);
        if let Ok(loaded) = &mut loaded {
            let (config, now) = (&loaded.config, surroundings().now);
            loaded.warnings.extend(cover::warnings(config, &config.staff, now));
        }
        let loose = loaded.as_ref().map(too_loose).unwrap_or_default();
        assert_eq!((whats(&findings(loaded)).as_slice(), loose), (warned(recipe), Vec::new()), "{recipe}");
    }
    assert_eq!(recipes.len(), 9);
}

/// The sample plan does not branch on open tickets; the recipe does.
const CALLS_AGAIN: &str = r#"
hospital = "mercy-harbor"
dial = "7100"
at = "2026-11-24T10:00"

[[cases]]
name = "helped half an hour ago, and the ticket is open"
from = "4712"
helped = "30m amara-osei"
open_ticket = true
do = ["6s amara-osei answers", "30s hang up"]
expect = { steps = ["who", "again", "known", "greet", "connect"], answered_by = "amara-osei" }

[[cases]]
name = "helped half an hour ago, and the ticket is closed"
from = "4712"
helped = "30m amara-osei"
do = ["6s amara-osei answers", "30s hang up"]
expect = { steps = ["who", "known", "greet", "connect"], answered_by = "amara-osei" }

[[cases]]
name = "helped too long ago"
from = "4712"
helped = "41m amara-osei"
open_ticket = true
do = ["6s amara-osei answers", "30s hang up"]
expect = { steps = ["who", "known", "greet", "connect"], answered_by = "amara-osei" }
"#;

#[test]
fn who_calls_again_with_an_open_ticket_goes_the_way_of_the_recipe() {
    let recipes = recipes();
    let (_, changed) = recipes.iter().find(|(recipe, _)| recipe.ends_with("who calls again")).expect("the recipe");
    let config = Arc::new(sample(&root(), changed).expect("valid").config);
    let mut report = Report::new();
    let cases = Cases::read("cases/again.toml", CALLS_AGAIN.as_bytes(), &config, &mut report);
    let Cases(cases) = cases.unwrap_or_else(|| panic!("{}", render::text(&report, false)));
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let judged = case.run(&config);
        assert!(judged.passed(), "{}: {:#?}\n{:#?}", judged.name, judged.wrong, judged.timeline);
    }
}

#[test]
fn what_the_desk_speaks_by_itself_is_there_in_every_language() {
    let base = two_languages();
    let hospital = read(&root().join("sip-config/hospital.toml"));
    let speaks = "languages = [\"en\"]";
    assert!(hospital.contains(speaks));
    let both = hospital.replacen(speaks, "languages = [\"en\", \"fr\"]", 1);
    let changed = [("hospital.toml".to_owned(), both)];
    assert_eq!(shown(sample(base.path(), &changed)), "");
    let manifest = base.path().join("prompts/fr/manifest.toml");
    let whole = read(&manifest);
    // Neither stands in a plan: one is heard by an outside phone, the other told by `{code}`.
    for gone in ["press-one-to-accept", "digit-5"] {
        let less: String = whole
            .lines()
            .filter(|line| !line.starts_with(&format!("{gone} =")))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(less.len() < whole.len(), "{gone} is there");
        fs::write(&manifest, less).expect("written");
        let said = shown(sample(base.path(), &changed));
        assert!(said.starts_with("error: prompts of `fr` that the desk speaks by itself are missing\n"), "{said}");
        assert!(said.contains(&format!("missing: {gone}\n")), "{said}");
    }
}

#[test]
fn a_number_that_nobody_dials_is_warned_of() {
    let plan = read(&root().join("sip-config/plans/hotline.toml"));
    let case = "{ incident = true,";
    let with = |dialled: &str| {
        let more = format!("{{ dialled = \"{dialled}\", next = \"known\" }},\n    {case}");
        let loaded = with_plan(&plan.replacen(case, &more, 1)).unwrap_or_else(|report| panic!("{report:?}"));
        let found = loaded.warnings.diagnostics().iter().map(|found| (found.what.clone(), found.nearest.clone()));
        found.collect::<Vec<_>>()
    };
    assert_eq!(with("7101"), [("7101 is no hotline of the plan".to_owned(), Some("7100".to_owned()))]);
    for dialled in ["7100", "71*", "6100", "+15550107100"] {
        assert_eq!(with(dialled), [], "{dialled}");
    }
}

#[test]
fn a_plan_asks_a_hospital_for_its_own_systems() {
    let plan = read(&root().join("sip-config/plans/hotline.toml"));
    let (key, foreign) = ("keys.1 = { module", "keys.1 = { system = \"meridian-amb\", module");
    assert!(plan.contains(key));
    let said = shown(with_plan(&plan.replacen(key, foreign, 1)));
    let expected =
        "error: key 1 asks for system `meridian-amb` with module `charting`, which nobody of `cedar-point` may take";
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("`mercy-harbor` may take"), "{said}");
    // Behind a case that holds at the other hospital alone, it is asked of nobody else.
    let apart = plan.replacen(key, foreign, 1).replacen("else = \"question\"", "else = \"known\"", 1).replacen(
        "{ incident = true,",
        "{ site = \"bayview\", next = \"question\" },\n    { incident = true,",
        1,
    );
    assert_eq!(shown(with_plan(&apart)), "");
}
