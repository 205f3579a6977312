//! What the picture shows is what is meant.

use super::world::{SAMPLE, plan, prompts};
use crate::ivr::draw;

#[test]
fn a_plan_in_another_layout_draws_the_same() {
    let other = SAMPLE.replacen(
        "[steps.stay]\ntype = \"menu\"\n",
        "[steps]\n[steps.stay] # asked once\n  type   =   'menu'\n",
        1,
    );
    let other = other.replacen("say = [\"or-stay-on\"]", "say = [\n  \"or-stay-on\", # said once\n]", 1);
    assert_eq!(draw::words(&plan(&other), &prompts()), draw::words(&plan(SAMPLE), &prompts()));
}
