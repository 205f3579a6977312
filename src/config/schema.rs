//! JSON Schemas (draft 7) of the files that admins write, made of their grammar: editors complete and explain by them.

use serde_json::{Map, Value, json};

use crate::grammar::{self, Choice, DURATION_PATTERN, Form, Key, Kind, Need, Table};

/// The schema of one file.
pub fn of(root: &'static Table) -> Value {
    let mut schema = table(root);
    let below = grammar::all(root).into_iter().skip(1);
    let definitions: Map<String, Value> = below.map(|below| (below.name.to_owned(), table(below))).collect();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(root.written);
    schema["definitions"] = Value::Object(definitions);
    schema
}

/// As it is written to a file.
pub fn text(root: &'static Table) -> String {
    format!("{:#}\n", of(root))
}

fn table(table: &'static Table) -> Value {
    let mut properties: Map<String, Value> = table.keys().map(|key| (key.name.to_owned(), property(key))).collect();
    let needed = table.keys().filter(|key| key.need == Need::Required).map(|key| key.name);
    let needed: Vec<&str> = table.tag.map(|_| "type").into_iter().chain(needed).collect();
    if let Some(tag) = table.tag {
        properties.insert("type".to_owned(), json!({ "type": "string", "enum": [tag], "description": table.doc }));
    }
    let mut schema = json!({
        "type": "object",
        "description": table.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    let each = |keys: &[&str]| -> Vec<Value> { keys.iter().map(|key| json!({ "required": [key] })).collect() };
    match table.choice {
        Choice::Free => {}
        Choice::One(keys) => schema["oneOf"] = json!(each(keys)),
        Choice::Some(keys) => schema["anyOf"] = json!(each(keys)),
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = kind(key.kind);
    schema["description"] = json!(explained(key));
    if let Need::Default(written) = key.need
        && let Some(value) = literal(written)
    {
        schema["default"] = value;
    }
    schema
}

/// What an editor shows beside a key.
fn explained(key: &Key) -> String {
    let mut text = capital(key.doc);
    text.push('.');
    match key.need {
        Need::Required => text.push_str(" Required."),
        Need::Default(value) => text.push_str(&format!(" Without it: {value}.")),
        Need::Without(what) => text.push_str(&format!(" Without it: {what}.")),
    }
    if let Kind::Duration { least, most } = key.kind {
        let least = if least.is_zero() { String::new() } else { format!("at least {} s, ", least.as_secs_f64()) };
        text.push_str(&format!(" A duration such as \"8s\" or \"300ms\"; {least}at most {} s.", most.as_secs_f64()));
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn kind(kind_of: Kind) -> Value {
    match kind_of {
        Kind::Text => json!({ "type": "string" }),
        Kind::Form(form) => json!({ "type": "string", "pattern": pattern(form.pattern) }),
        Kind::Words(words) => json!({ "type": "string", "enum": words }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Duration { .. } => json!({ "type": "string", "pattern": pattern(DURATION_PATTERN) }),
        Kind::List(inner) => json!({ "type": "array", "items": kind(*inner) }),
        Kind::OneOrMore(inner, most) => {
            let many = json!({ "type": "array", "items": kind(*inner), "maxItems": most });
            json!({ "anyOf": [many, kind(*inner)] })
        }
        Kind::Texts => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Table(table) => json!({ "allOf": [reference(table)] }),
        Kind::Tables(table, most) => json!({ "type": "array", "items": reference(table), "maxItems": most }),
        Kind::Named(table, name) => named(name, reference(table)),
        Kind::Steps(steps) => named(&crate::ivr::grammar::STEP_NAME, step(steps)),
        Kind::Keypad(answer) => {
            let step = kind(Kind::Form(&crate::ivr::grammar::STEP));
            let answer = match answer {
                Some(table) => json!({ "anyOf": [step, reference(table)] }),
                None => step,
            };
            json!({ "type": "object", "patternProperties": { "^[1-8*#]$": answer }, "additionalProperties": false })
        }
    }
}

/// A step of any type. `allOf` judges it by its type alone, so that a mistake is told as one of that type; `anyOf` always
/// holds (by its last), and is there for editors, which look into it for what they may offer.
fn step(steps: &[&'static Table]) -> Value {
    let of_type = |step: &&'static Table| {
        let this = json!({ "properties": { "type": { "enum": [step.tag] } }, "required": ["type"] });
        json!({ "if": this, "then": reference(step) })
    };
    let judged: Vec<Value> = steps.iter().map(of_type).collect();
    let offered: Vec<Value> = steps.iter().map(|step| reference(step)).chain([json!({})]).collect();
    let tags: Vec<&str> = steps.iter().filter_map(|step| step.tag).collect();
    json!({
        "type": "object",
        "properties": { "type": { "type": "string", "enum": tags, "description": "What the step does. Required." } },
        "required": ["type"],
        "allOf": judged,
        "anyOf": offered,
    })
}

fn named(name: &Form, value: Value) -> Value {
    json!({ "type": "object", "propertyNames": { "pattern": pattern(name.pattern) }, "additionalProperties": value })
}

fn reference(table: &Table) -> Value {
    json!({ "$ref": format!("#/definitions/{}", table.name) })
}

fn pattern(whole: &str) -> String {
    format!("^(?:{whole})$")
}

/// A default as JSON.
fn literal(written: &str) -> Option<Value> {
    let document: toml_edit::Document<String> = format!("value = {written}").parse().ok()?;
    document.get("value").and_then(toml_edit::Item::as_value).and_then(plain)
}

fn plain(value: &toml_edit::Value) -> Option<Value> {
    if let Some(items) = value.as_array() {
        return Some(Value::Array(items.iter().filter_map(plain).collect()));
    }
    let text = value.as_str().map(|text| json!(text));
    text.or_else(|| value.as_integer().map(|number| json!(number))).or_else(|| value.as_bool().map(|flag| json!(flag)))
}
