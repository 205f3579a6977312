//! The picture of a plan with the slowest paths on it, as `wardline graph` draws it.

use std::fs;
use std::path::Path;

use super::sample::{SAMPLE, rendered};
use crate::ivr::draw::{self, Goal, Slowest};

/// The picture, and its marked paths told as "from > to at milliseconds".
fn drawn(text: &str) -> (String, Vec<Slowest>, Vec<Vec<String>>) {
    let (plan, prompts, proof) = rendered(text);
    let slowest = proof.slowest();
    let hop = |hop: &draw::Hop| {
        let key = hop.jump.map(|key| format!(" by {}", key.as_char())).unwrap_or_default();
        format!("{} > {}{key} {}", plan.step(hop.from).id, plan.step(hop.to).id, hop.at.as_millis())
    };
    let told = slowest.iter().map(|path| path.hops.iter().map(hop).collect()).collect();
    (draw::draw(&plan, &prompts, &slowest), slowest, told)
}

#[test]
fn the_committed_picture_shows_the_sample_plan() {
    let (svg, ..) = drawn(SAMPLE);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/img/plan-hotline.svg");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, &svg).expect("written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == svg, "docs/img/plan-hotline.svg shows another plan: run with UPDATE_GENERATED=1");
    assert_eq!(drawn(SAMPLE).0, svg, "the same plan is drawn the same");
}

#[test]
fn the_slowest_paths_are_marked_with_the_instant_of_each_way() {
    let (svg, slowest, told) = drawn(SAMPLE);
    let goals: Vec<_> = slowest.iter().map(|path| path.to).collect();
    assert_eq!(goals, [Goal::FirstOffer, Goal::QualifiedOffer, Goal::End]);
    // Speech at 1.0, 3.695 s of words, 0.25, and 1.5 s for a key.
    assert_eq!(told[0], ["who > question 0", "question > ring 6445"]);
    assert_eq!(told[1], told[0], "the first rung is the qualified one");
    let end = &told[2];
    assert_eq!(end.first().map(String::as_str), Some("who > known-problem 0"));
    assert_eq!(end.get(end.len() - 2).map(String::as_str), Some("nobody > operator by 9 196790"));
    // The ways of each goal, a wider line under a narrower one, and one more in the legend.
    let count = |what: &str| svg.matches(what).count();
    assert_eq!(count(r#"<path class="offer-way""#), 3 + 1, "from the call to the ring, and in the legend");
    assert_eq!(count(r#"<path class="qualified-way wide""#), 3);
    assert_eq!(count(r#"<path class="qualified-way""#), 1);
    assert_eq!(count(r#"<path class="end-way"#), end.len() + 1 + 1);
    assert_eq!(count(r#"<path class="end-way wider""#), 1, "all three lie on the way from the call");
    // Who sees no colours reads the name.
    for label in ["first offer: at 6.5 s", "qualified offer: at 6.5 s", "end: at 196.8 s"] {
        assert_eq!(count(&format!(">{label}</text>")), 1, "{label}");
    }
    let legend = [
        "first offer: the slowest way until any phone rings, 6.8 s",
        "qualified offer: the same way until somebody qualified is rung, 6.8 s",
        "end: the slowest way until a call that reaches nobody is over, 208.3 s",
    ];
    for (line, limit) in legend.iter().zip(["8 s", "8 s", "210 s"]) {
        let line =
            format!(">{line}, 0.3 s of margin included; the limit is {limit}. Instants are from the INVITE.</text>");
        assert_eq!(count(&line), 1, "{line}");
    }
}

/// A bedside phone rings the pharmacy first, which is no analyst.
#[test]
fn a_qualified_offer_that_comes_another_way_than_the_first_has_its_own() {
    let (named, patient) = ("name = \"hotline\"", "silence = \"operator\"\nwrong = \"ring\"");
    assert_eq!((SAMPLE.matches(named).count(), SAMPLE.matches(patient).count()), (1, 1));
    let text = SAMPLE
        .replace(named, "name = \"hotline\"\nqualified_offer_within = \"12s\"")
        .replace(patient, "silence = \"pharmacy\"\nwrong = \"ring\"")
        + "[steps.pharmacy]\ntype = \"transfer\"\ntarget = \"pharmacy\"\nring_for = \"6s\"\nno_answer = \"ring\"\n";
    let (svg, _, told) = drawn(&text);
    assert_eq!(told[0], ["who > question 0", "question > ring 6445"]);
    // Speech at 1.0, 2.715 s of words, 0.25, and 1.5 s for a key; then 6 s at the pharmacy.
    assert_eq!(told[1], ["who > patient 0", "patient > pharmacy 5465", "pharmacy > ring 11465"]);
    assert!(svg.contains(">qualified offer: the slowest way until somebody qualified is rung, 11.8 s"), "{svg}");
    assert_eq!(svg.matches(r#"<path class="qualified-way""#).count(), 3 + 1, "ways of its own, and the legend");
    // Who sees no colours sees dashes.
    for way in ["qualified", "end"] {
        let style = svg.split(&format!(".{way}-way{{")).nth(1).and_then(|rest| rest.split('}').next());
        assert!(style.is_some_and(|style| style.contains("stroke-dasharray:")), "{way} has dashes: {style:?}");
    }
}

/// No step declares the way of key 9, so the path that takes it brings its own arrow.
#[test]
fn a_key_that_jumps_is_drawn_where_a_slowest_path_takes_it() {
    let (svg, ..) = drawn(SAMPLE);
    assert!(svg.contains(">key 9</text>"), "{svg}");
    let (plan, prompts, _) = rendered(SAMPLE);
    assert!(!draw::draw(&plan, &prompts, &[]).contains(">key 9</text>"));
}

#[test]
fn a_plan_that_rings_at_once_is_marked_from_the_call_on() {
    let text = SAMPLE.replace("start = \"who\"", "start = \"ring\"");
    let text = text.split("[steps.who]").next().expect("a head").to_owned()
        + "[steps.ring]"
        + text.split("[steps.ring]").nth(1).expect("the rest");
    let (svg, _, told) = drawn(&text);
    assert!(told[0].is_empty());
    assert_eq!(svg.matches(r#"<path class="offer-way""#).count(), 1 + 1, "the way from the call, and the legend");
}
