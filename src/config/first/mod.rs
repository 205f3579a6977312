//! A first configuration, made of a few answers: files that teach their keys, pass `wardline check` as they are, and hold a
//! plan that is proved. `wardline init` asks and writes; nothing here touches a disk.

pub mod answers;
pub mod pbx;

use std::net::SocketAddr;

pub use answers::Answers;
pub use pbx::Pbx;

/// SIP's own port (RFC 3261 section 19.1.2).
const SIP_PORT: u16 = 5060;

const NODE: &str = include_str!("wardline.toml");
const HOSPITAL: &str = include_str!("hospital.toml");
const ANALYSTS: &str = include_str!("analysts.toml");
const PLAN: &str = include_str!("hotline.toml");

/// What the files are made of, by their path in the folder, in the order of reading.
pub fn files(answers: &Answers) -> Vec<(&'static str, String)> {
    vec![
        ("wardline.toml", filled(NODE, answers)),
        ("hospital.toml", filled(HOSPITAL, answers)),
        ("analysts.toml", filled(ANALYSTS, answers)),
        ("plans/hotline.toml", plan(answers)),
        ("PBX-SETUP.md", pbx::page(answers)),
    ]
}

/// The plan with the keys that the code number leaves free: its first digit is never one of them.
fn plan(answers: &Answers) -> String {
    let first = answers.code_number.chars().next();
    let kept = |part: &str| match part {
        "question" => !matches!(first, Some('1' | '2' | '3')),
        _ => first != Some('1'),
    };
    // Each part is `#if NAME`, its lines, perhaps `#else` and other lines, `#end`; parts do not nest.
    let (mut text, mut shown) = (String::new(), true);
    for line in PLAN.lines() {
        match (line, line.strip_prefix("#if ")) {
            (_, Some(part)) => shown = kept(part),
            ("#else", None) => shown = !shown,
            ("#end", None) => shown = true,
            (_, None) if shown => text.extend([line, "\n"]),
            (_, None) => {}
        }
    }
    filled(&text, answers)
}

fn filled(template: &str, answers: &Answers) -> String {
    let hospital = answers::id(&answers.name);
    let system = answers::id(&answers.system);
    let peers: Vec<String> = answers.pbx_addresses.iter().map(|address| quoted(&address.to_string())).collect();
    let host = answers.pbx_addresses.first().map(ToString::to_string).unwrap_or_default();
    let outside = match answers.outside_prefix.as_str() {
        "" => "# outside_prefix = \"9\"".to_owned(),
        prefix => format!("outside_prefix = {}", quoted(prefix)),
    };
    let words = [
        ("@NODE@", quoted(&format!("{hospital}-1"))),
        ("@LISTEN_PORT@", quoted(&SocketAddr::new(answers.listen, SIP_PORT).to_string())),
        ("@LISTEN@", quoted(&answers.listen.to_string())),
        ("@REALM@", quoted(&format!("desk.{hospital}"))),
        ("@HOSPITAL_ID@", quoted(&hospital)),
        ("@PEERS@", format!("[{}]", peers.join(", "))),
        ("@HOST@", quoted(&host)),
        ("@OUTSIDE@", outside),
        ("@PLAIN@", quoted(&answers.plain)),
        ("@NAME@", quoted(&answers.name)),
        ("@TIME_ZONE@", quoted(&answers.time_zone)),
        ("@OPERATOR@", quoted(&answers.operator)),
        ("@CODE@", quoted(&answers.code_number)),
        ("@DIGITS@", answers.extension_digits.to_string()),
        ("@HOTLINE_KEY@", answers.hotline.clone()),
        ("@SYSTEM_ID@", system.clone()),
        ("@SYSTEM@", quoted(&answers.system)),
        ("@ANALYST@", analyst(&answers.analyst, &hospital, &system)),
    ];
    let lines = template.lines().map(|line| match line.split_once("  # ") {
        // Remarks stand below each other, however long the answers are.
        Some((code, remark)) if !code.trim().is_empty() => {
            format!("{:<REMARKS_AT$}# {remark}\n", put_in(code.trim_end(), &words))
        }
        Some(_) | None => put_in(line, &words) + "\n",
    });
    lines.collect()
}

/// The column at which remarks begin.
const REMARKS_AT: usize = 40;

/// Puts values for placeholders, in one pass: what an answer says is never taken for a placeholder.
fn put_in(template: &str, words: &[(&str, String)]) -> String {
    let (mut text, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('@') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let found = words.iter().find_map(|(word, value)| Some((from.strip_prefix(word)?, value)));
        rest = match found {
            Some((after, value)) => {
                text.push_str(value);
                after
            }
            None => {
                text.push('@');
                &from[1..]
            }
        };
    }
    text + rest
}

/// The first analyst, who may take everything; nobody yet for an empty name.
fn analyst(name: &str, hospital: &str, system: &str) -> String {
    if name.is_empty() {
        return "#\n# Nobody yet: until somebody is declared here, calls end in a callback. An example:\n#".to_owned();
    }
    let id = answers::id(name);
    let user = id.split('-').next().unwrap_or(&id);
    format!(
        "\n[analysts.{id}]\nname = {}\nhospitals = [{}]\nphones = [{{ register = {} }}]\nqualifications = [{{ system = {}, \
         modules = [\"*\"], level = \"advanced\" }}]\n\n# Another, with a mobile for on-call, modules and shifts:\n#",
        quoted(name),
        quoted(hospital),
        quoted(user),
        quoted(system),
    )
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load::{File, Folder, Surroundings, compose};
    use crate::diagnostic::Report;

    fn answers() -> Answers {
        Answers {
            name: "St. Anne's \"North\" @HOST@".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            system: "Lantern EHR".to_owned(),
            hotline: "7100".to_owned(),
            extension_digits: 4,
            operator: "4000".to_owned(),
            code_number: "5555".to_owned(),
            outside_prefix: "0".to_owned(),
            pbx: Pbx::Cucm,
            pbx_addresses: vec!["10.20.0.10".parse().expect("address"), "2001:db8::1".parse().expect("address")],
            listen: "10.20.0.5".parse().expect("address"),
            plain: "isolated voice network".to_owned(),
            analyst: "Amara Osei".to_owned(),
        }
    }

    fn folder(answers: &Answers) -> Folder {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf();
        let mut folder = Folder { name: "sip-config".to_owned(), base, ..Folder::default() };
        for (path, text) in files(answers) {
            let stem = path.trim_start_matches("plans/").trim_end_matches(".toml").to_owned();
            let file = File { name: format!("sip-config/{path}"), stem: stem.clone(), bytes: text.into_bytes() };
            match stem.as_str() {
                "wardline" => folder.node = Some(file),
                "hospital" => folder.hospitals.push(file),
                "analysts" => folder.analysts.push(file),
                "hotline" => folder.plans.push(file),
                _ => {}
            }
        }
        folder
    }

    fn checked(answers: &Answers) -> Result<crate::config::Loaded, String> {
        let surroundings = Surroundings { variables: Default::default(), now: jiff::Timestamp::UNIX_EPOCH };
        compose(&folder(answers), &surroundings, Report::new())
            .map_err(|report| crate::config::render::text(&report, false))
    }

    #[test]
    fn a_first_configuration_passes_check_without_a_warning_and_is_proved() {
        let loaded = checked(&answers()).unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", crate::config::render::text(&loaded.warnings, false));
        let config = loaded.config;
        assert_eq!(config.proofs.len(), 1);
        let hospital = config.hospitals.values().next().expect("a hospital");
        assert_eq!(hospital.name, "St. Anne's \"North\" @HOST@", "an answer is never read as a placeholder");
        assert_eq!(hospital.id.as_str(), "st-anne-s-north-host");
        assert_eq!(config.staff.len(), 1);
    }

    #[test]
    fn it_passes_with_nobody_declared_and_with_every_first_digit_of_a_code_number() {
        for code in ["2222", "3333", "1111", "4444", "5555", "6666", "8888"] {
            for analyst in ["", "Amara Osei"] {
                let answers = Answers {
                    code_number: code.to_owned(),
                    analyst: analyst.to_owned(),
                    outside_prefix: String::new(),
                    operator: "4001".to_owned(),
                    ..answers()
                };
                let loaded = checked(&answers).unwrap_or_else(|report| panic!("{code}: {report}"));
                assert!(loaded.warnings.is_empty(), "{}", crate::config::render::text(&loaded.warnings, false));
            }
        }
    }

    #[test]
    fn no_placeholder_and_no_mark_of_a_part_is_left() {
        for (path, text) in files(&Answers { name: "Mercy".to_owned(), ..answers() }) {
            for left in ["@", "#if", "#else", "#end"] {
                assert!(!text.contains(left), "{left} in {path}:\n{text}");
            }
        }
    }
}
