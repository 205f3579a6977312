//! The go-live list over the control socket. It is made here, of the tickets and the version in force, so that nobody can
//! declare a hospital live by another list.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path as Segment, State};
use jiff::Timestamp;

use crate::api::ApiState;
use crate::api::control::{Answer, Asker, Problem, change, unexpected};
use crate::api::text::{Told, said};
use crate::api::wire::{Confirm, Done, GoLive, SetStanding};
use crate::config::{Hospital, cover};
use crate::golive::{Checklist, Evidence, Subject, checklist, opened};
use crate::ids::HospitalId;
use crate::routing::Attestations;
use crate::store::{Filter, attested, blocking, open_readonly};
use crate::switch::{Command, Reply};
use crate::ticket::{Passage, Standings};

pub(super) async fn lists(State(state): State<Arc<ApiState>>) -> Answer<GoLive> {
    let standings = standings(&state).await?;
    let config = state.config.borrow().clone();
    let mut hospitals = Vec::new();
    for hospital in config.hospitals.keys() {
        hospitals.extend(list(&state, hospital, &standings).await?);
    }
    Ok(Json(GoLive { hospitals }))
}

pub(super) async fn confirm(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Segment(hospital): Segment<String>,
    Told(wanted): Told<Confirm>,
) -> Answer<Done> {
    let Confirm { item, by, note } = wanted;
    said("name", &by)?;
    said("note", &note)?;
    let done = format!("{} is confirmed by {by} for {hospital}", item.as_str());
    let hospital = HospitalId::new(&hospital);
    change(&state, Command::Confirm { hospital, item, by, note, actor: peer.actor().await }, done).await
}

pub(super) async fn set_standing(
    State(state): State<Arc<ApiState>>,
    peer: Asker,
    Segment(hospital): Segment<String>,
    Told(wanted): Told<SetStanding>,
) -> Answer<Done> {
    let SetStanding { by, passage } = wanted;
    let hospital = HospitalId::new(&hospital);
    said("name", &by)?;
    let done = match &passage {
        Passage::Declare => {
            let standings = standings(&state).await?;
            // An unknown hospital has no list, and is refused by the switch with the nearest name.
            if let Some(list) = list(&state, &hospital, &standings).await?.filter(|list| !list.green) {
                return Err(Problem::refused(format!(
                    "{hospital} is not declared live: {}. `wardline golive --hospital {hospital}` says what is missing; \
                     whoever answers for going live without it may `wardline golive override`",
                    opened(&list)
                )));
            }
            format!("{hospital} is live, declared by {by}; calls from now on count in the figures")
        }
        Passage::Override { reason } => {
            said("reason", reason)?;
            format!("{hospital} is live, overridden by {by}; calls from now on count in the figures")
        }
        Passage::Rehearse { reason } => {
            said("reason", reason)?;
            format!("{hospital} is in rehearsal; what was shown before now does not count any more")
        }
    };
    change(&state, Command::SetStanding { hospital, passage, by, actor: peer.actor().await }, done).await
}

async fn standings(state: &ApiState) -> Result<Standings, Problem> {
    match state.ask(Command::Standings).await? {
        Reply::Standings(standings) => Ok(*standings),
        reply => Err(unexpected(&reply)),
    }
}

/// `None` when there is no such hospital.
async fn list(state: &ApiState, hospital: &HospitalId, standings: &Standings) -> Result<Option<Checklist>, Problem> {
    let config = state.config.borrow().clone();
    let (hospital, standings, data_dir) = (hospital.clone(), standings.clone(), state.data_dir.clone());
    let made = tokio::task::spawn_blocking(move || {
        let Some(hospital) = config.hospital(&hospital) else { return anyhow::Ok(None) };
        let now = Timestamp::now();
        let mut evidence = Evidence::new(standings.of(&hospital.id), now);
        blocking(async || gather(&data_dir, hospital, &mut evidence).await)??;
        let attested = Attestations::new(blocking(async || attested(&data_dir).await)??);
        let gaps = cover::gaps(&config, hospital, &config.staff.clone().with_attested(attested), now);
        let subject = Subject { config: &config, hospital, standings: &standings, gaps: &gaps };
        Ok(Some(checklist(&subject, &evidence)))
    });
    Ok(made.await.map_err(anyhow::Error::from)??)
}

async fn gather(data_dir: &std::path::Path, hospital: &Hospital, evidence: &mut Evidence) -> anyhow::Result<()> {
    let since = Some(evidence.since);
    let filter = Filter { hospital: Some(hospital.id.clone()), since, ..Filter::default() };
    open_readonly(data_dir).await?.each(filter, |ticket| evidence.take(hospital, &ticket)).await
}
