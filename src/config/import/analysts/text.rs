//! A person as TOML.

use crate::config::import::analysts::shifts::Span;
use crate::config::import::analysts::{Held, Known, Person};

/// A person as they stand in analysts.toml, with an empty line above.
pub fn text(person: &Person, known: &Known) -> String {
    let quoted = |text: &str| toml_edit::Value::from(text).to_string();
    let list = |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
    let trunk = quoted(&known.trunk);
    let mut phones = Vec::new();
    phones.extend(person.user.as_ref().map(|user| format!("{{ register = {} }}", quoted(user))));
    let number = |number: &String| format!("{{ trunk = {trunk}, number = {} }}", quoted(number));
    phones.extend(person.extension.as_ref().map(number));
    let mobile = |number: &String| {
        format!("{{ trunk = {trunk}, number = {}, outside = true, role = \"on-call\" }}", quoted(number))
    };
    phones.extend(person.mobile.as_ref().map(mobile));
    let held = |held: &Held| {
        let modules = if held.modules.is_empty() { quoted("*") } else { list(&held.modules) };
        format!(
            "{{ system = {}, modules = [{modules}], level = {} }}",
            quoted(&held.system),
            quoted(held.level.as_str())
        )
    };
    let span = |span: &Span| {
        let days: Vec<String> = span.days.iter().map(|day| quoted(day)).collect();
        format!("{{ days = [{}], from = {}, to = {} }}", days.join(", "), quoted(&span.from), quoted(&span.to))
    };
    let mut lines = vec![
        format!("\n[analysts.{}]", person.id),
        format!("name = {}", quoted(&person.name)),
        format!("hospitals = [{}]", quoted(&known.hospital)),
    ];
    if person.supervisor {
        lines.push("supervisor = true".to_owned());
    }
    for (key, words) in [("sites", &person.sites), ("languages", &person.languages)] {
        if !words.is_empty() {
            lines.push(format!("{key} = [{}]", list(words)));
        }
    }
    let all = [
        ("phones", phones),
        ("qualifications", person.held.iter().map(held).collect()),
        ("shifts", person.shifts.iter().map(span).collect()),
        ("on_call", person.on_call.iter().map(span).collect()),
    ];
    lines.extend(all.into_iter().filter(|(_, tables)| !tables.is_empty()).map(|(key, tables)| tables_of(key, &tables)));
    lines.join("\n") + "\n"
}

/// On one line where it is one, else one a line.
fn tables_of(key: &str, tables: &[String]) -> String {
    match tables {
        [one] => format!("{key} = [{one}]"),
        many => format!("{key} = [\n    {},\n]", many.join(",\n    ")),
    }
}
