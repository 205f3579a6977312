//! Which version a node runs: chosen at the start, and changed while it runs.
//!
//! ```text
//!  start: newest whole and valid version ─▶ runs      none: the files, as version 1      neither: nothing to run
//!  publish, rollback, reload, SIGHUP: judged ─▶ on the disk ─▶ prompts, switch ─▶ journal ─▶ answered
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::api::wire::PublishedStatus;
use crate::api::{Applied, Change, ChangeRequest};
use crate::config::{
    Config, Content, Loaded, Node, Surroundings, Whereabouts, compose, compose_published, whereabouts,
};
use crate::diagnostic::Report;
use crate::ids::Language;
use crate::ivr::Prompts;
use crate::media::{PromptLibrary, Workers};
use crate::plural::counted;
use crate::registrar::Account;
use crate::runtime::carrier::Replies;
use crate::runtime::clock::MonotonicClock;
use crate::runtime::drafts;
use crate::runtime::inbox::{Inbox, Lane};
use crate::runtime::publish::{self, Invalid, Judged, Ready, Wish, draft_of};
use crate::runtime::recall;
use crate::runtime::tls::Secure;
use crate::store;
use crate::store::published::{Draft, Published, Version, Whole};
use crate::switch::{Command, Input, Publication, Reply, untold};
use crate::time::Duration;

/// A switch that does not answer within this time is not well; the version is on the disk all the same.
const SWITCH_PATIENCE: Duration = Duration::from_secs(5);
const FIRST_START: &str = "first start";

// -- At the start -----------------------------------------------------------------------------------------------------

/// What a node is going to run.
pub struct Chosen {
    pub config_dir: PathBuf,
    pub loaded: Loaded,
    pub content: Content,
    version: Origin,
    /// What is wrong with newer versions. Said loudly: the node does not run what was last published.
    pub faults: Vec<Fault>,
}

/// Why a newer version does not run.
pub struct Fault {
    /// For people who ask.
    pub told: String,
    /// For the log, which repeats nothing of the files.
    logged: String,
}

enum Origin {
    Published(Version),
    /// Nothing was published that could run: the files become a version once the data directory is ours.
    Files(Box<Draft>),
}

/// The newest version that can run; else the files.
///
/// # Errors
/// [`Invalid`] when neither is valid.
pub fn choose(config_dir: &Path) -> anyhow::Result<Chosen> {
    let surroundings = Surroundings::of_process(MonotonicClock::wall());
    let at = whereabouts(config_dir, &surroundings);
    let published = Published::of(&at.data_dir);
    let mut faults = Vec::new();
    for number in published.numbers()?.into_iter().rev() {
        let checked = published.whole(number).and_then(|whole| {
            let files = publish::of_version(&whole.content, config_dir);
            Ok((compose_published(&files, &surroundings).map_err(Invalid::from)?, whole))
        });
        match checked {
            Ok(((mut loaded, refused), Whole { version, content })) => {
                settle(&mut loaded, &at, &version);
                faults.extend((!refused.is_empty()).then(|| Fault::refused(number, &refused)));
                let (config_dir, version) = (config_dir.to_path_buf(), Origin::Published(version));
                return Ok(Chosen { config_dir, loaded, content, version, faults });
            }
            Err(error) => faults.push(Fault {
                told: format!("version {number} cannot run: {error:#}"),
                logged: format!("version {number} cannot run: {}", publish::for_the_log(&error)),
            }),
        }
    }
    from_files(config_dir, &at, &surroundings, faults)
}

impl Fault {
    fn refused(number: u32, places: &str) -> Fault {
        let told = format!(
            "version {number} runs, but could not be published any more: newer rules refuse it at {places}; mend the files \
             (`wardline check` shows how) and publish them"
        );
        Fault { logged: told.clone(), told }
    }
}

fn from_files(
    config_dir: &Path,
    at: &Whereabouts,
    surroundings: &Surroundings,
    faults: Vec<Fault>,
) -> anyhow::Result<Chosen> {
    let neither = |report: Report| with_faults(report.into(), &faults);
    let drafts = drafts::read(config_dir).map_err(neither)?;
    let mut loaded = compose(&drafts.files, surroundings, drafts.report).map_err(neither)?;
    loaded.config.node.data_dir.clone_from(&at.data_dir);
    loaded.config.node.control_socket.clone_from(&at.control_socket);
    let message = if faults.is_empty() { FIRST_START } else { "no version that was published can run" };
    let mut draft = draft_of(own_user(), message.to_owned(), surroundings.now);
    draft.folder = config_dir.canonicalize().ok();
    let (content, version) = (drafts.content, Origin::Files(Box::new(draft)));
    Ok(Chosen { config_dir: config_dir.to_path_buf(), loaded, content, version, faults })
}

/// Why the files do not run, and why no version ran before them.
fn with_faults(mut files: Invalid, faults: &[Fault]) -> Invalid {
    for fault in faults {
        files.text += &format!("\n{}", fault.told);
        files.places += &format!("; {}", fault.logged);
    }
    files
}

/// A version runs where it was found: the files and the environment say where the node lives, not the version.
fn settle(loaded: &mut Loaded, at: &Whereabouts, version: &Version) {
    loaded.config.node.data_dir.clone_from(&at.data_dir);
    loaded.config.node.control_socket.clone_from(&at.control_socket);
    loaded.config.version = version.label();
}

/// Drafts that nobody published come into force where no version can run: said, with the newest version that can be read.
fn tell_unpublished(published: &Published, content: &Content) -> anyhow::Result<()> {
    let newest = published.numbers()?.into_iter().rev().find_map(|number| published.whole(number).ok());
    let Some(Whole { version, content: was }) = newest else { return Ok(()) };
    let differs = drafts::differences(&was, content).join(", ");
    let number = version.number;
    tracing::warn!("the files came into force unpublished; against version {number} they differ in {differs}");
    Ok(())
}

/// Who runs this process.
pub fn own_user() -> String {
    let user = nix::unistd::Uid::effective();
    let found = nix::unistd::User::from_uid(user).ok().flatten();
    found.map_or_else(|| format!("uid {user}"), |user| user.name)
}

impl Chosen {
    /// Publishes the files if nothing was published; the data directory is ours by now. Says how the files differ.
    ///
    /// # Errors
    /// When the first version can't be written.
    pub fn settled(self) -> anyhow::Result<(Arc<Config>, Versions)> {
        let Chosen { config_dir, mut loaded, content, version, faults } = self;
        let published = Published::of(&loaded.config.node.data_dir);
        for fault in &faults {
            tracing::error!("{}", fault.logged);
        }
        let version = match version {
            Origin::Published(version) => version,
            Origin::Files(draft) => {
                tell_unpublished(&published, &content)?;
                let version = published.add(*draft, &content)?;
                publish::note_base(&config_dir, &version);
                loaded.config.version = version.label();
                version
            }
        };
        tracing::info!(version = version.number, digest = %version.digest, "runs what was published");
        let running = Arc::new(Mutex::new(Running {
            version,
            waiting: None,
            faults: faults.into_iter().map(|fault| fault.told).collect(),
        }));
        let versions = Versions { config_dir, published, running };
        let differs = versions.status().differs;
        if !differs.is_empty() {
            let files = differs.join(", ");
            tracing::warn!(%files, "the files differ from the version that runs: see `wardline diff`, `wardline publish`");
        }
        Ok((Arc::new(loaded.config), versions))
    }
}

// -- While it runs ----------------------------------------------------------------------------------------------------

/// What runs, and what would run after a restart.
#[derive(Clone)]
pub struct Versions {
    pub config_dir: PathBuf,
    pub published: Published,
    running: Arc<Mutex<Running>>,
}

struct Running {
    version: Version,
    /// Published for the next start.
    waiting: Option<u32>,
    faults: Vec<String>,
}

impl Versions {
    /// Reads the drafts: not for the threads of the runtime.
    pub fn status(&self) -> PublishedStatus {
        let drafts = drafts::read(&self.config_dir).map(|drafts| drafts.content).unwrap_or_default();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let version = &running.version;
        let mut faults = running.faults.clone();
        let differs = match self.published.content(version) {
            Ok(content) => drafts::differences(&content, &drafts),
            Err(error) => {
                faults.push(format!("version {} runs, but would not start again: {error:#}", version.number));
                Vec::new()
            }
        };
        PublishedStatus {
            version: version.number,
            digest: version.digest.clone(),
            author: version.author.clone(),
            at: version.at,
            message: version.message.clone(),
            waiting: running.waiting,
            differs,
            faults,
        }
    }

    fn set(&self, version: Version, waiting: bool) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting {
            running.waiting = Some(version.number);
        } else {
            *running = Running { version, waiting: None, faults: Vec::new() };
        }
    }

    /// `needs`: what cannot change while the node runs. A version that waits for the restart stands before all later ones.
    fn why_not_now(&self, needs: &str) -> String {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = format!(
            "{needs} cannot change while the node runs; `wardline publish --at-restart` makes it the version of the next start"
        );
        let (now, Some(waiting)) = (running.version.number, running.waiting) else { return refused };
        format!(
            "{refused}.\nVersion {waiting} waits for the restart and may hold that change. If yours cannot wait: \
             `wardline rollback {now}` first (version {now} runs, and its files come back; yours are kept beside), make your \
             change again and publish it; then bring back what version {waiting} had, with --at-restart"
        )
    }

    /// Tells the journal of versions that it does not know: made while no node ran, or just before a crash.
    pub async fn audit(&self, inbox: &Inbox, desk: &Replies) -> anyhow::Result<()> {
        let known = self.published.audited();
        let new: Vec<u32> = self.published.numbers()?.into_iter().filter(|number| *number > known).collect();
        for number in new {
            let Ok(version) = self.published.version(number) else { continue };
            let Publication { actor, action, object, reason } = publication(&version);
            let reason = reason.map(|reason| format!("{reason} (at {:.0})", version.at));
            desk.ask(inbox, Command::Audit { actor, action, object, reason }).await?;
            self.published.set_audited(number)?;
        }
        Ok(())
    }
}

/// As the audit tells it.
fn publication(version: &Version) -> Publication {
    let object = format!("version {}", version.label());
    let reason = match version.restores {
        Some(restored) => format!("back to version {restored}: {}", version.message),
        None => version.message.clone(),
    };
    Publication { actor: version.author.clone(), action: version.action().to_owned(), object, reason: Some(reason) }
}

/// Makes versions and puts them into force, one at a time.
pub struct Publisher {
    pub versions: Versions,
    pub current: Arc<Config>,
    /// Told of every version that comes into force.
    pub told: watch::Sender<Arc<Config>>,
    pub library: Arc<PromptLibrary>,
    pub inbox: Arc<Inbox>,
    pub desk: Arc<Replies>,
    pub media: Arc<Workers>,
    pub secure: Option<Arc<Secure>>,
}

impl Publisher {
    /// Takes requests from when the journal knows of every version.
    pub async fn start(self, requests: mpsc::Receiver<ChangeRequest>) -> JoinHandle<()> {
        if let Err(error) = self.versions.audit(&self.inbox, &self.desk).await {
            tracing::error!(%error, "the journal is not told of every version; the next start tries again");
        }
        tokio::spawn(self.run(requests))
    }

    /// Until nobody can ask any more.
    async fn run(mut self, mut requests: mpsc::Receiver<ChangeRequest>) {
        while let Some(ChangeRequest { actor, change, reply }) = requests.recv().await {
            let applied = match change {
                Change::Accounts => self.apply_accounts().await,
                Change::Publish { folder, message, onto, at_restart } => {
                    let folder = folder.unwrap_or_else(|| self.versions.config_dir.clone());
                    let wish = Wish { folder, author: actor.clone(), message, onto };
                    self.publish(wish, at_restart).await
                }
                Change::Rollback { to, message, at_restart } => {
                    self.rollback(to, actor.clone(), message, at_restart).await
                }
            };
            match &applied {
                // By whom, the audit says.
                Ok(applied) => tracing::info!("{}", applied.done),
                Err(error) => tracing::warn!(error = publish::for_the_log(error), "refused; nothing changed"),
            }
            // Whoever asked may have gone away meanwhile.
            let _ = reply.send(applied.map_err(|error| format!("{error:#}")));
        }
    }

    async fn apply_accounts(&self) -> anyhow::Result<Applied> {
        let credentials = store::credentials(&self.current.node.data_dir).await?;
        let accounts = recall::accounts(&self.current, &credentials);
        let pins = store::pins(&self.current.node.data_dir).await?;
        let done = format!("{} with a password", counted(accounts.len(), "phone"));
        let taken = [Input::Accounts(accounts), Input::Pins(pins)];
        let taken = taken.into_iter().all(|input| self.inbox.push(Lane::Control, input));
        anyhow::ensure!(taken, "the switch takes nothing now; try again");
        Ok(Applied { done, version: None, new: false })
    }

    async fn publish(&mut self, wish: Wish, at_restart: bool) -> anyhow::Result<Applied> {
        let folder = wish.folder.clone();
        let (home, published) = (self.versions.config_dir.clone(), self.versions.published.clone());
        let surroundings = Surroundings::of_process(MonotonicClock::wall());
        let judge = move || publish::judge(wish, &home, &published, &surroundings);
        let judged = tokio::task::spawn_blocking(judge).await??;
        let (applied, version) = self.apply(judged, at_restart).await?;
        publish::note_base(&folder, &version);
        Ok(applied)
    }

    async fn rollback(
        &mut self,
        to: u32,
        author: String,
        message: String,
        at_restart: bool,
    ) -> anyhow::Result<Applied> {
        let (home, published) = (self.versions.config_dir.clone(), self.versions.published.clone());
        let surroundings = Surroundings::of_process(MonotonicClock::wall());
        let draft = draft_of(author, message, surroundings.now);
        let judge = move || publish::judge_rollback(to, draft, &home, &published, &surroundings);
        let judged = tokio::task::spawn_blocking(judge).await??;
        Ok(self.apply(judged, at_restart).await?.0)
    }

    /// On the disk first: what is in force now is in force after a crash.
    async fn apply(&mut self, judged: Judged, at_restart: bool) -> anyhow::Result<(Applied, Version)> {
        let ready = match judged {
            Judged::Same(version) => {
                // Certificates are no part of a version: they may be new where nothing else is.
                self.renew_certificates(&self.current.node)?;
                let done = format!("nothing has changed: version {} has this content", version.number);
                return Ok((Applied { done, version: Some(version.number), new: false }, version));
            }
            Judged::New(ready) => ready,
        };
        let Ready { content, mut loaded, draft } = *ready;
        let needs = needs_restart(&self.current.node, &loaded.config.node).join(", ");
        anyhow::ensure!(needs.is_empty() || at_restart, self.versions.why_not_now(&needs));
        let (library, was) = (self.recordings(&content, &loaded.config).await?, self.current.version.clone());
        let credentials = store::credentials(&self.current.node.data_dir).await?;
        let accounts = recall::accounts(&loaded.config, &credentials);
        if !at_restart {
            self.renew_certificates(&loaded.config.node)?;
        }
        let version = self.versions.published.add(draft, &content)?;
        if at_restart {
            self.versions.set(version.clone(), true);
            self.versions.audit(&self.inbox, &self.desk).await?;
            let done =
                format!("version {} is published and runs from the next start; {was} runs until then", version.label());
            return Ok((Applied { done, version: Some(version.number), new: true }, version));
        }
        let at = &self.current.node;
        let at = Whereabouts { data_dir: at.data_dir.clone(), control_socket: at.control_socket.clone() };
        settle(&mut loaded, &at, &version);
        let prompts = Prompts::clone(&loaded.config.prompts).with_those_of(&self.current.prompts);
        loaded.config.prompts = Arc::new(prompts);
        self.put_in_force(Arc::new(loaded.config), accounts, library, &version).await?;
        let mut done = format!("version {} is in force (was {was})", version.label());
        if let Ok(Reply::Incidents { incidents }) = self.desk.ask(&self.inbox, Command::Incidents).await {
            done += &untold(&self.current, &incidents).map(|words| format!("\n{words}")).unwrap_or_default();
        }
        Ok((Applied { done, version: Some(version.number), new: true }, version))
    }

    /// The next handshake shows what the files hold now; what cannot be used changes nothing.
    fn renew_certificates(&self, node: &Node) -> anyhow::Result<()> {
        match (&self.secure, &node.tls) {
            (Some(secure), Some(tls)) => secure.renew(tls),
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// Only what is new is encoded.
    async fn recordings(&self, content: &Content, config: &Config) -> anyhow::Result<Arc<PromptLibrary>> {
        let languages: Vec<&Language> = config.prompts.languages().collect();
        let library = Arc::new(PromptLibrary::of(content, &languages, Some(&self.library))?);
        let encoded = tokio::task::spawn_blocking(move || {
            library.encode();
            library
        });
        Ok(encoded.await?)
    }

    async fn put_in_force(
        &mut self,
        next: Arc<Config>,
        accounts: Vec<Account>,
        library: Arc<PromptLibrary>,
        version: &Version,
    ) -> anyhow::Result<()> {
        self.media.set_library(Arc::clone(&library));
        let publication = publication(version);
        let input = Input::Config { config: Arc::clone(&next), accounts, publication };
        anyhow::ensure!(
            self.inbox.push(Lane::Control, input),
            "version {} is published and runs from the next start: the switch takes nothing now",
            version.number
        );
        if let Some(secure) = &self.secure {
            secure.serve(&next.node);
        }
        self.told.send_replace(Arc::clone(&next));
        (self.current, self.library) = (next, library);
        self.versions.set(version.clone(), false);
        // Commands are taken in order: what is answered now comes after the version, whose audit line is in the journal.
        match tokio::time::timeout(SWITCH_PATIENCE, self.desk.ask(&self.inbox, Command::Status)).await {
            Ok(Ok(_)) => self.versions.published.set_audited(version.number),
            Ok(Err(error)) => Err(error),
            Err(_) => anyhow::bail!("version {} is published, but the switch does not answer", version.number),
        }
    }
}

/// What sockets and files were opened for, and what is read at the start alone: these stay until a restart.
fn needs_restart(now: &Node, then: &Node) -> Vec<&'static str> {
    let changes = [
        ("name", now.name != then.name),
        ("listeners", now.listeners != then.listeners),
        ("media", now.media != then.media),
        ("data_dir", now.data_dir != then.data_dir),
        ("control_socket", now.control_socket != then.control_socket),
        ("metrics", now.metrics != then.metrics),
        ("drain", now.drain != then.drain),
        ("log", now.log != then.log),
        ("canary", now.canary != then.canary),
        ("registration.realm", now.registration.realm != then.registration.realm),
    ];
    changes.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;
    use crate::ids::ListenerId;

    fn sample() -> Node {
        let surroundings = Surroundings::of_process(MonotonicClock::wall());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
        crate::config::load(&folder, &surroundings).expect("the sample is whole").config.node
    }

    /// The sample in a folder of its own, and a version of it whose trunks do not say why they go unencrypted.
    fn site_with_an_older_version() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("sip-config");
        let sample = drafts::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config")).expect("the sample");
        let mut older = sample.content;
        let text = String::from_utf8(older["wardline.toml"].to_vec()).expect("UTF-8");
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("plain =")).collect();
        older.insert("wardline.toml".to_owned(), kept.join("\n").into());
        let manifest = String::from_utf8(older["prompts/en/manifest.toml"].to_vec()).expect("UTF-8");
        let kept: Vec<&str> = manifest.lines().filter(|line| !line.starts_with("a-fault =")).collect();
        assert_eq!(kept.len() + 1, manifest.lines().count());
        older.insert("prompts/en/manifest.toml".to_owned(), kept.join("\n").into());
        drafts::restore(&folder, &older, &Content::new(), 1).expect("written");
        let draft = draft_of("ann".to_owned(), "before the upgrade".to_owned(), MonotonicClock::wall());
        Published::of(&home.path().join("data")).add(draft, &older).expect("added");
        (home, folder)
    }

    #[test]
    fn a_version_that_only_younger_rules_refuse_runs_and_is_no_version_that_may_be_published() {
        let (home, folder) = site_with_an_older_version();
        let chosen = choose(&folder).expect("it runs");
        let told: Vec<&str> = chosen.faults.iter().map(|fault| fault.told.as_str()).collect();
        assert_eq!(told.len(), 1);
        for words in ["version 1 runs, but could not be published any more", "wardline.toml:", "hospital.toml:"] {
            assert!(told[0].contains(words), "{told:?}");
        }
        assert!(matches!(chosen.version, Origin::Published(version) if version.number == 1));
        let surroundings = Surroundings::of_process(MonotonicClock::wall());
        let folder_of = publish::of_version(&chosen.content, &folder);
        assert!(publish::check(&folder_of, Report::new(), &surroundings).is_err(), "it may run, not be published");
        drop(home);
    }

    #[test]
    fn where_neither_files_nor_versions_can_run_both_are_named() {
        let (home, folder) = site_with_an_older_version();
        std::fs::write(home.path().join("data/published/0001.json"), "{").expect("damaged");
        let refused = choose(&folder).err().expect("nothing can run");
        let refused = refused.downcast::<Invalid>().expect("with its places");
        for said in [&refused.text, &refused.places] {
            assert!(said.contains("wardline.toml:") && said.contains("version 1 cannot run"), "{said}");
        }
    }

    type Change = fn(&mut Node);

    #[test]
    fn a_reload_refuses_what_is_read_at_the_start_alone() {
        let now = sample();
        let changes: [(&str, Change); 10] = [
            ("name", |node| node.name = "other".to_owned()),
            ("listeners", |node| _ = node.listeners.remove(&ListenerId::new("lab"))),
            ("media", |node| node.media.workers += 1),
            ("data_dir", |node| node.data_dir = "other".into()),
            ("control_socket", |node| node.control_socket = "other".into()),
            ("metrics", |node| node.metrics = None),
            ("drain", |node| node.drain = Duration::from_secs(1)),
            ("log", |node| node.log.format = LogFormat::Json),
            ("canary", |node| {
                node.canary = Some(crate::config::Canary {
                    hospital: "mercy-harbor".into(),
                    every: Duration::from_secs(60),
                    number: "7199".into(),
                    analyst: "canary".into(),
                });
            }),
            ("registration.realm", |node| node.registration.realm = "other.example".to_owned()),
        ];
        for (name, change) in changes {
            let mut then = now.clone();
            change(&mut then);
            assert_eq!(needs_restart(&now, &then), [name]);
        }
    }

    #[test]
    fn a_reload_applies_trunks_and_limits() {
        let now = sample();
        let mut then = now.clone();
        then.max_calls = 7;
        then.trunks.clear();
        then.registration.max_expires = Duration::from_secs(600);
        assert!(needs_restart(&now, &then).is_empty());
    }
}
