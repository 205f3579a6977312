//! What is spoken: words of the manifests, and the recordings themselves.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::config::compare::plain::{self, Plain};
use crate::config::compare::{Change, Group, Kind, entries, fields, union};
use crate::config::content::{Content, MANIFEST};
use crate::config::tree;
use crate::diagnostic::Report;
use crate::ivr::prompts::wav_length;

const PROMPTS: &str = "prompts/";

pub fn is_one(name: &str) -> bool {
    name.starts_with(PROMPTS)
}

/// A group for each language in which something differs.
pub fn compare(old: &Content, new: &Content) -> Vec<Group> {
    let language = |name: &str| Some(name.strip_prefix(PROMPTS)?.split_once('/')?.0.to_owned());
    let languages: BTreeSet<String> = old.keys().chain(new.keys()).filter_map(|name| language(name)).collect();
    let group = |language: String| {
        let mut changes = words(&language, old, new);
        changes.extend(sounds(&language, old, new));
        (!changes.is_empty()).then(|| Group { what: format!("prompts {language}"), changes })
    };
    languages.into_iter().filter_map(group).collect()
}

fn words(language: &str, old: &Content, new: &Content) -> Vec<Change> {
    let name = format!("{PROMPTS}{language}/{MANIFEST}");
    let read = |content: &Content| {
        let tree = tree::parse(&name, content.get(&name)?, &mut Report::new())?;
        Some(plain::of_table(&tree))
    };
    let (was, is) = (read(old).unwrap_or_default(), read(new).unwrap_or_default());
    let mut changes = Vec::new();
    for key in union(was.keys(), is.keys()) {
        match (was.get(key), is.get(key)) {
            (Some(Plain::Table(before)), Some(Plain::Table(after))) => {
                let wrapped = |table: &std::collections::BTreeMap<String, Plain>| {
                    let one = |(id, words): (&String, &Plain)| {
                        (id.clone(), Plain::Table([("words".to_owned(), words.clone())].into()))
                    };
                    Plain::Table(table.iter().map(one).collect())
                };
                changes.extend(entries(key, Some(&wrapped(before)), Some(&wrapped(after)), false));
            }
            (before, after) => {
                let mut details = Vec::new();
                fields::differences(key, before, after, false, &mut details);
                if !details.is_empty() {
                    changes.push(Change { kind: Kind::Changed, subject: String::new(), details });
                }
            }
        }
    }
    changes
}

fn sounds(language: &str, old: &Content, new: &Content) -> Vec<Change> {
    let start = format!("{PROMPTS}{language}/");
    let names = union(old.keys(), new.keys()).into_iter().filter(|name| name.starts_with(&start));
    let recordings = names.filter(|name| name.ends_with(".wav"));
    recordings
        .filter_map(|name| {
            let subject = name.trim_start_matches(&start).to_owned();
            let (was, is) = (old.get(name), new.get(name));
            let (kind, details) = match (was, is) {
                (Some(was), Some(is)) if was == is => return None,
                (Some(was), Some(is)) => (Kind::Changed, vec![format!("recorded anew, {} → {}", long(was), long(is))]),
                (None, Some(is)) => (Kind::Added, vec![long(is)]),
                (Some(_), None) => (Kind::Removed, Vec::new()),
                (None, None) => return None,
            };
            Some(Change { kind, subject, details })
        })
        .collect()
}

fn long(recording: &Bytes) -> String {
    wav_length(recording).map_or_else(|error| error.to_string(), |length| format!("{:.2} s", length.as_secs_f64()))
}
