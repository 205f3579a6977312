//! Everything that may be written in import.toml. See [`crate::grammar`].

use crate::config::grammar::{EXTENSIONS, REFERENCE};
use crate::config::import::columns::Field;
use crate::grammar::{BLANK, Kind, Need, Table, key};
use crate::identity::PhoneClass;

/// Rules of one file; more are more than anybody keeps in order.
const MAX_RULES: usize = 1_000;

pub static IMPORT: Table = Table {
    name: "import",
    subject: "import.toml",
    written: "import.toml",
    doc: "How `wardline import phones` places the phones of the PBX's export. What no rule places is placed by the names of \
          the hospital's units, else listed. The node itself never reads it.",
    keys: &[key!("rules", Kind::Tables(&RULE, MAX_RULES), Need::Without("units by their names alone"), "in order")],
    example: r#"[[rules]]
match = ["fax", "*elevator*"]
skip = true

[[rules]]
match = ["4W*", "4 West"]
unit = "4-west"

[[rules]]
match = ["bedside"]
in = ["description"]
class = "patient"
"#,
    ..BLANK
};

static RULE: Table = Table {
    name: "rule",
    subject: "a rule",
    written: "[[rules]]",
    doc: "Of all rules that take a phone, the first that says a unit (or `skip`) decides the unit, the first that says a class \
          the class, and so on.",
    keys: &[
        key!(
            "match",
            Kind::List(&Kind::Text),
            Need::Without("all that `numbers` takes"),
            "any of these: with `*` or `?` a whole text (`\"4W*\"`), else words anywhere in it (`\"4 West\"`)"
        ),
        key!(
            "in",
            Kind::List(&Kind::Words(&Field::NAMES)),
            Need::Without("any text of the phone"),
            "where it is looked for"
        ),
        key!("numbers", Kind::Form(&EXTENSIONS), Need::Without("all"), "only these numbers"),
        key!("skip", Kind::Flag, Need::Default("false"), "not for the map: a fax, an elevator"),
        key!("unit", REFERENCE, Need::Without("what another rule or its name says"), "where it stands"),
        key!("name", Kind::Text, Need::Without("its id"), "of a unit that the hospital's file does not declare yet"),
        key!("site", REFERENCE, Need::Without("the hospital's only one"), "of such a unit"),
        key!(
            "class",
            Kind::Words(&PhoneClass::NAMES),
            Need::Without("what words such as bedside or lobby say, else ward"),
            "what kind of phone"
        ),
        key!("system", REFERENCE, Need::Without("the unit's"), "the EHR that it stands at"),
        key!("module", REFERENCE, Need::Without("unknown"), "the one module that is used there"),
    ],
    example: "[[rules]]\nmatch = [\"4W*\"]\nin = [\"description\"]\nnumbers = \"4700-4719\"\nunit = \"4-west\"\nname = \"4 West\"\nsite = \"harbor\"\n",
    ..BLANK
};
