//! A second language is a folder of recordings, and two words in hospital.toml.

use std::fs;
use std::path::Path;

use crate::{nowhere, says, wardline};

fn copy(from: &Path, to: &Path, keep: impl Fn(&str) -> bool) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("the sample") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_file() && keep(&name) {
            fs::copy(&path, to.join(name)).expect("copied");
        }
    }
}

#[test]
fn a_second_language_is_a_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = nowhere();
    let config = folder.path().join("sip-config");
    copy(&root.join("sip-config"), &config, |name| name.ends_with(".toml"));
    copy(&root.join("sip-config/plans"), &config.join("plans"), |_| true);
    copy(&root.join("prompts/en"), &folder.path().join("prompts/en"), |_| true);
    let hospital = config.join("hospital.toml");
    let edit = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).expect("a file");
        assert!(text.contains(from), "{from} is not in {}", path.display());
        fs::write(path, text.replacen(from, to, 1)).expect("written");
    };
    edit(&hospital, "languages = [\"en\"]", "languages = [\"en\", \"fr\"]");
    edit(&hospital, "[hotlines.7100]", "[hotlines.7300]\nplan = \"hotline\"\nlanguage = \"fr\"\n\n[hotlines.7100]");
    let refused = wardline(folder.path(), &["check"]);
    assert_eq!(refused.code, 1, "not without its recordings");
    says(&refused.out, &["fr"]);

    let french = folder.path().join("prompts/fr");
    copy(&root.join("prompts/en"), &french, |_| true);
    let manifest = french.join("manifest.toml");
    edit(&manifest, "language = \"en\"", "language = \"fr\"");
    edit(&manifest, "desk = \"Clinical service desk.\"", "desk = \"Assistance clinique.\"");
    edit(&manifest, "ringing = \"Ringing your analyst.\"", "ringing = \"Nous appelons votre analyste.\"");
    let checked = wardline(folder.path(), &["check"]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);

    let call = |number: &str| {
        let words = ["simulate", "--hospital", "mercy-harbor", "--from", "4712", "--dial", number];
        let when = ["--at", "2026-11-24T10:00", "--do", "5s amara-osei answers"];
        let run = wardline(folder.path(), &[&words[..], &when[..]].concat());
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        run.out
    };
    let spoken = call("7300");
    says(&spoken, &["Assistance clinique.", "Nous appelons votre analyste.", "Ringing amara-osei"]);
    assert!(!spoken.contains("Clinical service desk."), "{spoken}");
    // Of the two who may take it at this hour, only she speaks French.
    assert!(!spoken.contains("lena-brandt (fits"), "{spoken}");
    let english = call("7100");
    says(&english, &["Clinical service desk.", "Ringing your analyst.", "lena-brandt (fits"]);
}
