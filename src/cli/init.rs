//! `wardline init`: a first configuration from a few questions, and what is to be set at the PBX.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::exit::{Outcome, Refused, Usage};
use crate::cli::out::{Out, green, yellow};
use crate::cli::schema;
use crate::config::first::answers::{self, Answers, Checked};
use crate::config::first::{self, Pbx, pbx};
use crate::config::{self, Surroundings, render};

pub const EXAMPLES: &str = "Examples:
  wardline init                              asks, and writes sip-config/
  wardline init /etc/wardline/sip-config     another folder; prompts/ goes beside it
  wardline init --hospital-name 'Mercy Harbor' --hotline 7100 --operator 4000 --code-number 5555 \\
    --pbx cucm --pbx-address 10.20.0.10 --listen 10.20.0.5 --time-zone America/New_York </dev/null";

/// A question whose answers are refused so often is given up: nobody is there.
const MAX_TRIES: usize = 20;
/// Characters of a line.
const PAGE: usize = 100;
/// The language whose recordings a first configuration speaks.
const FIRST_LANGUAGE: &str = "en";

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder to make; as --config, unless given
    dir: Option<PathBuf>,
    /// The hospital's name
    #[arg(long, value_name = "NAME")]
    hospital_name: Option<String>,
    /// Its time zone: America/New_York
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What the EHR is called
    #[arg(long, value_name = "NAME")]
    ehr: Option<String>,
    /// The number that phones dial
    #[arg(long, value_name = "NUMBER")]
    hotline: Option<String>,
    /// How many digits an extension has
    #[arg(long, value_name = "N")]
    extension_digits: Option<String>,
    /// The hospital operator: key 9, and emergencies
    #[arg(long, value_name = "NUMBER")]
    operator: Option<String>,
    /// The code team's number: told to whoever cannot reach the operator, never dialled
    #[arg(long, value_name = "NUMBER")]
    code_number: Option<String>,
    /// What is dialled for an outside line
    #[arg(long, value_name = "DIGITS")]
    outside_prefix: Option<String>,
    /// Whose steps are written: cucm, avaya, freepbx or other
    #[arg(long, value_name = "KIND")]
    pbx: Option<String>,
    /// The PBX's addresses, with commas
    #[arg(long, value_name = "ADDRESSES")]
    pbx_address: Option<String>,
    /// This machine's address on the voice network
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Why SIP to the PBX may go unencrypted
    #[arg(long, value_name = "REASON")]
    plain: Option<String>,
    /// The first analyst's name; more come by `wardline import analysts`
    #[arg(long, value_name = "NAME")]
    analyst: Option<String>,
    /// Where the recordings are copied from; prompts/ of this installation, unless given
    #[arg(long, value_name = "DIR")]
    prompts: Option<PathBuf>,
}

pub fn run(folder: &Path, args: &InitArgs, out: &mut Out) -> anyhow::Result<Outcome> {
    let folder = args.dir.as_deref().unwrap_or(folder);
    refuse_existing(folder)?;
    let recordings = recordings(folder, args.prompts.as_deref())?;
    let answers = Questions { out, asks: io::stdin().is_terminal() }.all(args)?;
    write_all(folder, &answers, recordings.as_deref(), out)?;
    let loaded = match config::load(folder, &Surroundings::of_process(Timestamp::now())) {
        Ok(loaded) => loaded,
        // Not the admin's fault: the environment overrides something, or it is ours.
        Err(report) => {
            let shown = render::text(&report, true);
            return Err(Refused(format!("{shown}the files are written, and check refuses them")).into());
        }
    };
    write!(out, "\n{}", render::text(&loaded.warnings, true))?;
    writeln!(out, "{} is {}", folder.display(), green("valid"))?;
    if let Some(bound) = loaded.config.proofs.values().find_map(|proof| proof.first_offer.as_ref()) {
        let seconds = bound.within.as_secs_f64();
        writeln!(
            out,
            "Proved: on every path a phone rings within {seconds:.1} s; `check` shows how, and when calls end."
        )?;
    }
    let page = folder.join("PBX-SETUP.md");
    writeln!(out, "\nAt the PBX (kept in {}; not proven on site yet):", page.display())?;
    for (index, step) in pbx::steps(&answers).iter().enumerate() {
        writeln!(out, "{:>3}. {}", index + 1, wrapped(step, 5))?;
    }
    next(folder, &answers, out)?;
    Ok(Outcome::Done)
}

/// Broken at blanks to the width of a page, further lines indented.
fn wrapped(text: &str, indent: usize) -> String {
    let (mut lines, mut width) = (String::new(), indent);
    for word in text.split(' ') {
        let length = word.chars().count() + 1;
        if width > indent && width + length > PAGE {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            width = indent;
        } else if width > indent {
            lines.push(' ');
        }
        lines.push_str(word);
        width += length;
    }
    lines
}

/// What to do now, to be copied line by line.
fn next(folder: &Path, answers: &Answers, out: &mut Out) -> anyhow::Result<()> {
    let at = match folder == Path::new("sip-config") {
        true => "wardline".to_owned(),
        false => format!("wardline --config {}", folder.display()),
    };
    // Some extension, of the right length and never the hotline.
    let first = if answers.hotline.starts_with('2') { '3' } else { '2' };
    let caller: String = std::iter::once(first).chain(std::iter::repeat_n('0', answers.extension_digits - 1)).collect();
    writeln!(out, "\nNext:")?;
    let mut lines = vec![
        (format!("{at} simulate --from {caller}"), "a call without a phone"),
        (format!("{at} import phones EXPORT.csv"), "the PBX's phone export: which phone stands where"),
        (format!("{at} import analysts PEOPLE.csv"), "who takes calls, with shifts and on-call"),
    ];
    if !answers.analyst.is_empty() {
        let user = answers::id(&answers.analyst);
        let user = user.split('-').next().unwrap_or_default();
        lines.push((format!("{at} analysts set-password {user}"), "lets that phone register"));
    }
    lines.push((format!("{at} serve"), "runs the desk"));
    if !answers.analyst.is_empty() {
        let id = answers::id(&answers.analyst);
        lines.push((format!("{at} analysts set-state {id} available"), "signs in: nobody else is rung"));
    }
    for (command, why) in lines {
        writeln!(out, "  {command:<54} {why}")?;
    }
    Ok(())
}

// -- Files ------------------------------------------------------------------------------------------------------------

/// Nothing that is there is ever overwritten.
fn refuse_existing(folder: &Path) -> Result<(), Refused> {
    let ours = ["wardline.toml", "hospital.toml", "analysts.toml", "plans", "PBX-SETUP.md"];
    let there: Vec<&str> = ours.into_iter().filter(|name| folder.join(name).symlink_metadata().is_ok()).collect();
    if there.is_empty() {
        return Ok(());
    }
    Err(Refused(format!(
        "{} holds {} already, and init overwrites nothing; name another folder: wardline init DIR",
        folder.display(),
        there.join(", ")
    )))
}

/// Where recordings are to be copied from; nowhere when some lie beside the folder already.
fn recordings(folder: &Path, given: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    let speaks = |prompts: &Path| prompts.join(FIRST_LANGUAGE).join("manifest.toml").is_file();
    if speaks(&beside(folder)) {
        return Ok(None);
    }
    if let Some(given) = given {
        return match speaks(given) {
            true => Ok(Some(given.to_owned())),
            false => Err(Usage(format!("{} holds no {FIRST_LANGUAGE}/manifest.toml", given.display())).into()),
        };
    }
    // A checkout has them above target/, an installation beside the program or in share/.
    let program = std::env::current_exe().context("cannot tell where this program lies")?;
    let above = program.ancestors().skip(1).flat_map(|dir| [dir.join("prompts"), dir.join("share/wardline/prompts")]);
    let found = std::iter::once(PathBuf::from("prompts")).chain(above).find(|prompts| speaks(prompts));
    let missing = || Usage("the recorded words are not found; name their folder with --prompts DIR".to_owned());
    Ok(Some(found.ok_or_else(missing)?))
}

/// Prompts lie beside the folder.
fn beside(folder: &Path) -> PathBuf {
    folder.parent().unwrap_or(Path::new("")).join("prompts")
}

fn write_all(folder: &Path, answers: &Answers, recordings: Option<&Path>, out: &mut Out) -> anyhow::Result<()> {
    writeln!(out, "\nWritten:")?;
    for (path, text) in first::files(answers) {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        write_new(&path, text.as_bytes())?;
        writeln!(out, "  {}", path.display())?;
    }
    let schemas = folder.join("schema");
    schema::write(&schemas)?;
    writeln!(out, "  {}/", schemas.display())?;
    if let Some(recordings) = recordings {
        let to = beside(folder);
        copy(recordings, &to)?;
        writeln!(out, "  {}/  (the spoken words, from {})", to.display(), recordings.display())?;
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let made = fs::File::create_new(path).and_then(|mut file| file.write_all(bytes));
    made.with_context(|| format!("cannot write {}", path.display()))
}

/// Copies the first language: two levels, no links followed anywhere else. What is there stays.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let (from, to) = (from.join(FIRST_LANGUAGE), to.join(FIRST_LANGUAGE));
    fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_file() && !target.exists() {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

// -- Questions --------------------------------------------------------------------------------------------------------

struct Questions<'a> {
    out: &'a mut Out,
    /// Somebody sits at a terminal.
    asks: bool,
}

/// One question: the flag that answers it, its words, and what stands in when nothing is said.
struct Question<'a> {
    flag: &'static str,
    given: Option<&'a str>,
    words: &'a str,
    suggestion: Option<String>,
}

impl Questions<'_> {
    fn all(&mut self, args: &InitArgs) -> anyhow::Result<Answers> {
        let (none, fixed) = (None, |text: &str| Some(text.to_owned()));
        let name = self.ask("hospital-name", &args.hospital_name, "Hospital's name", none.clone(), answers::name)?;
        let zone = self.ask("time-zone", &args.time_zone, "Time zone", own_zone(), answers::time_zone)?;
        let system = self.ask("ehr", &args.ehr, "What is the EHR called?", fixed("EHR"), answers::name)?;
        let words = "Hotline: the number that phones dial";
        let hotline = self.ask("hotline", &args.hotline, words, none.clone(), answers::number)?;
        let length = Some(hotline.len().to_string());
        let words = "Digits of an extension";
        let digits = self.ask("extension-digits", &args.extension_digits, words, length, answers::extension_digits)?;
        let words = "Hospital operator: key 9, and emergencies";
        let operator =
            self.ask("operator", &args.operator, words, none.clone(), |text| answers::operator(text, &hotline))?;
        let words = "Code team's number: told to whoever cannot reach the operator, never dialled";
        let code = |text: &str| answers::code_number(text, &hotline, &operator);
        let code_number = self.ask("code-number", &args.code_number, words, none.clone(), code)?;
        let words = "Digits for an outside line (for on-call mobiles; may be left out)";
        let prefix = self.ask("outside-prefix", &args.outside_prefix, words, fixed(""), answers::outside_prefix)?;
        let words = "PBX: cucm, avaya, freepbx or other";
        let pbx = self.ask("pbx", &args.pbx, words, fixed("other"), Pbx::read)?;
        let words = "The PBX's addresses (all nodes that may call)";
        let addresses = self.ask("pbx-address", &args.pbx_address, words, none, answers::pbx_addresses)?;
        let towards = addresses.first().and_then(|pbx| own_address(*pbx));
        let towards = towards.filter(|own| answers::listen(own, &addresses).is_ok());
        let words = "This machine's address that the PBX calls";
        let listen = self.ask("listen", &args.listen, words, towards, |text| answers::listen(text, &addresses))?;
        self.see_whether_ours(listen)?;
        let words = "SIP to the PBX goes unencrypted at first; why is that fine?";
        let plain = self.ask("plain", &args.plain, words, fixed("isolated voice network"), answers::plain)?;
        let words = "First analyst's name (may be left out)";
        let analyst = self.ask("analyst", &args.analyst, words, fixed(""), answers::optional_name)?;
        Ok(Answers {
            name,
            time_zone: zone,
            system,
            hotline,
            extension_digits: digits,
            operator,
            code_number,
            outside_prefix: prefix,
            pbx,
            pbx_addresses: addresses,
            listen,
            plain,
            analyst,
        })
    }

    fn ask<T>(
        &mut self,
        flag: &'static str,
        given: &Option<String>,
        words: &str,
        suggestion: Option<String>,
        check: impl Fn(&str) -> Checked<T>,
    ) -> anyhow::Result<T> {
        self.settle(&Question { flag, given: given.as_deref(), words, suggestion }, check)
    }

    /// Asks until an answer holds. A flag is asked once: a script cannot answer.
    fn settle<T>(&mut self, question: &Question<'_>, check: impl Fn(&str) -> Checked<T>) -> anyhow::Result<T> {
        let flag = question.flag;
        if let Some(given) = question.given {
            return check(given).map_err(|why| Usage(format!("--{flag}: {why}")).into());
        }
        for _ in 0..MAX_TRIES {
            let suggested = question.suggestion.as_deref().filter(|text| !text.is_empty());
            let suggested = suggested.map(|text| format!(" [{text}]")).unwrap_or_default();
            write!(self.out, "{}{suggested}: ", question.words)?;
            self.out.flush()?;
            let mut line = String::new();
            let ended = io::stdin().read_line(&mut line).context("standard input cannot be read")? == 0;
            if !self.asks {
                // Nobody's Enter ends the line.
                writeln!(self.out)?;
            }
            let said = match (line.trim(), &question.suggestion) {
                ("", Some(suggestion)) if !(ended && self.asks) => suggestion,
                ("", _) if ended => {
                    return Err(Usage(format!("no answer to this; give --{flag}. Nothing was written")).into());
                }
                (said, _) => said,
            };
            match check(said) {
                Ok(answer) => return Ok(answer),
                Err(why) => writeln!(self.out, "  {} {why}", yellow("no:"))?,
            }
        }
        Err(Usage(format!("{MAX_TRIES} answers did not hold; give --{flag}. Nothing was written")).into())
    }

    /// The files may be made on another machine, so this is no refusal.
    fn see_whether_ours(&mut self, address: IpAddr) -> anyhow::Result<()> {
        if UdpSocket::bind((address, 0)).is_err() {
            let note = "this machine does not have the address now; `serve` will need it";
            writeln!(self.out, "  {} {note}", yellow("note:"))?;
        }
        Ok(())
    }
}

/// The machine's zone, unless it is kept in UTC, which says nothing of the hospital.
fn own_zone() -> Option<String> {
    let zone = TimeZone::try_system().ok()?.iana_name()?.to_owned();
    (!["UTC", "Etc/UTC", "Etc/Unknown", "GMT"].contains(&zone.as_str())).then_some(zone)
}

/// The address of this machine from which a packet to the PBX would leave. Nothing is sent.
fn own_address(pbx: IpAddr) -> Option<String> {
    let any: IpAddr = if pbx.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((pbx, 5060)).ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}
