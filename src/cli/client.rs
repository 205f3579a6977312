//! The command line's end of the control socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use crate::api::wire::{ON_BEHALF_OF, Refusal};
use crate::cli::exit::{Refused, Unreachable};
use crate::runtime::versions::own_user;
use crate::time::Duration;

/// A server that lives accepts at once.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer is a reload's, which reads every file.
const ANSWER_PATIENCE: Duration = Duration::from_secs(70);
/// Longest name of a system's user (useradd has 32).
const MAX_USER: usize = 64;
/// Every call of a full node, with room.
const MAX_ANSWER: usize = 16 << 20;

/// Asks the server that owns a control socket.
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
    /// Whom it works for, where that is somebody else than the system's user.
    on_behalf_of: Option<String>,
}

impl Client {
    /// # Errors
    /// When no runtime can be made.
    pub fn new(socket: &Path) -> anyhow::Result<Client> {
        Client::working_for(socket, on_behalf_of())
    }

    /// # Errors
    /// As [`Client::new`].
    pub fn working_for(socket: &Path, on_behalf_of: Option<String>) -> anyhow::Result<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Client { socket: socket.to_path_buf(), runtime, on_behalf_of })
    }

    /// # Errors
    /// [`Unreachable`] when nobody answers, [`Refused`] when the server says no; so for [`Client::post`].
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.exchange(Method::GET, path, Bytes::new())
    }

    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.exchange(Method::POST, path, Bytes::from(serde_json::to_vec(body)?))
    }

    fn exchange<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<T> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "wardline")
            .header("content-type", "application/json");
        if let Some(name) = &self.on_behalf_of {
            request = request.header(ON_BEHALF_OF, name);
        }
        let request = request.body(Full::new(body))?;
        let (status, body) = self.runtime.block_on(self.send(request))?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .context("the server's answer cannot be read; is it of another version?");
        }
        let said = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.error);
        Err(Refused(said.unwrap_or_else(|_| format!("the server answered {status}"))).into())
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let unreachable = |why: String| Unreachable { socket: self.socket.display().to_string(), why, nobody: false };
        let stream = tokio::time::timeout(CONNECT_PATIENCE, UnixStream::connect(&self.socket))
            .await
            .map_err(|_| unreachable("it does not accept".to_owned()))?
            .map_err(|error| Unreachable { nobody: nobody(&error), ..unreachable(why(&error)) })?;
        let answer = async {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer was cut: {error}"))?;
            anyhow::Ok((status, body.to_bytes()))
        };
        match tokio::time::timeout(ANSWER_PATIENCE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(unreachable(format!("{error:#}")).into()),
            Err(_) => Err(unreachable("it does not answer".to_owned()).into()),
        }
    }
}

/// Whoever works by `sudo -u wardline`.
fn on_behalf_of() -> Option<String> {
    let name = std::env::var("SUDO_USER").ok()?;
    // A name of the system is plain; what is none is nobody's.
    let plain = !name.is_empty() && name.len() <= MAX_USER && name.chars().all(|letter| letter.is_ascii_graphic());
    plain.then_some(name)
}

/// The author of a change that this process makes itself: the system's user, and whom it works for.
pub fn author() -> String {
    let user = own_user();
    match on_behalf_of().filter(|name| *name != user) {
        Some(name) => format!("{user} for {name}"),
        None => user,
    }
}

fn nobody(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

fn why(error: &std::io::Error) -> String {
    let said = [
        (ErrorKind::NotFound, "there is no such socket"),
        (ErrorKind::ConnectionRefused, "nobody listens there any more"),
        (ErrorKind::PermissionDenied, "it belongs to another user"),
    ];
    let known = said.into_iter().find(|(kind, _)| *kind == error.kind());
    known.map_or_else(|| error.to_string(), |(_, words)| words.to_owned())
}

/// A name as one segment of a path (RFC 3986 section 2.1).
pub fn segment(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("amara-osei"), "amara-osei");
        assert_eq!(segment("../drain"), "..%2Fdrain");
        assert_eq!(segment("a b?c"), "a%20b%3Fc");
    }

    #[test]
    fn a_missing_socket_is_unreachable() {
        let client = Client::new(Path::new("/nonexistent/control.sock")).expect("client");
        let error = client.get::<serde_json::Value>("/v1/status").expect_err("nobody is there");
        assert!(error.downcast_ref::<Unreachable>().is_some_and(|gone| gone.nobody), "{error:#}");
    }
}
