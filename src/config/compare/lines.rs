//! The difference of two configurations as text, file by file: for what the semantic difference does not tell, such as
//! comments.

use crate::config::compare::union;
use crate::config::content::Content;

/// Lines around a change.
const CONTEXT: usize = 2;
/// Beyond so many pairs of lines the middle of a file is shown as wholly replaced.
const MAX_PAIRS: usize = 4_000_000;

/// Empty when no text file differs; recordings are named only.
pub fn text_difference(old: &Content, new: &Content) -> String {
    let mut out = String::new();
    for name in union(old.keys(), new.keys()) {
        let (was, is) = (old.get(name), new.get(name));
        if was == is {
            continue;
        }
        if !name.ends_with(".toml") {
            out.push_str(&format!("{name} differs\n"));
            continue;
        }
        let text = |side: Option<&bytes::Bytes>| String::from_utf8_lossy(side.map_or(&[], |bytes| bytes)).into_owned();
        let (was, is) = (text(was), text(is));
        out.push_str(&format!("--- {name}\n+++ {name}\n"));
        let old: Vec<&str> = was.lines().collect();
        let new: Vec<&str> = is.lines().collect();
        shown(&edits(&old, &new), &mut out);
    }
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit<'a> {
    Same(&'a str),
    Gone(&'a str),
    Come(&'a str),
}

fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Edit<'a>> {
    let before = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (old.get(before..).unwrap_or_default(), new.get(before..).unwrap_or_default());
    let after = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let old_middle = old_rest.get(..old_rest.len() - after).unwrap_or_default();
    let new_middle = new_rest.get(..new_rest.len() - after).unwrap_or_default();
    let same = |lines: &[&'a str]| lines.iter().copied().map(Edit::Same).collect::<Vec<_>>();
    let mut all = same(old.get(..before).unwrap_or_default());
    all.extend(middle(old_middle, new_middle));
    all.extend(same(old_rest.get(old_rest.len() - after..).unwrap_or_default()));
    all
}

/// By the longest common subsequence.
fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Edit<'a>> {
    let gone = |lines: &[&'a str]| lines.iter().copied().map(Edit::Gone).collect::<Vec<_>>();
    let come = |lines: &[&'a str]| lines.iter().copied().map(Edit::Come).collect::<Vec<_>>();
    let width = new.len() + 1;
    if old.len().saturating_mul(width) > MAX_PAIRS {
        return gone(old).into_iter().chain(come(new)).collect();
    }
    // common[i * width + j]: the longest common subsequence of old[i..] and new[j..].
    let mut common = vec![0u32; (old.len() + 1) * width];
    let at = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let longest = if one == other {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = longest;
            }
        }
    }
    let (mut i, mut j, mut all) = (0, 0, Vec::new());
    while let (Some(one), Some(other)) = (old.get(i), new.get(j)) {
        if one == other {
            all.push(Edit::Same(one));
            (i, j) = (i + 1, j + 1);
        } else if at(&common, i + 1, j) >= at(&common, i, j + 1) {
            all.push(Edit::Gone(one));
            i += 1;
        } else {
            all.push(Edit::Come(other));
            j += 1;
        }
    }
    all.extend(gone(old.get(i..).unwrap_or_default()));
    all.extend(come(new.get(j..).unwrap_or_default()));
    all
}

fn shown(edits: &[Edit], out: &mut String) {
    let near = |position: usize| {
        let from = position.saturating_sub(CONTEXT);
        let around = edits.get(from..edits.len().min(position + CONTEXT + 1)).unwrap_or_default();
        around.iter().any(|edit| !matches!(edit, Edit::Same(_)))
    };
    let mut skipped = false;
    for (position, edit) in edits.iter().enumerate() {
        if !near(position) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            out.push_str("@@\n");
        }
        let (sign, line) = match edit {
            Edit::Same(line) => (' ', line),
            Edit::Gone(line) => ('-', line),
            Edit::Come(line) => ('+', line),
        };
        out.push_str(&format!("{sign}{line}\n"));
    }
}
