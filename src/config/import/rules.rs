//! Which unit a phone stands at, and what kind of phone it is: by the rules of import.toml, then by the names of the
//! hospital's units. A phone that nothing places is left unplaced; it is never guessed by likeness.

use crate::config::import::columns::{Exported, Field};
use crate::config::import::grammar::IMPORT;
use crate::config::import::sheet::words;
use crate::config::reader::{Fields, Problems, Spanned};
use crate::config::tree::Tree;
use crate::config::values::NumberRange;
use crate::identity::PhoneClass;
use crate::ids::{ModuleId, SiteId, SystemId, UnitId};

/// One rule as written.
#[derive(Clone, Debug)]
pub struct Rule {
    /// From 1, as people count.
    pub number: usize,
    /// Any of these; none: all phones that `numbers` takes.
    patterns: Vec<Pattern>,
    /// In these texts; empty: in all.
    fields: Vec<Field>,
    numbers: Option<NumberRange>,
    /// No phone that calls: a fax, an elevator.
    skip: bool,
    pub unit: Option<UnitId>,
    /// For a unit that the hospital's file does not declare yet.
    pub declare: Declare,
    class: Option<PhoneClass>,
    system: Option<SystemId>,
    module: Option<ModuleId>,
}

/// What a unit is declared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declare {
    pub name: Option<String>,
    pub site: Option<SiteId>,
}

/// "4W*" is compared with a whole text; without `*` or `?`, words are looked for anywhere in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Glob(Vec<char>),
    Words(Vec<String>),
}

impl Pattern {
    fn read(text: &str) -> Pattern {
        match text.contains(['*', '?']) {
            true => Pattern::Glob(text.to_lowercase().chars().collect()),
            false => Pattern::Words(words(text)),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Pattern::Glob(glob) => globbed(glob, &text.to_lowercase().chars().collect::<Vec<char>>()),
            Pattern::Words(wanted) => holds(&words(text), wanted),
        }
    }
}

/// Whether `wanted` stand in `words`, one after the other.
fn holds(words: &[String], wanted: &[String]) -> bool {
    !wanted.is_empty() && words.windows(wanted.len()).any(|some| some == wanted)
}

/// `*` is any text, `?` one letter. In time linear in both, times each other at the worst.
fn globbed(glob: &[char], text: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(letter) if *letter == '?' || text.get(from) == Some(letter) => {
                at += 1;
                from += 1;
            }
            Some(_) | None => match star {
                // The star takes one letter more.
                Some((starred, taken)) => {
                    star = Some((starred, taken + 1));
                    at = starred + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob.get(at..).unwrap_or_default().iter().all(|rest| *rest == '*')
}

/// Reads import.toml.
pub fn read(tree: &Tree, file: &str, problems: &Problems) -> Vec<Rule> {
    let Some(fields) = Fields::of(tree, file, &IMPORT, problems) else { return Vec::new() };
    let rules = fields.tables("rules", "a rule").into_iter().enumerate();
    rules.map(|(index, entry)| read_rule(index + 1, &entry)).collect()
}

fn read_rule(number: usize, entry: &Fields<'_>) -> Rule {
    let patterns: Vec<String> = entry.or("match", Vec::new());
    let fields = entry.optional::<Vec<Spanned<String>>>("in").unwrap_or_default().into_iter();
    let field = |word: Spanned<String>| {
        let read = Field::read(&word.value);
        if read.is_none() {
            let finding = word.place.error(format!("no text of an export is called `{}`", word.value));
            entry.problems.push(finding.nearest(&word.value, Field::NAMES));
        }
        read
    };
    let rule = Rule {
        number,
        patterns: patterns.iter().map(|pattern| Pattern::read(pattern)).collect(),
        fields: fields.filter_map(field).collect(),
        numbers: entry.optional("numbers"),
        skip: entry.or("skip", false),
        unit: entry.optional("unit"),
        declare: Declare { name: entry.optional("name"), site: entry.optional("site") },
        class: entry.optional("class"),
        system: entry.optional("system"),
        module: entry.optional("module"),
    };
    if !entry.has("match") && !entry.has("numbers") {
        let finding = entry.place.error("this rule says not which phones it is for");
        entry.problems.push(finding.remedy("add match = [\"4W*\"], or numbers = \"4700-4719\""));
    }
    if rule.unit.is_none() && rule.class.is_none() && rule.module.is_none() && rule.system.is_none() && !rule.skip {
        let finding = entry.place.error("this rule says nothing of the phones that it takes");
        entry.problems.push(finding.remedy("add unit = \"4-west\", class = \"patient\" or skip = true"));
    }
    rule
}

impl Rule {
    fn takes(&self, number: &str, phone: &Exported) -> bool {
        let counted = self.numbers.as_ref().is_none_or(|range| match range {
            NumberRange::One(one) => one.as_str() == number,
            NumberRange::Many { digits, first, last } => {
                number.len() == *digits && number.parse::<u64>().is_ok_and(|value| (*first..=*last).contains(&value))
            }
        });
        let looked = |field: &Field| self.fields.is_empty() || self.fields.contains(field);
        let fits = |text: &str| self.patterns.iter().any(|pattern| pattern.fits(text));
        counted && (self.patterns.is_empty() || phone.texts.iter().any(|(field, text)| looked(field) && fits(text)))
    }
}

// -- Placing ----------------------------------------------------------------------------------------------------------

/// A unit as rules know it: its id and its name.
#[derive(Clone, Debug)]
pub struct KnownUnit {
    id: UnitId,
    /// Each a way in which people write it.
    ways: Vec<Vec<String>>,
}

impl KnownUnit {
    pub fn new(id: &UnitId, name: &str) -> KnownUnit {
        let mut ways = vec![words(name), words(id.as_str())];
        // "4 West" is "4W" to everybody who works there.
        if let [number, word] = words(name).as_slice()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && let Some(letter) = word.chars().next()
        {
            ways.push(vec![format!("{number}{letter}")]);
        }
        ways.retain(|way| !way.is_empty());
        ways.sort();
        ways.dedup();
        KnownUnit { id: id.clone(), ways }
    }
}

/// Where a phone stands, and by what that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    At(Facts, By),
    /// A rule leaves it out.
    Skipped(usize),
    /// Nothing says where it stands.
    Nowhere,
    /// Its texts name several units.
    Between(Vec<UnitId>),
}

/// What the map says of a phone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facts {
    pub unit: UnitId,
    pub class: PhoneClass,
    pub system: Option<SystemId>,
    pub module: Option<ModuleId>,
    pub room: Option<String>,
}

impl Facts {
    /// "4-west", "4-west (patient)".
    pub fn place(&self) -> String {
        if self.class == PhoneClass::Ward {
            return self.unit.to_string();
        }
        format!("{} ({})", self.unit, self.class.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Rule(usize),
    /// A text names the unit.
    Name(Field),
}

/// Words that tell a class where no rule does. Each is looked for as whole words in what people wrote of the phone.
const CLASS_WORDS: [(&str, PhoneClass); 15] = [
    ("patient", PhoneClass::Patient),
    ("patient room", PhoneClass::Patient),
    ("bedside", PhoneClass::Patient),
    ("bed", PhoneClass::Patient),
    ("lobby", PhoneClass::Public),
    ("waiting room", PhoneClass::Public),
    ("waiting area", PhoneClass::Public),
    ("courtesy phone", PhoneClass::Public),
    ("public", PhoneClass::Public),
    ("elevator", PhoneClass::Public),
    ("cafeteria", PhoneClass::Public),
    ("office", PhoneClass::Office),
    ("front desk", PhoneClass::Office),
    ("reception", PhoneClass::Office),
    ("manager", PhoneClass::Office),
];

/// Places one phone. The first rule that takes it and says a thing decides that thing.
pub fn place(number: &str, phone: &Exported, rules: &[Rule], units: &[KnownUnit]) -> Placement {
    let fitting: Vec<&Rule> = rules.iter().filter(|rule| rule.takes(number, phone)).collect();
    let decides = |rule: &&&Rule| rule.skip || rule.unit.is_some();
    let (unit, by) = match fitting.iter().find(decides) {
        Some(rule) if rule.skip => return Placement::Skipped(rule.number),
        Some(Rule { unit: Some(unit), number, .. }) => (unit.clone(), By::Rule(*number)),
        Some(_) | None => match named(phone, units) {
            Ok(Some((unit, field))) => (unit, By::Name(field)),
            Ok(None) => return Placement::Nowhere,
            Err(several) => return Placement::Between(several),
        },
    };
    let class = fitting.iter().find_map(|rule| rule.class).or_else(|| class_told(phone)).unwrap_or(PhoneClass::Ward);
    let facts = Facts {
        unit,
        class,
        system: fitting.iter().find_map(|rule| rule.system.clone()),
        module: fitting.iter().find_map(|rule| rule.module.clone()),
        room: phone.room.clone(),
    };
    Placement::At(facts, by)
}

/// The unit that the first text names which names any; the longest name wins ("4 West Annex" over "4 West").
fn named(phone: &Exported, units: &[KnownUnit]) -> Result<Option<(UnitId, Field)>, Vec<UnitId>> {
    for (field, text) in &phone.texts {
        let text = words(text);
        let length = |unit: &KnownUnit| {
            let found = unit.ways.iter().filter(|way| holds(&text, way));
            found.map(|way| way.iter().map(String::len).sum::<usize>()).max()
        };
        let found: Vec<(usize, &UnitId)> = units.iter().filter_map(|unit| Some((length(unit)?, &unit.id))).collect();
        let most = found.iter().map(|(length, _)| *length).max();
        let best: Vec<UnitId> =
            found.into_iter().filter(|(length, _)| Some(*length) == most).map(|(_, id)| id.clone()).collect();
        match best.as_slice() {
            [] => {}
            [unit] => return Ok(Some((unit.clone(), *field))),
            [_, ..] => return Err(best),
        }
    }
    Ok(None)
}

/// By what people wrote of the phone; where it is wired says nothing.
fn class_told(phone: &Exported) -> Option<PhoneClass> {
    let written = phone.texts.iter().filter(|(field, _)| matches!(field, Field::Description | Field::Name));
    let written: Vec<Vec<String>> = written.map(|(_, text)| words(text)).collect();
    CLASS_WORDS.iter().find_map(|(told, class)| {
        let wanted = words(told);
        written.iter().any(|text| holds(text, &wanted)).then_some(*class)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(texts: &[(Field, &str)]) -> Exported {
        let texts = texts.iter().map(|(field, text)| (*field, (*text).to_owned())).collect();
        Exported { line: 2, number: "4700".to_owned(), texts, room: None }
    }

    fn units() -> Vec<KnownUnit> {
        let unit = |id: &str, name: &str| KnownUnit::new(&UnitId::new(id), name);
        vec![unit("4-west", "4 West"), unit("4-west-annex", "4 West Annex"), unit("icu", "ICU")]
    }

    fn unit_of(text: &str) -> Option<String> {
        match place("4700", &phone(&[(Field::Description, text)]), &[], &units()) {
            Placement::At(facts, _) => Some(facts.unit.as_str().to_owned()),
            Placement::Skipped(_) | Placement::Nowhere | Placement::Between(_) => None,
        }
    }

    #[test]
    fn a_unit_is_known_by_its_name_its_id_and_its_usual_short_form() {
        assert_eq!(unit_of("4 WEST Nurse Station").as_deref(), Some("4-west"));
        assert_eq!(unit_of("4W-12 workstation").as_deref(), Some("4-west"));
        assert_eq!(unit_of("Nurse 4-West").as_deref(), Some("4-west"));
        assert_eq!(unit_of("4 West Annex 2").as_deref(), Some("4-west-annex"));
        assert_eq!(unit_of("Midwest office"), None);
        assert_eq!(unit_of("4 Western Ave"), None);
        let both = place("4700", &phone(&[(Field::Description, "4W and ICU")]), &[], &units());
        assert!(matches!(both, Placement::At(..) | Placement::Between(_)));
    }

    #[test]
    fn two_units_of_equal_likeness_are_never_guessed_between() {
        let known = |id: &str| KnownUnit::new(&UnitId::new(id), id);
        let all = [known("icu"), known("nsy")];
        let placed = place("1", &phone(&[(Field::Description, "ICU / NSY transfer")]), &[], &all);
        assert_eq!(placed, Placement::Between(vec![UnitId::new("icu"), UnitId::new("nsy")]));
    }

    #[test]
    fn what_somebody_wrote_comes_before_where_it_is_wired() {
        let texts = [(Field::Description, "ICU 3"), (Field::Location, "4 West")];
        let Placement::At(facts, by) = place("4700", &phone(&texts), &[], &units()) else { panic!("placed") };
        assert_eq!((facts.unit.as_str(), by), ("icu", By::Name(Field::Description)));
    }

    #[test]
    fn globs_take_what_they_say() {
        let fits = |pattern: &str, text: &str| Pattern::read(pattern).fits(text);
        assert!(fits("4W*", "4w-12 nurse"));
        assert!(!fits("4W*", "14W-12"));
        assert!(fits("*bed ?", "4 West Bed 3"));
        assert!(!fits("*bed ?", "4 West Bed 12"));
        assert!(fits("bed", "4 West Bed 12"));
        assert!(!fits("bed", "bedside"));
        assert!(fits("*", ""));
        assert!(fits("a*b*c", "aXbYbZc"));
        assert!(!fits("a*b*c", "aXbYbZ"));
    }
}
