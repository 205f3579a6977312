//! Where a command finds its node: the data directory and the control socket that the configuration names.
//!
//! Files under edit may be wrong while the server runs an older, valid version. Then only these two places are read, so
//! that tickets and states stay within reach.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::exit::Usage;
use crate::cli::out::tell;
use crate::config::{self, Config, Loaded, Surroundings, render};
use crate::ids::HospitalId;

/// The node that `--config` means.
pub struct Place {
    pub data_dir: PathBuf,
    pub socket: PathBuf,
    /// Absent while the files have errors.
    pub config: Option<Config>,
}

impl Place {
    /// Reads the configuration; where it is refused, the two paths alone, and says so.
    ///
    /// # Errors
    /// When there is no wardline.toml to read.
    pub fn find(folder: &Path) -> anyhow::Result<Place> {
        let loaded = config::load(folder, &Surroundings::of_process(Timestamp::now()));
        if let Err(report) = &loaded {
            let found = render::summary(report);
            tell(&format!("wardline: {} has {found} (see `wardline check`); going on without it", folder.display()));
        }
        Place::of(folder, loaded.ok())
    }

    /// As [`Place::find`], of what was loaded already.
    pub fn of(folder: &Path, loaded: Option<Loaded>) -> anyhow::Result<Place> {
        let Some(Loaded { config, .. }) = loaded else { return Place::without_check(folder) };
        let (data_dir, socket) = (config.node.data_dir.clone(), config.node.control_socket.clone());
        Ok(Place { data_dir, socket, config: Some(config) })
    }

    fn without_check(folder: &Path) -> anyhow::Result<Place> {
        let path = folder.join("wardline.toml");
        if let Err(error) = std::fs::metadata(&path) {
            let path = path.display();
            return Err(
                Usage(format!("{path} cannot be read ({error}); name the folder that holds it with --config")).into()
            );
        }
        let at = config::whereabouts(folder, &Surroundings::of_process(Timestamp::now()));
        Ok(Place { data_dir: at.data_dir, socket: at.control_socket, config: None })
    }

    /// The configuration, for commands that cannot do without.
    ///
    /// # Errors
    /// When the files have errors.
    pub fn config(&self) -> anyhow::Result<&Config> {
        self.config.as_ref().context("this needs a valid configuration; `wardline check` shows what is wrong")
    }

    /// The zone that times are shown in: the hospital's, or the one that all hospitals share, else this machine's.
    pub fn zone(&self, hospital: Option<&HospitalId>) -> TimeZone {
        let Some(config) = &self.config else { return TimeZone::system() };
        if let Some(hospital) = hospital.and_then(|id| config.hospital(id)) {
            return hospital.time_zone.clone();
        }
        let mut zones = config.hospitals.values().map(|hospital| &hospital.time_zone);
        match zones.next() {
            Some(first) if zones.all(|zone| zone == first) => first.clone(),
            Some(_) | None => TimeZone::system(),
        }
    }
}
