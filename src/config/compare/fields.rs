//! Field by field: what differs between two values of one thing.

use std::collections::BTreeSet;

use crate::config::compare::plain::Plain;
use crate::config::compare::union;

/// Keys of a plan whose value is a step.
const LEADS: [&str; 13] = [
    "next",
    "silence",
    "wrong",
    "skip",
    "else",
    "accepted",
    "rejected",
    "no_answer",
    "give_up",
    "start",
    "person",
    "operator",
    "locked",
];
/// What tells the items of a list apart, the first that all of them have.
const IDENTITIES: [&[&str]; 7] =
    [&["name"], &["register"], &["sip"], &["trunk", "number"], &["system", "hospital"], &["system"], &["at"]];

/// Adds a line for each difference under `path`. `plan`: some keys lead to steps.
pub fn differences(path: &str, old: Option<&Plain>, new: Option<&Plain>, plan: bool, out: &mut Vec<String>) {
    match (old, new) {
        (Some(old), Some(new)) if old == new => {}
        (Some(Plain::Table(was)), Some(Plain::Table(is))) => {
            for key in union(was.keys(), is.keys()) {
                differences(&below(path, key), was.get(key), is.get(key), plan, out);
            }
        }
        (Some(Plain::List(was)), Some(Plain::List(is))) => lists(path, was, is, plan, out),
        (Some(old), Some(new)) => out.push(match leading(path, new, plan) {
            Some(whence) => format!("{whence}now leads to `{}` (was `{}`)", new.short(), old.short()),
            None => format!("{path} {} → {}", old.short(), new.short()),
        }),
        (None, Some(new)) => out.push(match leading(path, new, plan) {
            Some(whence) => format!("{whence}now leads to `{}`", new.short()),
            None => format!("{path} added: {}", new.short()),
        }),
        (Some(old), None) => out.push(format!("{path} removed (was {})", old.short())),
        (None, None) => {}
    }
}

/// Every field of a new thing.
pub fn all(value: &Plain) -> Vec<String> {
    match value {
        Plain::Table(table) => table.iter().map(|(key, value)| format!("{key} {}", value.short())).collect(),
        Plain::List(_) | Plain::Scalar(_) => vec![value.short()],
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Where a step leads from, with a space behind it; `None` when the field is no reference to a step.
fn leading(path: &str, value: &Plain, plan: bool) -> Option<String> {
    if !plan || !matches!(value, Plain::Scalar(_)) {
        return None;
    }
    let (before, key) = path.rsplit_once('.').unwrap_or(("", path));
    if key == "next" {
        return Some(if before.is_empty() { String::new() } else { format!("{before} ") });
    }
    let of_keys = before == "keys" || before.ends_with(".keys");
    (of_keys || LEADS.contains(&key)).then(|| format!("{path} "))
}

fn lists(path: &str, was: &[Plain], is: &[Plain], plan: bool, out: &mut Vec<String>) {
    if was.iter().chain(is).all(|item| matches!(item, Plain::Scalar(_))) {
        let show = |items: &[Plain]| Plain::List(items.to_vec()).short();
        out.push(format!("{path} {} → {}", show(was), show(is)));
    } else if let Some((before, after)) = identified(was, is) {
        by_identity(path, &before, &after, plan, out);
    } else if was.len() == is.len() && !is.iter().all(|item| item.field("days").is_some()) {
        for (position, (old, new)) in was.iter().zip(is).enumerate() {
            differences(&below(path, &(position + 1).to_string()), Some(old), Some(new), plan, out);
        }
    } else {
        let gone = was.iter().filter(|item| !is.contains(item)).map(|item| format!("{path} - {}", item.short()));
        let come = is.iter().filter(|item| !was.contains(item)).map(|item| format!("{path} + {}", item.short()));
        let before = out.len();
        out.extend(gone.chain(come));
        if out.len() == before {
            out.push(format!("{path} in another order or number"));
        }
    }
}

type Named<'a> = Vec<(String, &'a Plain)>;

/// Both lists with a name for each item, when some key tells all of them apart.
fn identified<'a>(was: &'a [Plain], is: &'a [Plain]) -> Option<(Named<'a>, Named<'a>)> {
    let name = |item: &Plain, keys: &[&str]| -> Option<String> {
        let parts: Option<Vec<String>> = keys.iter().map(|key| item.field(key).map(Plain::short)).collect();
        Some(parts?.join(" "))
    };
    // Of phones, some register and some do not: each item takes the first key it has.
    let of = |item: &Plain| IDENTITIES.iter().find_map(|keys| name(item, keys));
    let list = |items: &'a [Plain]| -> Option<Named<'a>> {
        let named: Option<Named> = items.iter().map(|item| Some((of(item)?, item))).collect();
        let named = named?;
        let distinct: BTreeSet<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
        (distinct.len() == named.len()).then_some(named)
    };
    Some((list(was)?, list(is)?))
}

fn by_identity(path: &str, was: &Named, is: &Named, plan: bool, out: &mut Vec<String>) {
    let find = |list: &Named, name: &str| list.iter().position(|(known, _)| known == name);
    for (name, _) in was.iter().filter(|(name, _)| find(is, name).is_none()) {
        out.push(format!("{path} - {name}"));
    }
    for (name, new) in is {
        match find(was, name).and_then(|position| was.get(position)) {
            Some((_, old)) => differences(&format!("{path} {name}"), Some(old), Some(new), plan, out),
            None => out.push(format!("{path} + {}", new.short())),
        }
    }
    let common = |list: &Named, other: &Named| -> Vec<String> {
        list.iter().filter(|(name, _)| find(other, name).is_some()).map(|(name, _)| name.clone()).collect()
    };
    let now = common(is, was);
    if common(was, is) != now {
        out.push(format!("{path} in another order: {}", now.join(", ")));
    }
}
