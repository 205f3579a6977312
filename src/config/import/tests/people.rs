//! What an import of people makes of a table.

use super::*;

#[test]
fn people_are_read_with_their_shifts_and_every_wrong_row_says_why() {
    let people = analysts::read(include_bytes!("../../../../tests/cli/exports/people.csv"), &known()).expect("a table");
    let ids: Vec<&str> = people.new.iter().map(|person| person.id.as_str()).collect();
    assert_eq!(ids, ["lena-brandt", "ruth-okafor", "dana-kowalski"]);
    assert_eq!(people.there, [("amara-osei".to_owned(), vec![7])].into());
    let told: Vec<(u64, &str)> = people.wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect();
    assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6, 6, 6][..told.len()].to_vec(), "{told:?}");
    assert!(told[0].1.contains("has no phone"), "{told:?}");
    assert!(told.iter().any(|(_, why)| why.contains("did you mean ehr?")), "{told:?}");
    assert!(told.iter().any(|(_, why)| why.contains("`mon-fry 7-15` is no shift")), "{told:?}");
    let ruth = analysts::text(&people.new[1], &known());
    assert_eq!(
        ruth,
        r#"
[analysts.ruth-okafor]
name = "Ruth Okafor"
hospitals = ["mercy"]
phones = [
    { register = "ruth" },
    { trunk = "pbx", number = "2905" },
]
qualifications = [{ system = "ehr", modules = ["*"], level = "expert" }]
shifts = [
    { days = ["mon", "tue", "wed", "thu", "fri"], from = "15:00", to = "23:00" },
    { days = ["sat", "sun"], from = "08:00", to = "20:00" },
]
"#
    );
    let dana = analysts::text(&people.new[2], &known());
    assert!(dana.contains("number = \"+12025550117\", outside = true, role = \"on-call\""), "{dana}");
    assert!(dana.contains("supervisor = true"), "{dana}");
    assert!(dana.contains("from = \"00:00\", to = \"24:00\""), "{dana}");
}

fn people(text: &str) -> analysts::People {
    analysts::read(text.as_bytes(), &known()).expect("a table")
}

/// Line and reason of each refused row.
fn refused(people: &analysts::People) -> Vec<(u64, &str)> {
    people.wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect()
}

#[test]
fn rows_of_one_person_add_up_with_their_sites_and_languages() {
    let people = people(
        "Name,User,Systems,Modules,Level,Sites,Languages\nLena Brandt,lena,ehr,charting,expert,,en\n\
         Lena Brandt,,lab,ALL,,main,\nlena brandt,lena,ehr,Charting,expert,Main,es\n",
    );
    assert_eq!(refused(&people), []);
    let lena = &people.new[0];
    let held: Vec<(&str, usize, &str)> =
        lena.held.iter().map(|held| (held.system.as_str(), held.modules.len(), held.level.as_str())).collect();
    assert_eq!(held, [("ehr", 1, "expert"), ("lab", 0, "basic")]);
    assert_eq!(
        (lena.sites.as_slice(), lena.languages.as_slice()),
        (&["main".to_owned()][..], &["en".to_owned(), "es".to_owned()][..])
    );
}

#[test]
fn one_wrong_row_leaves_a_person_out_and_each_of_their_rows_is_told() {
    let people = people(
        "Name,User,Systems,Modules\nJoel,joel,ehr,all\nJoel,,nothing,\nJoel,,lab,all\nLena,lena,ehr,all\nTwin,lena,ehr,all\n\
         Alone,,ehr,all\nAlone,,lab,all\n",
    );
    assert_eq!(people.new.iter().map(|person| person.name.as_str()).collect::<Vec<_>>(), ["Lena"]);
    let told = refused(&people);
    assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 6, 7, 8], "{told:?}");
    assert_eq!(told[0].1, "left out, as line 3 is of the same person (joel) and refused");
    assert_eq!(told[2].1, told[0].1);
    assert!(told[3].1.contains("another phone registers as `lena`"), "{told:?}");
    assert!(told[4].1.contains("has no phone") && told[5].1.contains("line 7"), "{told:?}");
}

#[test]
fn two_people_of_one_id_never_become_one() {
    let two = people("Name,User,Systems,Modules\nJose Silva,jose,ehr,all\nJosé Silva,jose2,lab,all\n");
    assert!(two.new.is_empty());
    let told = refused(&two);
    assert!(
        told[1].1.starts_with("José Silva has the id `jose-silva`, and so has Jose Silva, who stands in line 2"),
        "{told:?}"
    );
    assert!(told[0].1.contains("left out, as line 3"), "{told:?}");
    let named = people("Name,Id,User,Systems,Modules\nJose Silva,js1,jose,ehr,all\nJosé Silva,js2,jose2,lab,all\n");
    assert_eq!((named.new.len(), refused(&named)), (2, vec![]));
    let declared = people("Name,User\nAmära Osei,x\n");
    assert!(refused(&declared)[0].1.contains("and so has Amara Osei, who is declared already"), "{declared:?}");
    let phones = people("Name,User,Mobile\nMaria Silva,maria,\nMaria Silva,msilva,\n");
    assert!(refused(&phones)[1].1.contains("`maria` in line 2 and `msilva` here"), "{phones:?}");
    let levels = people("Name,User,Systems,Modules,Level\nLena,lena,ehr,all,basic\nLena,,ehr,orders,expert\n");
    assert!(refused(&levels)[1].1.contains("basic in a row above and expert here"), "{levels:?}");
}

#[test]
fn who_takes_every_module_is_said_and_never_left_empty() {
    let why = |systems: &str, modules: &str| -> String {
        let people = people(&format!("Name,User,Systems,Modules\nLena,lena,{systems},{modules}\n"));
        refused(&people).first().map(|(_, why)| (*why).to_owned()).unwrap_or_default()
    };
    assert_eq!(why("ehr", ""), "Modules is empty; write all, or those that they know: charting, orders");
    assert_eq!(why("ehr", "all; orders"), "Modules says all and names some; write one of them");
    assert_eq!(why("ehr; lab", "orders"), "lab has none of these modules; write it in a row of its own");
    assert_eq!(why("", "all"), "modules are named, but no system; fill in Systems");
    for fine in [("ehr", "All"), ("ehr", "*"), ("ehr; lab", "orders; results"), ("", "")] {
        assert_eq!(why(fine.0, fine.1), "", "{fine:?}");
    }
}

#[test]
fn a_cell_that_is_not_understood_is_a_fault_and_a_column_that_is_not_is_told() {
    let odd =
        people("Name,Id,User,Role,Moble,Notes\n李雷,,lei,,,\nLena,,lena,boss,,\n,x,y,,,\n韩梅,han-mei,han,Lead,,\n");
    let told = refused(&odd);
    assert!(told[0].1.contains("no id can be made of `李雷`; fill in Id"), "{told:?}");
    assert!(told[1].1.contains("`boss` is no role"), "{told:?}");
    assert!(told[2].1.contains("Name is empty"), "{told:?}");
    assert_eq!((odd.new[0].id.as_str(), odd.new[0].supervisor), ("han-mei", true));
    assert_eq!(odd.unread, ["Moble", "Notes"]);
    let twice = analysts::read(b"Name,Level,Level\nLena,basic,expert\n", &known()).expect_err("refused");
    assert!(twice.contains("two columns are called `Level`"), "{twice}");
}
