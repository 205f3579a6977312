//! What an import of phones makes of an export.

use super::*;

#[test]
fn an_export_is_placed_by_rules_and_by_names_and_what_nobody_places_is_listed() {
    let proposal = propose(&read(CUCM), &rules_of(RULES), HOSPITAL, false);
    assert_eq!(shown(&proposal.added), ["2002", "2600-2603", "2700-2706", "2720-2723", "2790"]);
    let class = |number: &str| proposal.wanted[&Key::of(number).expect("a number")].class.as_str();
    assert_eq!([class("2600"), class("2700"), class("2002")], ["patient", "ward", "public"]);
    assert_eq!(proposal.skipped, 1);
    let unplaced: Vec<(String, u64)> =
        proposal.unplaced.iter().map(|phone| (phone.number.shown(), phone.line)).collect();
    assert_eq!(unplaced, [("2003".to_owned(), 20), ("2004".to_owned(), 22), ("2005".to_owned(), 23)]);
    let wrong: Vec<(u64, &str)> = proposal.wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect();
    assert_eq!(wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [24, 25], "{wrong:?}");
    assert!(wrong[0].1.contains("`*99` is no extension of 1 to 15 digits"), "{wrong:?}");
    assert!(wrong[1].1.contains("7100 is the hotline"), "{wrong:?}");
}

#[test]
fn what_stands_there_by_hand_stays_and_differences_are_told() {
    let by_hand = HOSPITAL.replace("number = \"2707\"\nunit = \"4-west\"", "number = \"2700-2707\"\nunit = \"icu\"");
    let proposal = propose(&read(CUCM), &rules_of(RULES), &by_hand, false);
    assert_eq!(proposal.conflicts.len(), 8);
    let first = &proposal.conflicts[0];
    assert_eq!((first.number.shown(), first.line, first.export.unit.as_str()), ("2700".to_owned(), 2, "4-west"));
    let text = written(&by_hand, &proposal);
    assert!(
        text.contains("# Ours: the medication room.\n[[extensions]]\nnumber = \"2700-2707\"\nunit = \"icu\""),
        "{text}"
    );
    assert_eq!(Present::read(&text.parse().expect("TOML")).expect("readable").imported().len(), proposal.added.len());
}

#[test]
fn a_second_import_of_the_same_changes_nothing() {
    let (export, rules) = (read(CUCM), rules_of(RULES));
    let once = written(HOSPITAL, &propose(&export, &rules, HOSPITAL, false));
    let again = propose(&export, &rules, &once, true);
    assert!(again.changes_nothing(), "{again:?}");
    assert_eq!(written(&once, &again), once);
    for remark in ["# Units of the house.", "# Ours: the medication room.", "# People."] {
        assert!(once.contains(remark), "{remark} is lost in {once}");
    }
}

#[test]
fn a_phone_that_moved_is_changed_and_one_that_is_gone_stays_until_it_is_asked_to_go() {
    let first = "extension,name\n2700,4 West 1\n2701,4 West 2\n2702,4 West 3\n";
    let then = "extension,name\n2700,4 West 1\n2701,ICU 2\n";
    let once = written(HOSPITAL, &propose(&read(first.as_bytes()), &[], HOSPITAL, false));
    let kept = propose(&read(then.as_bytes()), &[], &once, false);
    assert_eq!((shown(&kept.changed), kept.removed.len(), kept.gone.len()), (vec!["2701".to_owned()], 0, 1));
    assert!(written(&once, &kept).contains("number = \"2702\""));
    let removed = propose(&read(then.as_bytes()), &[], &once, true);
    assert_eq!(shown(&removed.removed), ["2702"]);
    assert!(!written(&once, &removed).contains("2702"));
}

/// A hospital of two sites: the ICU stands in the other one.
fn two_sites() -> String {
    let two = HOSPITAL.replace("[sites.main]", "[sites.north]\nname = \"North\"\n[sites.main]");
    two.replace("icu = { site = \"main\"", "icu = { site = \"north\"")
}

fn removing(export: &str, rules: &[Rule], file: &str, sites: &[&str]) -> Proposal {
    let present = Present::read(&file.parse().expect("TOML")).expect("readable");
    let sites = sites.iter().map(|site| SiteId::new(site)).collect();
    let wishes = Wishes { remove: Some(Removal { confirmed: None, sites }) };
    phones::propose(&read(export.as_bytes()), rules, &present, &NumberRules::default(), &wishes)
}

#[test]
fn nothing_goes_off_the_map_by_an_export_with_a_row_that_is_not_read() {
    let once = written(HOSPITAL, &propose(&read(b"extension,name\n2700,ICU\n2701,ICU\n"), &[], HOSPITAL, false));
    let then = "extension,name\n2700,ICU\n27O1,ICU parking\n";
    let proposal = removing(then, &[], &once, &[]);
    for confirmed in [None, Some(1)] {
        let removal = Removal { confirmed, ..Removal::default() };
        let refused = proposal.may_remove(&removal, confirmed.is_some()).expect_err("refused");
        assert!(refused.contains("1 refused row may be") && refused.contains("skip = true"), "{refused}");
    }
    let rules = rules_of(b"[[rules]]\nmatch = [\"parking\"]\nskip = true\n");
    let left_out = removing(then, &rules, &once, &[]);
    assert_eq!((left_out.skipped, left_out.wrong.len(), left_out.lost.len()), (1, 0, 1));
    assert_eq!(left_out.may_remove(&Removal { confirmed: Some(1), ..Removal::default() }, true), Ok(()));
}

#[test]
fn as_many_numbers_go_as_somebody_confirmed() {
    let first = "extension,name\n2700,ICU\n2701,ICU\n2702,ICU\n";
    let once = written(HOSPITAL, &propose(&read(first.as_bytes()), &[], HOSPITAL, false));
    let proposal = removing("extension,name\n2700,ICU\n", &[], &once, &[]);
    let may = |confirmed, writes| proposal.may_remove(&Removal { confirmed, ..Removal::default() }, writes);
    assert_eq!(may(None, false), Ok(()), "a preview is free");
    assert!(may(None, true).expect_err("unseen").contains("--write --remove=2"));
    assert!(may(Some(3), true).expect_err("another count").contains("2 numbers would go"));
    assert_eq!(may(Some(2), true), Ok(()));
    let none = removing("extension,name\n", &[], &once, &[]);
    let all = Removal { confirmed: Some(3), ..Removal::default() };
    assert!(none.may_remove(&all, true).expect_err("an export of nothing").contains("no row of the export"));
}

#[test]
fn an_export_of_one_site_takes_nothing_from_another_and_a_site_that_would_be_emptied_is_told() {
    let two = two_sites();
    let first = "extension,name\n2700,ICU\n2701,ICU\n2600,4 West\n2601,4 West\n";
    let once = written(&two, &propose(&read(first.as_bytes()), &[], &two, false));
    let west_alone = "extension,name\n2600,4 West\n";
    let whole = removing(west_alone, &[], &once, &[]);
    assert_eq!(shown(&whole.removed), ["2601", "2700-2701"]);
    assert_eq!(whole.emptied, [(SiteId::new("north"), 2)]);
    let of_main = removing(west_alone, &[], &once, &["main"]);
    assert_eq!((shown(&of_main.removed), of_main.gone.len()), (vec!["2601".to_owned()], 2));
    assert!(of_main.emptied.is_empty());
    assert!(written(&once, &of_main).contains("number = \"2700-2701\""));
}

#[test]
fn a_line_on_several_phones_is_placed_where_all_of_them_say_and_else_not_at_all() {
    let of = |rows: &str, rules: &[Rule]| {
        propose(&read(format!("extension,name,room\n{rows}").as_bytes()), rules, HOSPITAL, false)
    };
    let alike = of("2790,ICU 1,A\n2790,ICU 2,B\n2791,nobody,C\n2791,ICU 3,C\n", &[]);
    assert!(alike.wrong.is_empty() && alike.unplaced.is_empty(), "{alike:?}");
    let rooms: Vec<Option<&str>> = alike.wanted.values().map(|facts| facts.room.as_deref()).collect();
    assert_eq!(rooms, [None, Some("C")], "a line in two rooms is in neither");
    let apart = of("2790,ICU 1,\n2790,4 West,\n", &[]);
    assert!(apart.wanted.is_empty());
    assert_eq!(apart.wrong[0].line, 3);
    let why = "2790 is 4-west here and icu in line 2; say which by a rule with numbers = \"2790\"";
    assert_eq!(apart.wrong[0].why, why);
    let decided = rules_of(b"[[rules]]\nnumbers = \"2790\"\nunit = \"icu\"\n");
    assert_eq!(of("2790,ICU 1,\n2790,4 West,\n", &decided).wanted.len(), 1);
}

#[test]
fn a_rule_that_cannot_declare_its_unit_moves_no_phone() {
    let two = two_sites();
    let export = read(b"extension,name\n2700,ICU\n");
    let once = written(&two, &propose(&export, &[], &two, false));
    let rules = rules_of(b"[[rules]]\nmatch = [\"ICU\"]\nunit = \"new-wing\"\n");
    let proposal = propose(&export, &rules, &once, false);
    assert!(proposal.wrong[0].why.contains("`new-wing`"), "{:?}", proposal.wrong);
    assert_eq!(written(&once, &proposal), once);
}

#[test]
fn no_unit_is_made_of_a_device_a_role_or_a_person() {
    let text = "extension,name\n1,Fax 1\n2,Fax 2\n3,\"Someone, Else\"\n4,\"Someone, New\"\n5,Nurse 1\n6,nurse 2\n\
                7,Rao Desk\n8,Imaging 1\n9,Imaging 2\n";
    let all = suggest::rules(&propose(&read(text.as_bytes()), &[], HOSPITAL, false).unplaced);
    let units: Vec<(&str, usize)> = all.iter().map(|one| (one.unit.as_str(), one.phones)).collect();
    assert_eq!(units, [("imaging", 2)]);
}

#[test]
fn a_unit_that_a_rule_names_is_declared_where_its_site_is_known() {
    let rules = rules_of(b"[[rules]]\nmatch = [\"Boardroom*\"]\nunit = \"admin-wing\"\nclass = \"office\"\n");
    let proposal = propose(&read(CUCM), &rules, HOSPITAL, false);
    let unit = &proposal.new_units[0];
    assert_eq!((unit.id.as_str(), unit.name.as_str(), unit.site.as_str()), ("admin-wing", "Admin Wing", "main"));
    let two = HOSPITAL.replace("[sites.main]", "[sites.north]\nname = \"North\"\n[sites.main]");
    let refused = propose(&read(CUCM), &rules, &two, false);
    assert!(refused.new_units.is_empty() && !shown(&refused.added).contains(&"2004-2005".to_owned()));
    assert!(refused.wrong[0].why.contains("rule 1 names unit `admin-wing`"), "{:?}", refused.wrong);
}

#[test]
fn unplaced_phones_suggest_rules_that_place_them() {
    let bare = HOSPITAL.replace("4-west = { site = \"main\", name = \"4 West\", system = \"ehr\" }\n", "");
    let bare = bare.replace("number = \"2707\"\nunit = \"4-west\"", "number = \"2707\"\nunit = \"icu\"");
    let proposal = propose(&read(CUCM), &[], &bare, false);
    let all = suggest::rules(&proposal.unplaced);
    assert_eq!((all[0].pattern.as_str(), all[0].unit.as_str(), all[0].phones), ("4w*", "4w", 12));
    for suggestion in &all {
        let text = format!("[[rules]]\nmatch = [\"{}\"]\nunit = \"{}\"\n", suggestion.pattern, suggestion.unit);
        let placed = propose(&read(CUCM), &rules_of(text.as_bytes()), &bare, false);
        let unit: BTreeSet<Key> = placed
            .wanted
            .iter()
            .filter(|(_, facts)| facts.unit.as_str() == suggestion.unit)
            .map(|(key, _)| *key)
            .collect();
        assert!(unit.len() >= suggestion.phones, "{suggestion:?} places {unit:?}");
    }
}
