//! What is refused, each made in the sample plan: what the report says and where it points.

use super::sample::{SAMPLE, proved};
use crate::diagnostic::Diagnostic;

fn refused(written: &str, by: &str) -> Vec<Diagnostic> {
    assert!(SAMPLE.contains(written), "the sample has it");
    let (_, report) = proved(&SAMPLE.replacen(written, by, 1));
    report.diagnostics().iter().filter(|finding| finding.is_error()).cloned().collect()
}

fn pointed_at<'a>(text: &'a str, finding: &Diagnostic) -> &'a str {
    text.get(finding.span.clone()).expect("a place in the file")
}

#[test]
fn a_late_first_offer_is_refused_with_its_worst_path() {
    // Twice 3.695 + 0.25 + 1.5, after 1.0: 11.89, and the margin.
    let (written, by) = ("silence = \"ring\"", "tries = 2\nsilence = \"ring\"");
    let found = refused(written, by);
    let said: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(
        said,
        [
            "the first offer may come 12.19 s after the INVITE; the limit is 8 s",
            "the first offer to somebody qualified may come 12.19 s after the INVITE; the limit is 8 s",
        ]
    );
    let text = SAMPLE.replacen(written, by, 1);
    // No limit is declared, so the plan's name is shown.
    assert_eq!(pointed_at(&text, &found[0]), "\"hotline\"");
    assert_eq!(found[0].why.as_deref(), Some("0.3 s of it are margin; the worst path is marked below"));
    let remedy =
        "ring sooner: ask less, or while phones ring; or, if it must be so, declare first_offer_within = \"13s\"";
    assert_eq!(found[0].remedy.as_deref(), Some(remedy));
    let places: Vec<_> =
        found[0].related.iter().map(|place| (&text[place.span.clone()], place.label.as_str())).collect();
    let asked = ("question", "at 1 s: speaks 3.7, waits 1.5, 2 times, silence");
    assert_eq!(places, [asked, ("ring", "at 11.89 s: phones ring")]);
}

#[test]
fn declared_limits_are_held_and_pointed_at() {
    let text = SAMPLE
        .replacen(
            "name = \"hotline\"",
            "name = \"hotline\"\nfirst_offer_within = \"6.7s\"\nqualified_offer_within = \"7s\"",
            1,
        )
        .replacen("ends_within = \"210s\"", "ends_within = \"200s\"", 1);
    let (_, report) = proved(&text);
    let said: Vec<_> =
        report.diagnostics().iter().map(|found| (found.what.as_str(), pointed_at(&text, found))).collect();
    assert_eq!(
        said,
        [
            ("the first offer may come 6.75 s after the INVITE; the limit is 6.7 s", "\"6.7s\""),
            ("a call that reaches nobody may end 208.23 s after the INVITE; the limit is 200 s", "\"200s\""),
        ]
    );
}

#[test]
fn a_limit_may_be_met_exactly() {
    let declared = "name = \"hotline\"\nfirst_offer_within = \"6745ms\"";
    assert!(refused("name = \"hotline\"", declared).is_empty());
    let declared = "name = \"hotline\"\nfirst_offer_within = \"6744ms\"";
    assert_eq!(refused("name = \"hotline\"", declared).len(), 1);
}

#[test]
fn a_call_that_ends_with_nobody_rung_is_refused() {
    let found = refused("silence = \"operator\"", "silence = \"nobody\"");
    let said: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
    // Key 9 into the last words still reaches the operator: 5.465, 1.0 for the booking, "Nobody is free. …" 3.53 and 0.25,
    // and the margin.
    let late = "the first offer may come 10.55 s after the INVITE; the limit is 8 s";
    assert_eq!(said, [late, "a call may end here, and nobody was rung"]);
    let text = SAMPLE.replacen("silence = \"operator\"", "silence = \"nobody\"", 1);
    assert_eq!(pointed_at(&text, &found[1]), "nobody");
}

#[test]
fn a_qualified_rung_that_only_waits_for_others_is_refused() {
    let rung = "    { name = \"qualified\", who = [\"qualified\"], ring_for = \"12s\" },\n";
    let first = "    { name = \"chief\", who = [\"supervisor\"], ring_for = \"12s\" },\n";
    // `backup` begins at 12 s at the latest, and `qualified` before it.
    let (proof, report) = proved(&SAMPLE.replacen(rung, &format!("{first}{rung}"), 1));
    let said: Vec<&str> = report.diagnostics().iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(said, ["the first offer to somebody qualified may come 18.75 s after the INVITE; the limit is 8 s"]);
    assert_eq!(proof.coverage.rung.expect("a rung").as_str(), "qualified");
    let bare = SAMPLE
        .replacen(rung, &format!("{first}{rung}"), 1)
        .replace(", after = \"12s\"", "")
        .replace(", after = \"20s\"", "");
    let (proof, report) = proved(&bare);
    assert_eq!(proof.qualified_offer, None);
    let said = &report.diagnostics()[0].what;
    assert_eq!(said, "nothing bounds when rung `qualified` begins, the first that asks for the qualification");
}
