//! A configuration as large as a group of hospitals has.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const EXTENSIONS: usize = 1_000;
const ANALYSTS: usize = 200;
const PLANS: usize = 50;

/// Prompts are the repository's own: they are read and measured as for any node.
pub fn large() -> tempfile::TempDir {
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
