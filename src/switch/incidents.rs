//! Known problems: opened and resolved by hand, told to the callers whom they concern, and what is owed when they are fixed.

use crate::call::{CallbackDue, TRY_FOR, Tries};
use crate::config::Config;
use crate::diagnostic::nearest;
use crate::ids::{IncidentId, PromptId, SiteId, SystemId};
use crate::ivr::plan::LONGEST_PROMPT;
use crate::routing::{Incident, MAX_INCIDENT_SITES, MAX_INCIDENTS, Trouble};
use crate::switch::{Reply, Switch};
use crate::ticket::{CallbackReason, Event};
use crate::time::Instant;

impl Switch {
    pub(super) fn open_incident(&mut self, now: Instant, what: Trouble, by: String, actor: String) -> Reply {
        if let Err(reason) = self.judge(&what) {
            return Reply::Refused { reason };
        }
        let wall = self.clock.wall(now);
        let Some(incident) = self.incidents.open(what, by, wall).cloned() else {
            let reason = format!("{MAX_INCIDENTS} incidents are active already; resolve some first");
            return Reply::Refused { reason };
        };
        let (id, by, note) = (incident.id, incident.by.clone(), incident.what.note.clone());
        self.record(now, None, Event::IncidentOpened(Box::new(incident)));
        self.audit(now, actor, "open incident", &id.to_string(), Some(format!("{by}: {note}")));
        Reply::Opened { incident: id }
    }

    /// Every name of it is declared, and what callers hear of it exists and is short.
    fn judge(&self, what: &Trouble) -> Result<(), String> {
        let unknown = |kind: &str, name: &str, known: Vec<&str>| {
            let near = nearest(name, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("no {kind} is called {name}{near}")
        };
        let hospitals = &self.config.hospitals;
        let Some(hospital) = hospitals.get(&what.hospital) else {
            let known = hospitals.keys().map(crate::ids::HospitalId::as_str).collect();
            return Err(unknown("hospital", what.hospital.as_str(), known));
        };
        let Some(system) = hospital.directory.system(&what.system) else {
            let known = hospital.directory.systems().map(|system| SystemId::as_str(&system.id)).collect();
            return Err(unknown("system", what.system.as_str(), known));
        };
        if let Some(module) = what.module.as_ref().filter(|module| !system.modules.contains(module)) {
            let known = system.modules.iter().map(crate::ids::ModuleId::as_str).collect();
            return Err(unknown("module", module.as_str(), known));
        }
        if what.sites.len() > MAX_INCIDENT_SITES {
            return Err(format!("more than {MAX_INCIDENT_SITES} sites; name none for all of them"));
        }
        if let Some(site) = what.sites.iter().find(|site| hospital.directory.site(site).is_none()) {
            let known = hospital.directory.sites().map(|site| SiteId::as_str(&site.id)).collect();
            return Err(unknown("site", site.as_str(), known));
        }
        for language in &hospital.languages {
            let prompts = &self.config.prompts;
            let Some(length) = prompts.spoken(language, &what.prompt).and_then(|prompt| prompt.length) else {
                let spoken = prompts.of(language).map(|(id, _)| id).filter(|id| prompts.spoken(language, id).is_some());
                let known = spoken.map(PromptId::as_str).collect();
                return Err(format!("{} in language {language}", unknown("prompt", what.prompt.as_str(), known)));
            };
            if length > LONGEST_PROMPT {
                let most = LONGEST_PROMPT.as_secs();
                return Err(format!("prompt {} is longer than {most} s in language {language}", what.prompt));
            }
        }
        Ok(())
    }

    pub(super) fn resolve_incident(&mut self, now: Instant, id: IncidentId, by: &str, actor: String) -> Reply {
        if self.incidents.resolve(id).is_none() {
            return Reply::Refused { reason: format!("no incident {id} is active") };
        }
        self.record(now, None, Event::IncidentResolved { incident: id, by: by.to_owned() });
        self.audit(now, actor, "resolve incident", &id.to_string(), Some(by.to_owned()));
        for due in self.callbacks.fixed(id) {
            self.due_since_fixed(now, now, due);
        }
        Reply::Done
    }

    /// A call has ended whose caller waits for the fix.
    pub(super) fn call_when_fixed(&mut self, incident: IncidentId, at: Instant, due: CallbackDue) {
        if self.incidents.get(incident).is_some() {
            self.callbacks.add_when_fixed(incident, due);
        } else {
            self.callbacks.add_at(at, due);
        }
    }

    /// From here on it is a callback like others, with its tries counted from now.
    fn due_since_fixed(&mut self, now: Instant, at: Instant, due: CallbackDue) {
        let Some(number) = due.caller.call_back_number().cloned() else {
            self.record(now, Some(due.call), Event::CallbackGivenUp);
            self.callbacks.leave_to_a_person(due.call);
            return;
        };
        let reason = CallbackReason::IncidentResolved;
        self.record(now, Some(due.call), Event::CallbackBooked { number, due: self.clock.wall(at), reason });
        self.callbacks.add_at(at, CallbackDue { tries: Tries::none(now + TRY_FOR), ..due });
    }
}

/// Of which open incidents a node that starts with this configuration could tell nobody, as their prompts are not in it. In
/// words; `None` where there is none.
pub fn untold(config: &Config, incidents: &[Incident]) -> Option<String> {
    let is_told = |incident: &&Incident| {
        let languages = config.hospital(&incident.what.hospital).map(|hospital| hospital.languages.as_slice());
        let mut languages = languages.unwrap_or_default().iter();
        languages.all(|language| config.prompts.spoken(language, &incident.what.prompt).is_some())
    };
    let untold: Vec<String> =
        incidents.iter().filter(|incident| !is_told(incident)).map(|incident| incident.id.to_string()).collect();
    let (incident, its) =
        if untold.len() == 1 { ("incident", "its prompt is") } else { ("incidents", "their prompts are") };
    let words = || {
        format!(
            "callers hear nothing of open {incident} {} after a restart: {its} not in this version; publish with the \
             recording, or resolve it and open it with another",
            untold.join(", ")
        )
    };
    (!untold.is_empty()).then(words)
}
