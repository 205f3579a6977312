//! The picture of the sample plan holds whatever the plan holds, at places of its own. (That it is the committed one, with
//! the slowest paths marked: proof/tests/picture.rs.)

use std::fs;
use std::path::Path;

use super::{Goal, Hop, Slowest, chart, draw};
use crate::diagnostic::Report;
use crate::digit::Digit;
use crate::ids::Language;
use crate::ivr::tests::world::{SAMPLE, plan};
use crate::ivr::{Plan, Prompts};
use crate::time::Duration;

fn rendered() -> (std::sync::Arc<Plan>, Prompts) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
    let mut report = Report::new();
    let prompts = Prompts::load(&[Language::new("en")], |path| fs::read(root.join(path)), &mut report);
    (plan(SAMPLE), prompts)
}

#[test]
fn every_step_is_a_box_and_every_way_an_arrow_with_its_words() {
    let (plan, prompts) = rendered();
    let chart = chart::of(&plan, &prompts, &[]);
    for step in plan.steps() {
        assert!(chart.boxes.iter().any(|own| own.name == step.id.as_str()), "{} is not drawn", step.id);
        for (way, to) in step.kind.ways() {
            let to = format!("step-{}", plan.step(*to).id);
            let from = format!("step-{}", step.id);
            assert!(chart.arrows.iter().any(|arrow| arrow.from == from && arrow.to == to), "{from} {way:?} {to}");
        }
    }
    let label = |from: &str, to: &str| {
        let found = chart.arrows.iter().find(|arrow| arrow.from == from && arrow.to == to);
        found.map(|arrow| arrow.lines.join(" | "))
    };
    let question = label("step-question", "step-ring").expect("an arrow");
    assert!(question.starts_with("keys 1 2 3 | silence ") && question.ends_with(" s | another key"), "{question}");
    assert_eq!(label("step-who", "step-patient").as_deref(), Some("patient phone"));
    assert_eq!(label("step-who", "step-outside").as_deref(), Some("from outside, | unknown caller"));
    assert_eq!(label("step-connect", "step-nobody").as_deref(), Some("gives up 90 s"));
    assert_eq!(label("step-operator", "step-operator-silent").as_deref(), Some("no answer 6 s"));
    assert_eq!(label("key-9", "step-operator").as_deref(), Some(""));
}

/// All kinds of path over one way, and a key that no step declares.
fn marked(plan: &Plan) -> Vec<Slowest> {
    let step = |name: &str| plan.steps().iter().position(|step| step.id.as_str() == name);
    let at = |name: &str| step(name).and_then(|index| plan.at(index)).expect("a step");
    let hop = |from: &str, to: &str, millis: u64, jump| Hop {
        from: at(from),
        to: at(to),
        at: Duration::from_millis(millis),
        jump,
    };
    let path = |to, hops| Slowest { to, within: Duration::ZERO, margin: Duration::ZERO, limit: Duration::ZERO, hops };
    let asked = hop("question", "ring", 6_450, None);
    vec![
        path(Goal::FirstOffer, vec![asked]),
        path(Goal::QualifiedOffer, vec![asked]),
        path(Goal::End, vec![asked, hop("nobody", "operator", 200_000, Some(Digit::D9))]),
    ]
}

/// Rectangles of a class: left, top, right, bottom.
fn rectangles(svg: &str, wanted: &dyn Fn(&str) -> bool) -> Vec<[f64; 4]> {
    let number = |line: &str, name: &str| -> f64 {
        let from = line.split(&format!(" {name}=\"")).nth(1).expect("an attribute");
        from.split('"').next().and_then(|text| text.parse().ok()).expect("a number")
    };
    let own = |line: &&str| {
        let class = line.trim_start().strip_prefix("<rect class=\"").and_then(|rest| rest.split('"').next());
        class.is_some_and(wanted)
    };
    let of = |line: &str| {
        let (x, y) = (number(line, "x"), number(line, "y"));
        [x, y, x + number(line, "width"), y + number(line, "height")]
    };
    svg.lines().filter(own).map(of).collect()
}

#[test]
fn no_box_and_no_label_lies_on_another() {
    let (plan, prompts) = rendered();
    let svg = draw(&plan, &prompts, &marked(&plan));
    assert!(svg.contains(">qualified offer: at 6.5 s<") && svg.contains(">end: at 200 s<"), "{svg}");
    let all = rectangles(&svg, &|class| class != "bg");
    assert!(all.len() > 30, "{} rectangles", all.len());
    for (index, one) in all.iter().enumerate() {
        for other in all.iter().skip(index + 1) {
            let apart = one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
            assert!(apart, "{one:?} lies on {other:?}");
        }
    }
}

#[test]
fn what_an_admin_writes_cannot_break_the_picture() {
    let text = SAMPLE.replace("[steps.asked]", r#"[steps."a<b>&\"c"]"#).replace("1 = \"asked\"", r#"1 = "a<b>&\"c""#);
    let (_, prompts) = rendered();
    let svg = draw(&plan(&text), &prompts, &[]);
    assert!(svg.contains("a&lt;b&gt;&amp;&quot;c") && !svg.contains("a<b>"));
}
