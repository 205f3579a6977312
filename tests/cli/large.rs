//! A configuration as large as a group of hospitals has: checked whole, its time printed (`--nocapture` shows it).

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use super::{says, wardline};

const EXTENSIONS: usize = 1_000;
const ANALYSTS: usize = 200;
const PLANS: usize = 50;
const RUNS: usize = 5;

/// Prompts are the repository's own: they are read and measured as for any node.
fn large() -> tempfile::TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sip-config");
    fs::create_dir_all(config.join("plans")).expect("made");
    std::os::unix::fs::symlink(root.join("prompts"), folder.path().join("prompts")).expect("linked");
    let sample = |name: &str| fs::read_to_string(root.join("sip-config").join(name)).expect("the sample");
    let write = |name: &str, text: &str| fs::write(config.join(name), text).expect("written");
    let node = "name = \"large\"\n[listeners.a]\nbind = \"127.0.0.1:5060\"\n[media]\nbind = \"127.0.0.1\"\n\
                ports = \"20000-29999\"\n[trunks.pbx]\nhospital = \"large\"\npeers = [\"10.0.0.1\"]\nhost = \"10.0.0.1\"\nplain = \"a test\"\n";
    write("wardline.toml", node);
    let mut hospital = String::from(
        "id = \"large\"\nname = \"Large\"\ntime_zone = \"America/New_York\"\nlanguages = [\"en\"]\ntrunk = \"pbx\"\n\
         operator = \"4000\"\ncode_numbers = [\"5555\"]\nsites.main = { name = \"Main\" }\n\
         systems.ehr = { product = \"EHR\", modules = [\"charting\", \"orders\", \"sign-in\", \"equipment\"] }\n\
         units.4-west = { site = \"main\", system = \"ehr\" }\n",
    );
    for plan in 0..PLANS {
        let _ = writeln!(hospital, "hotlines.71{plan:02} = {{ plan = \"hotline-{plan}\" }}");
        let text = sample("plans/hotline.toml").replace("name = \"hotline\"", &format!("name = \"hotline-{plan}\""));
        write(&format!("plans/hotline-{plan}.toml"), &text);
    }
    for extension in 0..EXTENSIONS {
        let number = 20_000 + extension * 2;
        let _ =
            write!(hospital, "\n[[extensions]]\nnumber = \"{number}\"\nunit = \"4-west\"\nroom = \"R{extension}\"\n");
    }
    write("hospital.toml", &hospital);
    let mut analysts = String::new();
    for analyst in 0..ANALYSTS {
        let _ = write!(
            analysts,
            "[analysts.person-{analyst}]\nname = \"Person {analyst}\"\nhospitals = [\"large\"]\n\
             phones = [{{ register = \"person-{analyst}\" }}]\n\
             qualifications = [{{ system = \"ehr\", modules = [\"*\"], level = \"advanced\" }}]\n\
             shifts = [{{ days = [\"mon\", \"tue\", \"wed\"], from = \"07:00\", to = \"15:30\" }}]\n\n"
        );
    }
    write("analysts.toml", &analysts);
    folder
}

#[test]
#[allow(clippy::disallowed_methods)] // Measures; nothing is decided by it.
fn a_thousand_extensions_two_hundred_analysts_and_fifty_plans_are_checked_as_one() {
    let folder = large();
    let mut best = None;
    for _ in 0..RUNS {
        let begin = Instant::now();
        let run = wardline(folder.path(), &["check"]);
        let took = begin.elapsed();
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        says(&run.out, &["1 hospital, 50 hotlines, 50 plans, 200 analysts, 1 trunk"]);
        best = Some(best.map_or(took, |best: std::time::Duration| best.min(took)));
    }
    let best = best.expect("a run").as_secs_f64() * 1_000.0;
    writeln!(std::io::stderr(), "check, the whole program, best of {RUNS}: {best:.0} ms").expect("standard error");
}
