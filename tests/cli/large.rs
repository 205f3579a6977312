//! A configuration as large as a group of hospitals has is checked as one. How long that takes, `make bench` measures.

use super::{many, says, wardline};

#[test]
fn a_thousand_extensions_two_hundred_analysts_and_fifty_plans_are_checked_as_one() {
    let folder = many::large();
    let run = wardline(folder.path(), &["check"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    says(&run.out, &["1 hospital, 50 hotlines, 50 plans, 200 analysts, 1 trunk"]);
}
