//! Gathers the files of a folder such as sip-config/, and makes one [`Config`] of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::config::check::{self, Checked, Files};
use crate::config::content::MANIFEST;
use crate::config::import::rules::{self, Rule};
use crate::config::raw_analysts::{RawAnalyst, Reach};
use crate::config::raw_hospital::HospitalFile;
use crate::config::reader::Problems;
use crate::config::tree::{self, Tree};
use crate::config::{Config, Loaded, raw_analysts, raw_hospital, raw_node};
use crate::diagnostic::{Diagnostic, Report};
use crate::ids::{Language, PlanId, TargetId};
use crate::ivr::{Known, Plan, Prompts};
use crate::proof::{self, Proof};

/// More files than any group of hospitals has; a bound against the wrong folder.
const MAX_FILES: usize = 1_000;

/// What the process knows besides the files.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Environment variables: overrides of wardline.toml's values.
    pub variables: BTreeMap<String, String>,
    /// Tells what has expired.
    pub now: Timestamp,
}

impl Surroundings {
    /// Of this process. Variables that are not Unicode are left out: none of ours is such.
    pub fn of_process(now: Timestamp) -> Surroundings {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
        Surroundings { variables, now }
    }
}

/// The files of one configuration as bytes, by the name that findings use.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// "sip-config".
    pub name: String,
    /// What relative paths start from, and where prompts/ lies.
    pub base: PathBuf,
    pub node: Option<File>,
    pub hospitals: Vec<File>,
    pub analysts: Vec<File>,
    pub plans: Vec<File>,
    /// import.toml: checked with the others, but no part of what runs.
    pub rules: Option<File>,
    /// cases/*.toml: kept with the others, and judged by `wardline simulate`.
    pub cases: Vec<File>,
    /// Files that belong to nothing.
    pub strange: Vec<String>,
    pub recordings: Recordings,
}

/// Where the recorded words are read from.
#[derive(Clone, Debug, Default)]
pub enum Recordings {
    /// prompts/ beside the folder.
    #[default]
    Beside,
    /// In memory, by path inside prompts/: "en/manifest.toml", "en/desk.wav".
    Held(BTreeMap<String, Bytes>),
}

#[derive(Clone, Debug)]
pub struct File {
    /// "sip-config/plans/hotline.toml".
    pub name: String,
    /// "main".
    pub stem: String,
    pub bytes: Vec<u8>,
}

/// Reads and checks a folder such as sip-config/. Prompts are looked for in prompts/ beside it.
///
/// # Errors
/// Everything that is wrong, all at once, warnings included.
pub fn load(folder: &Path, surroundings: &Surroundings) -> Result<Loaded, Report> {
    let mut report = Report::new();
    match gather(folder, &mut report) {
        Some(folder) => compose(&folder, surroundings, report),
        None => Err(report),
    }
}

/// Reads the files of a folder, unchecked.
pub fn gather(path: &Path, report: &mut Report) -> Option<Folder> {
    let name = path.file_name().map_or_else(|| ".".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut folder = Folder { base: path.parent().unwrap_or(Path::new("")).to_path_buf(), name, ..Folder::default() };
    for (stem, path) in toml_files(path, report)? {
        let name = format!("{}/{stem}.toml", folder.name);
        let mut read = |name: String| read_file(name, stem.clone(), &path, report);
        if stem == "wardline" {
            folder.node = read(name);
        } else if stem == "hospital" || stem.starts_with("hospital-") {
            folder.hospitals.extend(read(name));
        } else if stem == "analysts" || stem.starts_with("analysts-") {
            folder.analysts.extend(read(name));
        } else if stem == "import" {
            folder.rules = read(name);
        } else {
            folder.strange.push(name);
        }
    }
    folder.plans = within("plans", path, &mut folder, report)?;
    folder.cases = within("cases", path, &mut folder, report)?;
    Some(folder)
}

/// The TOML files of a folder within the folder; what else lies there is noted as belonging to nothing.
fn within(inner: &str, path: &Path, folder: &mut Folder, report: &mut Report) -> Option<Vec<File>> {
    let path = path.join(inner);
    if !path.is_dir() {
        return Some(Vec::new());
    }
    let mut files = Vec::new();
    for (stem, path) in toml_files(&path, report)? {
        files.extend(read_file(format!("{}/{inner}/{stem}.toml", folder.name), stem, &path, report));
    }
    let entries = fs::read_dir(&path).into_iter().flatten().filter_map(Result::ok);
    let mut strange: Vec<String> = entries
        .filter(|entry| is_strange(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into())
        .collect();
    strange.sort();
    strange.truncate(MAX_FILES);
    folder.strange.extend(strange.into_iter().map(|name| format!("{}/{inner}/{name}", folder.name)));
    Some(files)
}

/// Neither a file that is read, nor one that nobody takes for it: hidden, a note, or what a rollback has kept beside.
fn is_strange(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is = |ends: &str| path.extension().is_some_and(|extension| extension == ends);
    if path.is_dir() {
        let inside = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
        return inside.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|ends| ends == "toml"));
    }
    let passed_over = name.starts_with('.') || name.ends_with('~') || name.contains(".toml.draft-");
    !(is("toml") || is("md") || is("txt") || passed_over)
}

/// Stems and paths of a folder's TOML files, in order.
fn toml_files(path: &Path, report: &mut Report) -> Option<BTreeMap<String, PathBuf>> {
    let shown: Arc<str> = Arc::from(path.to_string_lossy());
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => {
            let finding = Diagnostic::error(&shown, 0..0, format!("this folder cannot be read: {error}"));
            report.push(finding.remedy("name the folder that holds wardline.toml"));
            return None;
        }
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let toml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let named = toml.filter_map(|path| Some((path.file_stem()?.to_string_lossy().into_owned(), path)));
    let files: BTreeMap<String, PathBuf> = named.take(MAX_FILES + 1).collect();
    if files.len() > MAX_FILES {
        report.push(Diagnostic::error(&shown, 0..0, format!("this folder holds more than {MAX_FILES} files")));
        return None;
    }
    Some(files)
}

fn read_file(name: String, stem: String, path: &Path, report: &mut Report) -> Option<File> {
    // One byte more than allowed is enough to see that it is too large.
    let limit = u64::try_from(tree::MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let read = |path: &Path| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, limit), &mut bytes)?;
        Ok(bytes)
    };
    match read(path) {
        Ok(bytes) => Some(File { name, stem, bytes }),
        Err(error) => {
            let finding = Diagnostic::error(&Arc::from(name), 0..0, format!("this file cannot be read: {error}"));
            report.push(finding.remedy("give the user that runs Wardline leave to read it"));
            None
        }
    }
}

/// Checks files that are in memory already. Of the disk, only prompts/ and the presence of secret files are looked at.
///
/// # Errors
/// As [`load`].
pub fn compose(folder: &Folder, surroundings: &Surroundings, report: Report) -> Result<Loaded, Report> {
    let (checked, report) = checked(folder, surroundings, report);
    match checked {
        Some(config) if !report.has_errors() => Ok(Loaded { config, warnings: report }),
        Some(_) | None => Err(report),
    }
}

/// As [`compose`], of a version that is published: what only rules younger than it refuse is a warning. Where those
/// are comes with it ("sip-config/wardline.toml:41:1"), empty when nothing is refused.
///
/// # Errors
/// As [`load`].
pub fn compose_published(folder: &Folder, surroundings: &Surroundings) -> Result<(Loaded, String), Report> {
    let (checked, mut report) = checked(folder, surroundings, Report::new());
    let softened = report.soften();
    match checked {
        Some(config) if !report.has_errors() => Ok((Loaded { config, warnings: report }, softened)),
        Some(_) | None => Err(report),
    }
}

/// All of the files, and what is wrong with them. `None`: there is no node.
fn checked(folder: &Folder, surroundings: &Surroundings, mut report: Report) -> (Option<Config>, Report) {
    let problems = Problems::default();
    let node = read_node(folder, surroundings, &problems, &mut report);
    let mut parse = |file: &File| -> Option<Tree> { tree::parse(&file.name, &file.bytes, &mut report) };
    let hospitals: Vec<_> = folder.hospitals.iter().filter_map(|file| Some((file, parse(file)?))).collect();
    let analysts: Vec<_> = folder.analysts.iter().filter_map(|file| Some((file, parse(file)?))).collect();
    let hospitals = hospitals.iter().filter_map(|(file, tree)| raw_hospital::read(tree, &file.name, &problems));
    let hospitals: Vec<_> = hospitals.collect();
    let hospital_ids = hospitals.iter().map(|file| file.id.value.clone()).collect();
    let hospitals_complete = all_read(&hospitals, folder);
    let analysts_complete = analysts.len() == folder.analysts.len();
    let analysts = analysts.iter().flat_map(|(file, tree)| raw_analysts::read(tree, &file.name, &problems));
    let analysts: Vec<RawAnalyst> = analysts.collect();
    let md5_phones = md5_phones(&analysts);
    missing_files(folder, &mut report);
    if let Some(rules) = &folder.rules {
        import_rules(&rules.name, &rules.bytes, &mut report);
    }
    let prompts = read_prompts(folder, &hospitals, &mut report);
    let (plans, proofs) = read_plans(folder, &hospitals, &prompts, &mut report);
    let checked = node.map(|node| {
        let files =
            Files { node, hospitals, hospital_ids, hospitals_complete, analysts, analysts_complete, plans, prompts };
        check::check(files, surroundings, &problems)
    });
    problems.into_report(&mut report);
    report.sort();
    let config = checked.map(|checked| {
        let Checked { node, hospitals, staff, plans, prompts } = checked;
        let (version, prompts) = (version(folder, surroundings), Arc::new(prompts));
        Config { version, node, hospitals, staff, md5_phones, plans, proofs, prompts }
    });
    (config, report)
}

/// Reads import.toml; what is wrong with it goes into the report.
pub fn import_rules(name: &str, bytes: &[u8], report: &mut Report) -> Vec<Rule> {
    let problems = Problems::default();
    let rules = tree::parse(name, bytes, report).map(|tree| rules::read(&tree, name, &problems));
    problems.into_report(report);
    rules.unwrap_or_default()
}

/// Users of phones that are marked as old.
fn md5_phones(analysts: &[RawAnalyst]) -> BTreeSet<String> {
    let old = analysts.iter().flat_map(|analyst| &analyst.phones).filter(|phone| phone.md5_only);
    old.filter_map(|phone| match &phone.reach {
        Reach::Registered(user) => Some(user.value.clone()),
        Reach::Sip(_) | Reach::Trunk { .. } => None,
    })
    .collect()
}

fn read_node(
    folder: &Folder,
    surroundings: &Surroundings,
    problems: &Problems,
    report: &mut Report,
) -> Option<raw_node::NodeFile> {
    let file = folder.node.as_ref()?;
    let mut tree = tree::parse(&file.name, &file.bytes, report)?;
    tree::overlay(&mut tree, &surroundings.variables, report);
    let mut node = raw_node::read(&tree, &folder.base, problems)?;
    raw_node::fill_passwords(&mut node, &surroundings.variables, problems);
    Some(node)
}

fn missing_files(folder: &Folder, report: &mut Report) {
    let name: Arc<str> = Arc::from(folder.name.as_str());
    let mut missing = |what: &str, remedy: &str| {
        report.push(Diagnostic::error(&name, 0..0, format!("the folder holds no {what}")).remedy(remedy));
    };
    if folder.node.is_none() {
        missing("wardline.toml", "add it: listeners, trunks, media and storage stand there");
    }
    if folder.hospitals.is_empty() {
        missing("hospital.toml", "add one file a hospital: hospital.toml, hospital-*.toml");
    }
    if folder.analysts.is_empty() {
        missing("analysts.toml", "add the people who take calls");
    }
    if folder.plans.is_empty() {
        missing("plans/*.toml", "add a dial plan such as plans/hotline.toml");
    }
    for file in &folder.strange {
        let stem = file.rsplit('/').next().unwrap_or(file);
        let known = ["wardline.toml", "hospital.toml", "analysts.toml", "import.toml"];
        let finding =
            Diagnostic::warning(&Arc::from(file.as_str()), 0..0, "this file belongs to nothing and is not read");
        let finding = finding.nearest(stem, known);
        report.push(finding.remedy(
            "files are wardline.toml, hospital*.toml, analysts*.toml, import.toml, plans/*.toml and cases/*.toml",
        ));
    }
}

/// Every language that some hospital speaks.
fn read_prompts(folder: &Folder, hospitals: &[HospitalFile], report: &mut Report) -> Prompts {
    let languages = hospitals.iter().flat_map(|file| &file.languages).map(|language| language.value.clone());
    let languages: BTreeSet<Language> = languages.collect();
    let prompts = folder.base.join("prompts");
    // A language without a folder is reported where the hospital names it.
    let installed = |language: &Language| match &folder.recordings {
        Recordings::Beside => prompts.join(language.as_str()).join(MANIFEST).is_file(),
        Recordings::Held(held) => held.contains_key(&format!("{language}/{MANIFEST}")),
    };
    let languages: Vec<Language> = languages.into_iter().filter(installed).collect();
    let read = |path: &str| match &folder.recordings {
        Recordings::Beside => fs::read(prompts.join(path)).map(Bytes::from),
        Recordings::Held(held) => held.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into()),
    };
    Prompts::load(&languages, |path| read(path).map(Vec::from), report)
}

type Plans = BTreeMap<PlanId, Option<Arc<Plan>>>;

fn read_plans(
    folder: &Folder,
    hospitals: &[HospitalFile],
    prompts: &Prompts,
    report: &mut Report,
) -> (Plans, BTreeMap<PlanId, Proof>) {
    let (mut plans, mut proofs) = (Plans::new(), BTreeMap::new());
    for file in &folder.plans {
        let id = PlanId::new(&file.stem);
        let uses = |hospital: &&HospitalFile| hospital.hotlines.iter().any(|hotline| hotline.plan.value == id);
        let mut users: Vec<&HospitalFile> = hospitals.iter().filter(uses).collect();
        if users.is_empty() {
            users.extend(hospitals);
        }
        // A hotline that names no plan at all probably means this one, and is reported itself.
        let complete = all_read(hospitals, folder);
        if complete && !hospitals.iter().any(|hospital| uses(&hospital) || names_no_plan(hospital, folder)) {
            let finding = Diagnostic::warning(&Arc::from(file.name.as_str()), 0..0, "no hotline uses this plan");
            report.push(finding.remedy(format!("write plan = \"{id}\" at a hotline, or remove the file")));
        }
        // What a broken hospital file declares is not known, so nothing is checked against it.
        let known = if complete { known_to(&users, prompts) } else { Known::default() };
        let plan = match std::str::from_utf8(&file.bytes) {
            Ok(text) => Plan::load(&file.name, text, &known, report),
            // Reads nothing, but reports where the text stops being UTF-8.
            Err(_) => tree::parse(&file.name, &file.bytes, report).and(None),
        };
        if let Some(plan) = plan.as_ref().filter(|plan| plan.id != id) {
            let what = format!("this plan calls itself `{}`", plan.id);
            let finding = Diagnostic::error(&plan.file, plan.named.clone(), what);
            report.push(finding.remedy(format!("write name = \"{id}\", as the file is called")));
        }
        if let (Some(plan), Some(longest)) = (&plan, known.longest()) {
            let proof = proof::prove(plan, &longest);
            proof::judge(plan, &proof, report);
            proofs.insert(id.clone(), proof);
        }
        plans.insert(id, plan.map(Arc::new));
    }
    (plans, proofs)
}

/// There are hospitals, and every file of one could be read: else a name that nothing declares is no news.
fn all_read(hospitals: &[HospitalFile], folder: &Folder) -> bool {
    !hospitals.is_empty() && hospitals.len() == folder.hospitals.len()
}

fn names_no_plan(hospital: &HospitalFile, folder: &Folder) -> bool {
    let exists = |id: &PlanId| folder.plans.iter().any(|file| file.stem == id.as_str());
    hospital.hotlines.iter().any(|hotline| !exists(&hotline.plan.value))
}

/// What a plan may name: targets that all of its hospitals have, and whatever else any of them has.
fn known_to<'a>(users: &[&HospitalFile], prompts: &'a Prompts) -> Known<'a> {
    let targets = |file: &&HospitalFile| -> BTreeSet<TargetId> {
        let operator = std::iter::once(TargetId::new("operator"));
        file.targets.iter().map(|target| target.id.clone()).chain(operator).collect()
    };
    let shared = users.iter().map(targets).reduce(|all, more| all.intersection(&more).cloned().collect());
    let names = || users.iter().map(|file| &file.names);
    let codes = users.iter().flat_map(|file| &file.code_numbers);
    Known {
        prompts: Some(prompts),
        targets: shared,
        systems: Some(names().flat_map(|names| names.systems.keys().cloned()).collect()),
        modules: Some(names().flat_map(|names| names.systems.values().flatten().cloned()).collect()),
        units: Some(names().flat_map(|names| names.units.iter().cloned()).collect()),
        calendars: Some(names().flat_map(|names| names.calendars.iter().cloned()).collect()),
        sites: Some(names().flat_map(|names| names.sites.iter().cloned()).collect()),
        trunks: Some(users.iter().filter_map(|file| Some(file.trunk.as_ref()?.value.clone())).collect()),
        spoken_units: users.iter().flat_map(|file| &file.parts.units).filter_map(|unit| unit.spoken.clone()).collect(),
        hotlines: Some(
            users.iter().flat_map(|file| &file.hotlines).map(|hotline| hotline.number.value.clone()).collect(),
        ),
        code_digits: codes.filter_map(|code| u32::try_from(code.value.as_str().len()).ok()).max(),
    }
}

/// Names the content: equal files and overrides have equal versions.
fn version(folder: &Folder, surroundings: &Surroundings) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(bytes.len().to_be_bytes());
        hash.update(bytes);
    };
    let files = folder.node.iter().chain(&folder.hospitals).chain(&folder.analysts).chain(&folder.plans);
    for file in files {
        add(file.name.as_bytes());
        add(&file.bytes);
    }
    for (name, value) in surroundings.variables.iter().filter(|(name, _)| name.starts_with("WARDLINE__")) {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
