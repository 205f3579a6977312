//! Each kind of edit, told as an admin would.

use bytes::Bytes;

use super::*;

const PLAN: &str = include_str!("../../../sip-config/plans/hotline.toml");
const HOSPITAL: &str = include_str!("../../../sip-config/hospital.toml");
const ANALYSTS: &str = include_str!("../../../sip-config/analysts.toml");
const NODE: &str = include_str!("../../../sip-config/wardline.toml");

fn sample() -> Content {
    let files = [
        ("wardline.toml", NODE),
        ("hospital.toml", HOSPITAL),
        ("analysts.toml", ANALYSTS),
        ("plans/hotline.toml", PLAN),
        ("prompts/en/manifest.toml", "language = \"en\"\n[prompts]\ndesk = \"Desk.\"\n"),
    ];
    files.iter().map(|(name, text)| ((*name).to_owned(), Bytes::from_static(text.as_bytes()))).collect()
}

/// The sample with one text replaced, which must be there.
fn with(name: &str, from: &str, to: &str) -> Content {
    let mut content = sample();
    let text = String::from_utf8(content[name].to_vec()).expect("UTF-8");
    assert!(text.contains(from), "{from}");
    content.insert(name.to_owned(), Bytes::from(text.replacen(from, to, 1)));
    content
}

#[track_caller]
fn told(new: &Content, expected: &str) {
    assert_eq!(compare(&sample(), new).text(100).trim_end(), expected.trim());
}

#[test]
fn cases_and_rules_are_no_people_and_each_file_of_cases_stands_alone() {
    let mut new = sample();
    for name in ["cases/day.toml", "cases/night.toml", "import.toml"] {
        new.insert(name.to_owned(), Bytes::from_static(b"note = 1\n"));
    }
    told(&new, "cases day\n  + all its cases\ncases night\n  + all its cases\nrules of import\n  + all rules");
}

#[test]
fn a_step_field_by_field() {
    let mut new = with("plans/hotline.toml", "wait = \"1.5s\"\n\n# The place", "wait = \"2s\"\n\n# The place");
    let text = String::from_utf8(new["plans/hotline.toml"].to_vec()).expect("UTF-8");
    let text = text.replace("keys.2 = { module = \"sign-in\", next = \"ring\" }", "keys.2 = { next = \"greet\" }");
    let text =
        text.replacen("silence = \"ring\"\nwrong = \"ring\"\nwait = \"2s\"", "wrong = \"ring\"\nwait = \"2s\"", 1);
    new.insert("plans/hotline.toml".to_owned(), Bytes::from(text));
    told(
        &new,
        "plan hotline\n  ~ steps.question: keys.2.module removed (was sign-in); keys.2 now leads to `greet` (was `ring`); \
         silence removed (was ring); wait 1.5s → 2s",
    );
}

#[test]
fn steps_that_come_and_go() {
    let new = with(
        "plans/hotline.toml",
        "[steps.ring]\ntype = \"alert\"\nnext = \"connect\"\n",
        "[steps.page]\ntype = \"play\"\nsay = [\"desk\"]\nnext = \"connect\"\n",
    );
    told(&new, "plan hotline\n  + steps.page: next connect; say [desk]; type play\n  - steps.ring");
}

#[test]
fn a_rung_by_its_name() {
    let new = with(
        "plans/hotline.toml",
        "who = [\"qualified\"], ring_for = \"12s\"",
        "who = [\"qualified\"], ring_for = \"15s\"",
    );
    told(&new, "plan hotline\n  ~ hunting: rungs qualified.ring_for 12s → 15s");
}

#[test]
fn an_entry_of_the_plan_and_a_case() {
    let new = with("plans/hotline.toml", "start = \"who\"", "start = \"question\"");
    told(&new, "plan hotline\n  ~ start now leads to `question` (was `who`)");
    let new = with(
        "plans/hotline.toml",
        "{ class = \"patient\", next = \"patient\" }",
        "{ class = \"patient\", next = \"ring\" }",
    );
    told(&new, "plan hotline\n  ~ steps.who: cases.1 now leads to `ring` (was `patient`)");
    let new = with("plans/hotline.toml", "keys = { 1 = \"asked\" }", "keys = { 1 = \"nobody\" }");
    told(&new, "plan hotline\n  ~ steps.connect: waiting 10s.keys.1 now leads to `nobody` (was `asked`)");
}

#[test]
fn extensions_are_folded_into_ranges() {
    // 4710 is an exception with a line of its own, and stays what it was.
    let new =
        with("hospital.toml", "number = \"4700-4715\"\nunit = \"4-west\"", "number = \"4702-4717\"\nunit = \"icu\"");
    told(
        &new,
        "hospital mercy-harbor\n  - extensions 4700-4701\n  ~ extensions 4702-4709, 4711-4715: unit 4-west → icu\n  \
         + extensions 4716-4717: unit icu",
    );
}

#[test]
fn one_range_written_as_two_is_no_change() {
    let new = with(
        "hospital.toml",
        "number = \"4720-4727\"\nunit = \"icu\"",
        "number = \"4720-4722\"\nunit = \"icu\"\n\n[[extensions]]\nnumber = \"4723-4727\"\nunit = \"icu\"",
    );
    assert!(compare(&sample(), &new).is_empty());
}

#[test]
fn hotlines_units_and_the_hospital_itself() {
    let new = with("hospital.toml", "operator = \"4000\"", "operator = \"4001\"");
    told(&new, "hospital mercy-harbor\n  ~ operator 4000 → 4001");
    let new = with("hospital.toml", "[hotlines.7100]\nplan = \"hotline\"", "[hotlines.7200]\nplan = \"hotline\"");
    told(&new, "hospital mercy-harbor\n  - hotlines.7100\n  + hotlines.7200: plan hotline");
    let new = with(
        "hospital.toml",
        "icu = { site = \"harbor\", name = \"ICU\"",
        "icu = { site = \"bayview\", name = \"ICU\"",
    );
    told(&new, "hospital mercy-harbor\n  ~ units.icu: site harbor → bayview");
}

#[test]
fn people_phones_qualifications_and_shifts() {
    let new = with("analysts.toml", "phones = [{ register = \"joel\" }, ", "phones = [{ register = \"joel-2\" }, ");
    told(&new, "people who take calls\n  ~ analysts.joel-whitaker: phones - joel; phones + { register joel-2 }");
    let new = with(
        "analysts.toml",
        "modules = [\"*\"], level = \"basic\", releases",
        "modules = [\"*\"], level = \"expert\", releases",
    );
    told(&new, "people who take calls\n  ~ analysts.tomas-aguilar: qualifications meridian-prod.level basic → expert");
    let new = with("analysts.toml", "from = \"06:30\", to = \"15:00\"", "from = \"07:00\", to = \"15:00\"");
    told(
        &new,
        "people who take calls\n  ~ analysts.lena-brandt: shifts - mon tue wed thu fri 06:30-15:00; shifts + mon tue wed \
         thu fri 07:00-15:00",
    );
}

#[test]
fn a_badge_changes_without_being_shown() {
    let new = with("hospital.toml", "badge = \"204170\"", "badge = \"204171\"");
    told(&new, "hospital mercy-harbor\n  ~ people.anika-rao: badge (not shown) → (not shown)");
}

#[test]
fn comments_layout_and_another_file_are_no_change() {
    let mut new = with("plans/hotline.toml", "wait = \"1s\"", "wait   = '1000ms' # as long as it takes");
    let people = new.remove("analysts.toml").expect("it is there");
    new.insert("analysts-day.toml".to_owned(), people);
    assert!(compare(&sample(), &new).is_empty());
    assert!(text_difference(&sample(), &new).contains("+wait   = '1000ms' # as long as it takes"));
}

#[test]
fn words_and_recordings() {
    let mut new = with("prompts/en/manifest.toml", "desk = \"Desk.\"", "desk = \"Service desk.\"\nbye = \"Bye.\"");
    new.insert("prompts/en/bye.wav".to_owned(), Bytes::from_static(b"no sound"));
    told(
        &new,
        "prompts en\n  + prompts.bye: words Bye.\n  ~ prompts.desk: words Desk. → Service desk.\n  + bye.wav: is no WAV file",
    );
}

#[test]
fn a_whole_hospital_and_a_broken_file() {
    let mut new = sample();
    new.remove("hospital.toml");
    told(
        &new,
        "hospital mercy-harbor\n  - the whole hospital: 15 lines of extensions; 1 hotlines; 3 people; 2 sites; 3 systems; 3 targets; 10 units",
    );
    let new = with("plans/hotline.toml", "name = \"hotline\"", "name = = 1");
    told(&new, "plan hotline\n  ~ it cannot be read as TOML on one side; see `wardline diff --text`");
}

#[test]
fn a_text_difference_shows_changed_lines_with_a_little_around() {
    let new = with("plans/hotline.toml", "wait = \"1s\"", "wait = \"3s\"");
    let text = text_difference(&sample(), &new);
    let expected = "--- plans/hotline.toml\n+++ plans/hotline.toml\n@@\n silence = \"ring\"\n wrong = \"ring\"\n-wait = \"1s\"\n+wait = \"3s\"\n \n # A bedside";
    assert!(text.starts_with(expected), "{text}");
}
