//! What people write to the control socket. It is shown on terminals and stands in the audit for good, one line each: so
//! every text of every request is short and free of control characters before anything else looks at it.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::control::Problem;

/// Longest note or reason, in characters; a ticket is no document.
const MAX_TEXT: usize = 2_000;
/// Longest name of a person, in characters.
const MAX_NAME: usize = 200;
/// Where a request says who it is that says so.
const NAME: &str = "by";

/// A request's body, each of whose texts fits.
pub(super) struct Told<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Told<T>, Problem> {
        let body = Json::<Value>::from_request(request, state).await;
        let Json(body) = body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        all_fit("text", &body).map_err(Problem::refused)?;
        let understood = serde_json::from_value(body).map(Told);
        understood.map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
    }
}

/// Every text of a value, each named by its key. Its depth is that of JSON that was read, which the reader bounds.
fn all_fit(key: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => fits(key, text),
        Value::Array(all) => all.iter().try_for_each(|value| all_fit(key, value)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| all_fit(key, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// # Errors
/// In words, without what was wrong.
pub fn fits(key: &str, text: &str) -> Result<(), String> {
    let (what, most) = if key == NAME { ("name (by)", MAX_NAME) } else { (key, MAX_TEXT) };
    if let Some(position) = text.chars().position(char::is_control) {
        let position = position + 1;
        return Err(format!("the {what} has a control character (position {position}): write it as one plain line"));
    }
    if text.chars().count() > most {
        return Err(format!("the {what} is longer than {most} characters"));
    }
    Ok(())
}

/// Why a version is made, or who says what, is part of it.
pub(super) fn said(what: &str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(Problem::refused(format!("the {what} is empty: say it")));
    }
    Ok(())
}
