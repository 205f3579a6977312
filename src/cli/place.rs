//! Where a command finds its node: the data directory and the control socket that the configuration names.
//!
//! Files under edit may be wrong while the server runs an older, valid version. Then only these two places are read, so
//! that tickets and states stay within reach.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::exit::Usage;
use crate::cli::moment;
use crate::cli::out::tell;
use crate::config::{self, Config, Loaded, Surroundings, render};
use crate::ids::{HospitalId, SystemId};
use crate::routing::{Attestations, Staff};
use crate::store::{attested, blocking};

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

    /// The hospital that is meant: the named one, or the only one there is.
    ///
    /// # Errors
    /// When none is named and there are several.
    pub fn hospital(&self, named: Option<&str>) -> anyhow::Result<HospitalId> {
        if let Some(named) = named {
            return Ok(HospitalId::new(named));
        }
        let hospitals: Vec<&HospitalId> = self.config()?.hospitals.keys().collect();
        let [only] = hospitals.as_slice() else {
            let known: Vec<&str> = hospitals.iter().map(|id| id.as_str()).collect();
            return Err(Usage(format!("say which hospital: --hospital, one of {}", known.join(", "))).into());
        };
        Ok((*only).clone())
    }

    /// The hospital that is meant: the named one, or the only one that has this system.
    ///
    /// # Errors
    /// When none is named and several have it, or none.
    pub fn hospital_with(&self, named: Option<&str>, system: &SystemId) -> anyhow::Result<HospitalId> {
        let hospitals = self.config.iter().flat_map(|config| &config.hospitals);
        let mut having =
            hospitals.filter(|(_, hospital)| hospital.directory.system(system).is_some()).map(|(id, _)| id);
        match (named, having.next(), having.next()) {
            (None, Some(only), None) => Ok(only.clone()),
            (named, ..) => self.hospital(named),
        }
    }

    /// A mistyped hospital would have nothing to show, which is an answer as well.
    ///
    /// # Errors
    /// When the files name none that is called so.
    pub fn knows_hospital(&self, named: Option<&HospitalId>) -> Result<(), Usage> {
        let (Some(id), Some(config)) = (named, &self.config) else { return Ok(()) };
        if config.hospital(id).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = config.hospitals.keys().map(HospitalId::as_str).collect();
        Err(Usage(format!("no hospital is called {id}; there are {}", known.join(", "))))
    }

    /// The zone that this hospital's times are shown in; this machine's, where the files do not say it.
    pub fn zone_of(&self, hospital: &HospitalId) -> TimeZone {
        let known = self.config.as_ref().and_then(|config| config.hospital(hospital));
        known.map_or_else(TimeZone::system, |hospital| hospital.time_zone.clone())
    }

    /// The zone of all hospitals, where they have but one.
    pub fn one_zone(&self) -> Option<TimeZone> {
        let zones = self.zones(None);
        let (first, others) = zones.split_first()?;
        others.iter().all(|zone| zone == first).then(|| first.clone())
    }

    /// What was attested in this data directory, if any node has run there.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn attested(&self) -> anyhow::Result<Attestations> {
        Place::attested_in(&self.data_dir)
    }

    /// The configuration's people, with what was attested in its data directory.
    ///
    /// # Errors
    /// As [`Place::attested`].
    pub fn attested_staff(config: &Config) -> anyhow::Result<Staff> {
        Ok(config.staff.clone().with_attested(Place::attested_in(&config.node.data_dir)?))
    }

    fn attested_in(data_dir: &Path) -> anyhow::Result<Attestations> {
        Ok(Attestations::new(blocking(async || attested(data_dir).await)??))
    }

    /// From then on, as people write it. Days are those of the hospital that is meant; where it is all of them, a day begins
    /// where it begins first, and so nothing of it is missing.
    ///
    /// # Errors
    /// When it is no time.
    pub fn since(&self, text: &str, now: Timestamp, hospital: Option<&HospitalId>) -> Result<Timestamp, Usage> {
        read_in(&self.zones(hospital), text, now, Ord::min)
    }

    /// Until then; a day of several hospitals ends where it ends last.
    ///
    /// # Errors
    /// When it is no time.
    pub fn until(&self, text: &str, now: Timestamp, hospital: Option<&HospitalId>) -> Result<Timestamp, Usage> {
        read_in(&self.zones(hospital), text, now, Ord::max)
    }

    fn zones(&self, hospital: Option<&HospitalId>) -> Vec<TimeZone> {
        match (hospital, &self.config) {
            (Some(hospital), _) => vec![self.zone_of(hospital)],
            (None, Some(config)) => config.hospitals.values().map(|hospital| hospital.time_zone.clone()).collect(),
            (None, None) => vec![TimeZone::system()],
        }
    }
}

fn read_in(
    zones: &[TimeZone],
    text: &str,
    now: Timestamp,
    pick: fn(Timestamp, Timestamp) -> Timestamp,
) -> Result<Timestamp, Usage> {
    let (first, others) = zones.split_first().map_or((TimeZone::system(), zones), |(zone, rest)| (zone.clone(), rest));
    let at = moment::read(text, now, || Ok(first))?;
    others.iter().try_fold(at, |at, zone| Ok(pick(at, moment::read(text, now, || Ok(zone.clone()))?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_hospitals_in_several_zones_begins_where_it_begins_first_and_ends_where_it_ends_last() {
        let zone = |name| TimeZone::get(name).expect("a zone");
        let zones = [zone("America/Chicago"), zone("America/New_York")];
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().expect("now");
        let read = |text, pick| read_in(&zones, text, now, pick).expect("a time").to_string();
        assert_eq!(read("today", Ord::min), "2026-03-10T04:00:00Z");
        assert_eq!(read("2026-03-10", Ord::max), "2026-03-10T05:00:00Z");
        // Over the night in which summer time began.
        assert_eq!(read("7d", Ord::min), "2026-03-03T13:00:00Z");
        assert!(read_in(&zones, "yesterday", now, Ord::min).is_err());
    }
}
