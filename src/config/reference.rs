//! docs/reference.md, made of the grammar: every key of every file that admins write.

use std::fmt::Write as _;
use std::time::Duration;

use crate::config::grammar::FILES;
use crate::grammar::{self, Choice, Key, Kind, Need, Table};

const HEAD: &str = "# Reference

Every key of every file, made of the same description that `wardline check` reads by and that `wardline schema` prints.
How to begin is told in [admins.md](admins.md), how to write a plan in [dial-plans.md](dial-plans.md).

An editor with TOML support (taplo, Even Better TOML) completes and explains keys by the schemas in `sip-config/schema/`: the
first line of each sample file, `#:schema ./schema/hospital.json`, names its own.

Durations are a number and `ms`, `s`, `m`, `h` or `d` in quotes: `\"8s\"`, `\"1.5s\"`. Numbers to dial stand in quotes: `\"4710\"`.
A key that is not listed is an error.
";

/// The whole page.
pub fn text() -> String {
    let mut out = HEAD.to_owned();
    for file in FILES {
        section(file, "##", file.written, &mut out);
        for table in grammar::all(file).into_iter().skip(1) {
            section(table, "###", table.name, &mut out);
        }
    }
    out
}

fn section(table: &'static Table, level: &str, title: &str, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n{level} {title}\n");
    if title != table.written {
        let _ = writeln!(out, "`{}`\n", table.written);
    }
    let _ = writeln!(out, "{}", table.doc);
    let listed = |keys: &[&str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let _ = match table.choice {
        Choice::Free => Ok(()),
        Choice::One(keys) => writeln!(out, "Exactly one of {}.", listed(keys)),
        Choice::Some(keys) => writeln!(out, "At least one of {}.", listed(keys)),
    };
    let _ = writeln!(out, "\n| key | takes | bounds | without it | meaning |\n|---|---|---|---|---|");
    if let Some(tag) = table.tag {
        let _ = writeln!(out, "| `type` | word | `{tag}` | required | makes it this kind of step |");
    }
    for key in table.keys() {
        let _ = writeln!(out, "{}", row(key));
    }
    if !table.example.is_empty() {
        let _ = writeln!(out, "\n```toml\n{}```", table.example);
    }
}

fn row(key: &Key) -> String {
    let without = match key.need {
        Need::Required => "required".to_owned(),
        Need::Default(value) => format!("`{value}`"),
        Need::Without(what) => what.to_owned(),
    };
    let cells = [format!("`{}`", key.name), takes(key.kind), bounds(key.kind), without, key.doc.to_owned()];
    format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn link(table: &Table) -> String {
    format!("[{0}](#{0})", table.name)
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Form(form) => form.name.to_owned(),
        Kind::Words(_) => "word".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Number { .. } => "whole number".to_owned(),
        Kind::Duration { .. } => "duration".to_owned(),
        Kind::List(inner) => format!("list: {}", takes(*inner)),
        Kind::OneOrMore(inner, _) => format!("{}, or a list", takes(*inner)),
        Kind::Texts => "texts by name".to_owned(),
        Kind::Table(table) => link(table),
        Kind::Tables(table, _) => format!("list: {}", link(table)),
        Kind::Named(table, name) => format!("{} by {}", link(table), name.name),
        Kind::Steps(steps) => {
            let each: Vec<String> = steps.iter().map(|step| link(step)).collect();
            format!("steps by name: {}", each.join(", "))
        }
        Kind::Keypad(Some(table)) => format!("name of a step, or {}, by key", link(table)),
        Kind::Keypad(None) => "name of a step, by key".to_owned(),
    }
}

fn bounds(kind: Kind) -> String {
    let most = |most: usize| format!("at most {most}");
    match kind {
        Kind::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Number { least, most } => format!("{least} to {most}"),
        Kind::Duration { least, most } if least.is_zero() => format!("at most {}", time(most)),
        Kind::Duration { least, most } => format!("{} to {}", time(least), time(most)),
        Kind::List(inner) => bounds(*inner),
        Kind::OneOrMore(inner, count) => match bounds(*inner) {
            words if words.is_empty() => most(count),
            words => words,
        },
        Kind::Tables(_, count) => most(count),
        Kind::Keypad(_) => "1 to 8, `*`, `#`".to_owned(),
        Kind::Text | Kind::Form(_) | Kind::Flag | Kind::Texts | Kind::Table(_) | Kind::Named(..) | Kind::Steps(_) => {
            String::new()
        }
    }
}

fn time(duration: Duration) -> String {
    const DAY: u64 = 86_400;
    match duration.as_secs() {
        seconds if seconds >= DAY && seconds % DAY == 0 => format!("{} days", seconds / DAY),
        _ => format!("{} s", duration.as_secs_f64()),
    }
}
