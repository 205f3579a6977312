//! A plan that a program edits: `toml_edit` prints what it has read, so comments, layout and meaning stay.

use std::sync::LazyLock;

use proptest::prelude::*;
use toml_edit::{DocumentMut, value};

use super::world::{SAMPLE, plan};
use crate::ivr::{Plan, draw};

/// Lines that stay comments wherever they stand, and blanks.
const REMARKS: &[&str] = &["# the night's way", "\t# ä ü 日本", "", "   ", "#", "# [steps.who] = \"not a step\""];

/// The sample with remarks of its own between its lines.
fn remarked(remarks: &[(prop::sample::Index, &str)]) -> String {
    let mut lines: Vec<&str> = SAMPLE.lines().collect();
    for (place, remark) in remarks {
        lines.insert(place.index(lines.len() + 1), remark);
    }
    lines.join("\n") + "\n"
}

/// What the steps do and where they lead; not where they stand in the file.
fn meaning(plan: &Plan) -> String {
    let steps = plan.steps().iter().map(|step| format!("{} {:?}\n", step.id, step.kind));
    let (start, person, operator) = (plan.start, plan.person, plan.operator);
    format!("{} {start:?} {person:?} {operator:?} {:?}\n{}", plan.id, plan.hunting, steps.collect::<String>())
}

static AS_IT_IS: LazyLock<String> = LazyLock::new(|| meaning(&plan(SAMPLE)));
static SLOWER: LazyLock<String> = LazyLock::new(|| meaning(&plan(&slower(SAMPLE))));

fn slower(text: &str) -> String {
    text.replacen("wait = \"2s\"", "wait = \"3s\"", 1)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn what_is_read_is_printed_with_its_comments_and_means_the_same(
        remarks in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(REMARKS)), 0..12)
    ) {
        let text = remarked(&remarks);
        let printed = text.parse::<DocumentMut>().expect("TOML").to_string();
        prop_assert_eq!(&printed, &text);
        prop_assert_eq!(meaning(&plan(&printed)), AS_IT_IS.as_str());
    }

    #[test]
    fn an_edited_value_changes_that_value_alone(
        remarks in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(REMARKS)), 0..12)
    ) {
        let text = remarked(&remarks);
        let mut document: DocumentMut = text.parse().expect("TOML");
        document["steps"]["stay"]["wait"] = value("3s");
        let printed = document.to_string();
        prop_assert_eq!(&printed, &slower(&text));
        prop_assert_eq!(meaning(&plan(&printed)), SLOWER.as_str());
        prop_assert_ne!(SLOWER.as_str(), AS_IT_IS.as_str());
    }
}

/// What the picture shows is what is meant: the same words in another layout draw the same.
#[test]
fn a_plan_in_another_layout_draws_the_same() {
    let other = SAMPLE.replacen(
        "[steps.stay]\ntype = \"menu\"\n",
        "[steps]\n[steps.stay] # asked once\n  type   =   'menu'\n",
        1,
    );
    let other = other.replacen("say = [\"or-stay-on\"]", "say = [\n  \"or-stay-on\", # said once\n]", 1);
    let prompts = super::world::prompts();
    assert_eq!(draw::words(&plan(&other), &prompts), draw::words(&plan(SAMPLE), &prompts));
}
