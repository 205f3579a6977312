//! Holds the shape of the tree: which layer may import which, no clock in the pure core, nothing too large to read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A file one can hold in mind.
const MAX_FILE_LINES: usize = 800;
/// A function that fits on a screen, and a little.
const MAX_FUNCTION_LINES: usize = 70;

/// Every module of the pure core with the modules it may import. What is absent is forbidden.
const PURE: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("time", &[]),
    ("digit", &[]),
    ("grammar", &[]),
    ("plural", &[]),
    ("release", &[]),
    ("diagnostic", &[]),
    ("sip", &["ids"]),
    ("transaction", &["sip", "ids"]),
    ("dialog", &["sip", "ids"]),
    ("registrar", &["sip", "ids"]),
    ("identity", &["ids"]),
    ("routing", &["ids"]),
    ("ivr", &["ids", "identity", "routing"]),
    ("bridge", &["sip", "dialog", "ids"]),
    ("ticket", &["ids", "identity", "routing", "bridge", "registrar", "sip"]),
    ("proof", &["ivr", "routing", "ids"]),
    ("config", &["sip", "registrar", "identity", "ivr", "routing", "bridge", "proof", "ids"]),
    ("call", &["sip", "transaction", "dialog", "identity", "ivr", "routing", "bridge", "ticket", "config", "ids"]),
    ("golive", &["identity", "routing", "bridge", "ticket", "config", "ids"]),
    (
        "switch",
        &[
            "sip",
            "transaction",
            "dialog",
            "registrar",
            "identity",
            "ivr",
            "routing",
            "bridge",
            "ticket",
            "call",
            "config",
            "ids",
        ],
    ),
    (
        "simulate",
        &["sip", "registrar", "identity", "ivr", "routing", "bridge", "ticket", "call", "switch", "config", "ids"],
    ),
];

/// Beside the core, and of it nothing: the test phones must not share its mistakes.
const APART: &[(&str, &[&str])] = &[("probe", &[])];

/// Importable from everywhere.
const FOUNDATION: &[&str] = &["ids", "time", "digit", "diagnostic", "grammar", "plural", "release"];

/// What the pure core may not even name.
const FORBIDDEN: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "tokio::",
    "std::thread",
    "getrandom",
    "async fn",
    "println!",
];

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        fs::read_dir(dir).expect("source folder").map(|entry| entry.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            out.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable source");
            (path.strip_prefix(root).expect("below the root").to_path_buf(), text)
        })
        .collect()
}

/// The layer a file belongs to: "sip" for src/sip/uri.rs and for src/sip.rs.
fn layer(path: &Path) -> String {
    let part = path.components().nth(1).expect("below src").as_os_str().to_string_lossy().into_owned();
    part.trim_end_matches(".rs").to_owned()
}

/// Code lines with their number; comments are left out, and of tests the item behind each `#[cfg(test)]`, no more: much code
/// stands below a `mod tests;`.
fn code(text: &str) -> Vec<(usize, &str)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut kept = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            if !line.trim_start().starts_with("//") {
                kept.push((index + 1, line));
            }
            continue;
        }
        let whole = |inner: &str| {
            let one_line = inner.ends_with([';', ',']) && !inner.contains('{');
            indent(inner) == indent(line) && (one_line || inner.trim_start().starts_with('}') || inner.ends_with('}'))
        };
        let _last = lines.by_ref().find(|(_, inner)| whole(inner));
    }
    kept
}

/// A test file beside the code may import what it likes.
fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

#[test]
fn only_the_item_behind_its_attribute_is_a_test() {
    let text = "use a;\n#[cfg(test)]\nmod tests;\nuse b;\n#[cfg(test)]\nmod more {\n    use c;\n}\n// no code\nfn d() {\n    \
                #[cfg(test)]\n    e();\n    f();\n}\n";
    let kept: Vec<&str> = code(text).into_iter().map(|(_, line)| line.trim()).collect();
    assert_eq!(kept, ["use a;", "use b;", "fn d() {", "f();", "}"]);
}

#[test]
fn pure_modules_import_only_what_lies_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = PURE.iter().chain(APART).copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let layer = layer(&path);
        let Some(below) = allowed.get(layer.as_str()) else { continue };
        if is_test_file(&path) {
            continue;
        }
        for (number, line) in code(&text) {
            for name in line.split("crate::").skip(1) {
                let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // Of `crate::{a, b}` no name can be told: each import stands for itself.
                let fine = name == layer || below.contains(&name.as_str()) || FOUNDATION.contains(&name.as_str());
                if !fine {
                    wrong.push(format!("{}:{number}: {layer} may not import {name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_pure_core_knows_no_clock_socket_thread_or_randomness() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !PURE.iter().any(|(name, _)| *name == layer(&path)) || is_test_file(&path) {
            continue;
        }
        for (number, line) in code(&text) {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_can_be_read_in_one_sitting() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") && !text.starts_with("#![") && !is_test_file(&path) {
            wrong.push(format!("{}: its first line does not say what it is for", path.display()));
        }
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            wrong.push(format!("{}: {lines} lines, more than {MAX_FILE_LINES}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if is_test_file(&path) {
            continue;
        }
        let mut open: Option<(usize, usize, String)> = None;
        for (number, line) in code(&text) {
            let indent = line.len() - line.trim_start().len();
            let trimmed = line.trim_start();
            let head =
                ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(super) fn ", "pub(crate) fn ", "const fn "];
            if open.is_none() && head.iter().any(|start| trimmed.starts_with(start)) && !line.trim_end().ends_with(';')
            {
                open = Some((number, indent, trimmed.chars().take(60).collect()));
            } else if let Some((start, depth, name)) = &open
                && indent == *depth
                && trimmed.starts_with('}')
            {
                let length = number - start + 1;
                if length > MAX_FUNCTION_LINES {
                    wrong.push(format!("{}:{start}: {length} lines: {name}", path.display()));
                }
                open = None;
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (index, line) in text.lines().enumerate() {
            for word in ["todo!(", "unimplemented!(", "TODO", "FIXME", "HACK", "#[ignore", "dbg!("] {
                if line.contains(word) {
                    wrong.push(format!("{}:{}: {word}", path.display(), index + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

// -- docs/sip.md says which tests show what ---------------------------------------------------------------------------

const SIP_MD: &str = "docs/sip.md";
/// The numbers of the lines end here; `g711_` is a codec.
const MAX_LINE_NUMBER: u32 = 100;

/// The line that a test's name begins with: "a7_a_cancel" shows A7.
fn line_of(test: &str) -> Option<String> {
    let (line, _) = test.split_once('_')?;
    let (letter, number) = line.split_at_checked(1)?;
    let known = ("a"..="h").contains(&letter) && number.parse::<u32>().is_ok_and(|number| number <= MAX_LINE_NUMBER);
    known.then(|| line.to_uppercase())
}

/// The name of every test of the tree.
fn tests_of_the_tree() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("tests"), &mut files);
    let mut names = BTreeSet::new();
    for path in files {
        let mut is_test = false;
        for line in fs::read_to_string(&path).expect("readable source").lines().map(str::trim_start) {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            if let Some(rest) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")) {
                let name = rest.split(['(', '<']).next().unwrap_or_default();
                names.extend(std::mem::take(&mut is_test).then(|| name.to_owned()));
            }
        }
    }
    names
}

/// A row of docs/sip.md with its last column as the tests have it, and the lines that it stands for. A test without a
/// number stays where somebody put it, as long as there is one of that name.
fn row_as_the_tests_have_it(row: &str, tests: &BTreeSet<String>) -> Option<(String, Vec<String>)> {
    let cells: Vec<&str> = row.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let [lines, stimulus, what, shown] = cells.as_slice() else { return None };
    let lines: Vec<String> =
        lines.split(", ").map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    let numbered = tests.iter().filter(|test| line_of(test).is_some_and(|line| lines.contains(&line)));
    let by_hand = shown.split("<br>").map(|name| name.trim().trim_matches('`').to_owned());
    let by_hand = by_hand.filter(|name| line_of(name).is_none() && tests.contains(name));
    let names: Vec<String> = numbered.cloned().chain(by_hand).map(|name| format!("`{name}`")).collect();
    (!names.is_empty())
        .then(|| (format!("| {} | {stimulus} | {what} | {} |", lines.join(", "), names.join("<br>")), lines))
}

#[test]
fn the_sip_page_lists_the_tests_that_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SIP_MD);
    let page = fs::read_to_string(&path).expect("the page");
    let tests = tests_of_the_tree();
    let mut listed: BTreeMap<String, u32> = BTreeMap::new();
    let mut wanted = String::new();
    for row in page.lines() {
        let is_row = row.starts_with("| ") && !row.starts_with("| | stimulus");
        match row_as_the_tests_have_it(row, &tests).filter(|_| is_row) {
            Some((row, lines)) => {
                lines.into_iter().for_each(|line| *listed.entry(line).or_default() += 1);
                wanted.push_str(&row);
            }
            None => {
                assert!(!is_row, "no test shows this row any more: {row}");
                wanted.push_str(row);
            }
        }
        wanted.push('\n');
    }
    let missing: BTreeSet<String> =
        tests.iter().filter_map(|test| line_of(test)).filter(|line| !listed.contains_key(line)).collect();
    assert!(missing.is_empty(), "{SIP_MD} has no row for {missing:?}");
    let twice: Vec<&String> = listed.iter().filter(|(_, rows)| **rows > 1).map(|(line, _)| line).collect();
    assert!(twice.is_empty(), "{SIP_MD} has two rows for {twice:?}");
    if std::env::var_os("UPDATE_SIP_MD").is_some() {
        fs::write(&path, &wanted).expect("written");
    } else if wanted != page {
        let changed: Vec<&str> = wanted.lines().filter(|row| !page.lines().any(|line| line == *row)).collect();
        panic!("{SIP_MD} should say (UPDATE_SIP_MD=1 writes it):\n{}", changed.join("\n"));
    }
}
