//! `golive` with a running node: the list, what people confirm, and who lets a hospital go live, over restarts and versions.

use serde_json::Value;

use crate::publish::Site;
use crate::says;

const MERCY: [&str; 2] = ["--hospital", "mercy-harbor"];

fn golive(words: &[&'static str]) -> Vec<&'static str> {
    let mut all = vec!["golive"];
    all.extend_from_slice(words);
    all.extend(MERCY);
    all
}

#[test]
fn a_hospital_says_that_it_is_in_rehearsal_until_it_is_overridden_by_name_and_stays_live() {
    let site = Site::new();
    // Whatever the day: a hole in Mercy Harbor's weekend, none at Cedar Point.
    site.edit("analysts.toml", r#"    { days = ["sat", "sun"], from = "00:00", to = "24:00" },"#, "");
    let node = site.serve();
    says(&node.said, &["plain=cedar-pbx, lab-pbx "]);
    says(&node.said, &["rehearsal=cedar-point, mercy-harbor"]);
    says(&site.run(&["doctor"]).out, &["cedar-point, mercy-harbor: calls are answered", "wardline golive says"]);
    says(&site.run(&["doctor"]).out, &["lab-pbx goes unencrypted: lab on one machine"]);
    let list = site.run(&golive(&[]));
    assert_eq!(list.code, 1, "{}", list.err);
    says(
        &list.out,
        &[
            "Mercy Harbor (mercy-harbor) is in rehearsal: nobody has declared it live.",
            "open   units        0 of 10 units",
            "missing: 4 West, Emergency, ICU",
            "open   coverage     hours of the next four weeks have nobody on shift or on call",
            "missing: meridian-amb: ",
            "\n                             tidewater-lab for ",
            "later  restore",
            "Next, for units: call 7100 from a phone of each",
        ],
    );
    assert!(!list.out.contains("Cedar Point"));
    let cedar = site.run(&["golive", "--hospital", "cedar-point"]);
    says(&cedar.out, &["ok     coverage     somebody is on shift or on call for every system"]);
    let why = site.refused(&golive(&["declare", "--by", "J. Kim"]));
    says(&why, &["mercy-harbor is not declared live", "units", "911", "wardline golive override"]);
    says(&site.refused(&golive(&["override", "--by", "J. Kim", "--reason", " "])), &["the reason is empty: say it"]);
    let done =
        site.done(&golive(&["confirm", "911", "--by", "J. Kim", "--note", "the PBX's route list, read by both"]));
    says(&done, &["911 is confirmed by J. Kim for mercy-harbor"]);
    says(
        &site.done(&golive(&["override", "--by", "J. Kim", "--reason", "Oncology is walked on Friday"])),
        &["is live"],
    );
    // Over a version and a restart.
    site.edit("plans/hotline.toml", "wait = \"1.5s\"", "wait = \"2s\"");
    says(&site.done(&["publish", "-m", "slow fingers"]), &["version 2 ("]);
    node.stop();
    let node = site.serve();
    says(&node.said, &["rehearsal=cedar-point\n"]);
    let list = site.run(&golive(&[]));
    assert_eq!(list.code, 0, "live: {}", list.err);
    says(
        &list.out,
        &[
            "overridden by J. Kim: Oncology is walked on Friday",
            "ok     911",
            "J. Kim on 20",
            "the PBX's route list",
            "Live by override; 10 of 12 lines are open",
        ],
    );
    assert_eq!(site.run(&["golive"]).code, 1, "Cedar Point is in rehearsal");
    let json: Value = serde_json::from_str(&site.done(&golive(&["--json"]))).expect("JSON");
    let hospital = &json["hospitals"][0];
    assert_eq!(hospital["standing"]["standing"], "overridden");
    assert_eq!(hospital["lines"][0]["point"], "units");
    assert_eq!(hospital["lines"][0]["missing"][0], "4 West");
    says(&site.done(&golive(&["rehearse", "--by", "J. Kim", "--reason", "a new PBX"])), &["is in rehearsal"]);
    let list = site.run(&golive(&[]));
    assert_eq!(list.code, 1);
    says(
        &list.out,
        &[
            "is in rehearsal again since",
            "by J. Kim: a new PBX",
            "911 is routed by the PBX and does not come here: nobody",
        ],
    );
    node.stop();
}

#[test]
fn a_mistyped_hospital_or_item_is_told_the_nearest() {
    let site = Site::new();
    let node = site.serve();
    let run = site.run(&["golive", "--hospital", "mercy-harbour"]);
    assert_eq!(run.code, 64);
    says(&run.err, &["no hospital is called mercy-harbour; did you mean mercy-harbor?"]);
    let why = site.refused(&["golive", "declare", "--by", "kim", "--hospital", "mercy-harbour"]);
    says(&why, &["no hospital is called mercy-harbour; did you mean mercy-harbor?"]);
    let run = site.run(&["golive", "declare", "--by", "kim"]);
    assert_eq!(run.code, 64);
    says(&run.err, &["say which hospital: --hospital, one of cedar-point, mercy-harbor"]);
    let run = site.run(&golive(&["confirm", "112", "--by", "kim", "--note", "dialled"]));
    assert_eq!(run.code, 64);
    says(&run.err, &["write one of places, code-number, 911"]);
    node.stop();
}
