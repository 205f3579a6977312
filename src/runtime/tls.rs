//! TLS for SIP (RFC 3261 section 26.2.1, RFC 5922): our certificate and those whom we believe, read from files, and the
//! handshake of one connection. What comes after the handshake is [`tcp`](super::tcp)'s.
//!
//! ```text
//!  files ──open, renew──▶ Material (server, client) ◀── each handshake takes the one of its moment
//!  accepted ─▶ room? ─▶ handshake, at most 5 s ─▶ stream + names of the peer's certificate
//!  ours ──────────────▶ handshake: chain, dates, one of the names we expect of that address
//! ```
//! A connection that is up keeps what it was made with, so that a renewal cuts nothing off (line D58).

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Context;
use ipnet::IpNet;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::config::{ClientCertificates, Node, Tls};
use crate::sip::Transport;
use crate::time::Duration;

/// A peer that has not finished by then never will; a stranger holds a connection no longer than this.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Handshakes of those who connect to us at a time: beyond it connections are closed unheard, so that a flood of them takes
/// neither memory nor the processor from peers that are connected.
const MAX_HANDSHAKES: usize = 256;
/// Of them, those of one address: a PBX opens a few, and has done with them within a second.
const MAX_HANDSHAKES_PER_SOURCE: usize = 16;
/// Of them, those that only addresses of encrypted trunks get: strangers at many addresses keep no PBX out.
const KEPT_FOR_TRUNKS: usize = 64;
/// Names kept of one certificate; a cluster's has a dozen.
const MAX_NAMES: usize = 64;
/// A chain of certificates, or all those whom a hospital believes.
const MAX_PEM_BYTES: u64 = 1 << 20;
/// How long before its end a certificate is a finding of `wardline doctor`.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// What handshakes are made with; replaced as a whole.
struct Material {
    server: Arc<ServerConfig>,
    /// `None`: without authorities nobody can be verified, so nobody is called.
    client: Option<Caller>,
}

/// What we need to connect.
struct Caller {
    config: ClientConfig,
    authorities: Arc<RootCertStore>,
    signatures: Arc<WebPkiServerVerifier>,
}

/// The process's TLS, shared by its listeners.
pub struct Secure {
    current: RwLock<Arc<Material>>,
    /// Names to find in a peer's certificate, one of them, by its address.
    expected: RwLock<BTreeMap<SocketAddr, Vec<String>>>,
    /// Where the peers of encrypted trunks are, beside the addresses in `expected`.
    peers: RwLock<Vec<IpNet>>,
    /// Handshakes that go on, by the address that connected to us.
    shaking: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    patience: Duration,
}

impl Secure {
    /// # Errors
    /// A file that cannot be read or used, in words.
    pub fn open(files: &Tls) -> anyhow::Result<Secure> {
        Ok(Secure {
            current: RwLock::new(Arc::new(Material::read(files)?)),
            expected: RwLock::default(),
            peers: RwLock::default(),
            shaking: Arc::default(),
            patience: HANDSHAKE_TIMEOUT,
        })
    }

    /// Reads the files again; the next handshake uses what they hold.
    ///
    /// # Errors
    /// As [`Secure::open`]; then what was in use stays.
    pub fn renew(&self, files: &Tls) -> anyhow::Result<()> {
        let fresh = Arc::new(Material::read(files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub fn expect(&self, names: BTreeMap<SocketAddr, Vec<String>>) {
        *self.expected.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// Takes note of where encrypted trunks' peers are.
    pub fn serve(&self, node: &Node) {
        let encrypted = node.trunks.values().filter(|trunk| trunk.transport == Transport::Tls);
        let peers = encrypted.flat_map(|trunk| trunk.peers.iter().copied()).collect();
        *self.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    /// Whether a verified certificate with these names is that of the peer whom we would call at `remote`.
    pub fn expects(&self, remote: SocketAddr, shown: &[String]) -> bool {
        let expected = self.expected.read().unwrap_or_else(PoisonError::into_inner);
        let is_shown = |name: &String| shown.iter().any(|shown| shown.eq_ignore_ascii_case(name));
        expected.get(&remote).is_some_and(|names| names.iter().any(is_shown))
    }

    /// Whether an encrypted trunk's peer is at that address.
    pub fn is_of_a_trunk(&self, source: IpAddr) -> bool {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let expected = self.expected.read().unwrap_or_else(PoisonError::into_inner);
        peers.iter().any(|net| net.contains(&source)) || expected.keys().any(|called| called.ip() == source)
    }

    /// A place among those who shake hands, given back when dropped.
    pub fn room(&self, source: IpAddr) -> Option<Room> {
        let most = if self.is_of_a_trunk(source) { MAX_HANDSHAKES } else { MAX_HANDSHAKES - KEPT_FOR_TRUNKS };
        let mut shaking = self.shaking.lock().unwrap_or_else(PoisonError::into_inner);
        if shaking.values().sum::<usize>() >= most {
            return None;
        }
        let own = shaking.entry(source).or_default();
        if *own >= MAX_HANDSHAKES_PER_SOURCE {
            return None;
        }
        *own += 1;
        Some(Room { source, shaking: Arc::clone(&self.shaking) })
    }

    /// Somebody has connected to us. With the names of their certificate, where one was shown.
    pub async fn accept(&self, stream: TcpStream) -> anyhow::Result<(TlsStream<TcpStream>, Vec<String>)> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.material().server));
        let stream = timeout(self.patience, acceptor.accept(stream)).await??;
        let names = names_of(stream.get_ref().1.peer_certificates());
        Ok((TlsStream::Server(stream), names))
    }

    /// We have connected to somebody.
    pub async fn connect(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
    ) -> anyhow::Result<(TlsStream<TcpStream>, Vec<String>)> {
        let material = self.material();
        let caller = material.client.as_ref().context("[tls] names no `authorities`, so nobody can be verified")?;
        let expected = self.expected.read().unwrap_or_else(PoisonError::into_inner).get(&remote).cloned();
        let expected = expected.unwrap_or_else(|| vec![remote.ip().to_string()]);
        let names = expected.iter().filter_map(|name| ServerName::try_from(name.clone()).ok()).collect::<Vec<_>>();
        let asked = names.first().cloned().unwrap_or_else(|| ServerName::from(remote.ip()));
        let mut config = caller.config.clone();
        config.dangerous().set_certificate_verifier(Arc::new(OneOf { caller: caller.parts(), names }));
        let connector = TlsConnector::from(Arc::new(config));
        let stream = timeout(self.patience, connector.connect(asked, stream)).await??;
        let names = names_of(stream.get_ref().1.peer_certificates());
        Ok((TlsStream::Client(stream), names))
    }

    fn material(&self) -> Arc<Material> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A place among those who shake hands.
pub struct Room {
    source: IpAddr,
    shaking: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut shaking = self.shaking.lock().unwrap_or_else(PoisonError::into_inner);
        let left = shaking.get(&self.source).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            shaking.remove(&self.source);
        } else {
            shaking.insert(self.source, left);
        }
    }
}

impl Material {
    fn read(files: &Tls) -> anyhow::Result<Material> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&files.certificate)?;
        let authorities = files.authorities.as_deref().map(authorities).transpose()?.map(Arc::new);
        let clients = match (files.clients, &authorities) {
            (ClientCertificates::None, _) | (_, None) => WebPkiClientVerifier::no_client_auth(),
            (asked @ (ClientCertificates::Asked | ClientCertificates::Required), Some(authorities)) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::clone(authorities), Arc::clone(&provider));
                let optional = asked == ClientCertificates::Asked;
                if optional { verifier.allow_unauthenticated().build()? } else { verifier.build()? }
            }
        };
        let does_not_fit = || format!("{} does not fit {}", files.key.display(), files.certificate.display());
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key(&files.key)?)
            .with_context(does_not_fit)?;
        // A session taken up again would not be verified again; so for those whom we call.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        let client = authorities.map(|authorities| Caller::new(&provider, authorities, chain, key(&files.key)?));
        Ok(Material { server: Arc::new(server), client: client.transpose()? })
    }
}

impl Caller {
    /// We show our certificate to whoever asks for it.
    fn new(
        provider: &Arc<CryptoProvider>,
        authorities: Arc<RootCertStore>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> anyhow::Result<Caller> {
        let signatures = WebPkiServerVerifier::builder_with_provider(Arc::clone(&authorities), Arc::clone(provider));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&authorities))
            .with_client_auth_cert(chain, key)?;
        config.resumption = Resumption::disabled();
        Ok(Caller { config, authorities, signatures: signatures.build()? })
    }

    fn parts(&self) -> (Arc<RootCertStore>, Arc<WebPkiServerVerifier>) {
        (Arc::clone(&self.authorities), Arc::clone(&self.signatures))
    }
}

// -- Files ------------------------------------------------------------------------------------------------------------

fn pem(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(size <= MAX_PEM_BYTES, "{} is larger than any certificate", path.display());
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem(path)?).collect();
    let read = read.with_context(|| format!("{} is not PEM", path.display()))?;
    anyhow::ensure!(!read.is_empty(), "{} holds no certificate (-----BEGIN CERTIFICATE-----)", path.display());
    Ok(read)
}

fn key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&pem(path)?)
        .map_err(|_| anyhow::anyhow!("{} holds no private key without a password", path.display()))
}

fn authorities(path: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).with_context(|| format!("{} holds a certificate that is none", path.display()))?;
    }
    Ok(roots)
}

/// What `wardline doctor` asks: whether the files can be used, and for how long, as far as our own authorities say.
///
/// # Errors
/// What is wrong with them, in words.
pub fn examine(files: &Tls) -> anyhow::Result<Lasts> {
    Material::read(files)?;
    let Some(path) = &files.authorities else { return Ok(Lasts::Unknown) };
    let (roots, chain) = (authorities(path)?, certificates(&files.certificate)?);
    let [own, others @ ..] = chain.as_slice() else { return Ok(Lasts::Unknown) };
    let own = ParsedCertificate::try_from(own)?;
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let at = |time| verify_server_cert_signed_by_trust_anchor(&own, &roots, others, time, algorithms);
    let now = UnixTime::now();
    if let Err(error) = at(now) {
        let expired = matches!(error, rustls::Error::InvalidCertificate(ref why) if is_expired(why));
        return Ok(if expired { Lasts::Expired } else { Lasts::Unknown });
    }
    let soon = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_secs()) + EXPIRES_SOON);
    Ok(if at(soon).is_err() { Lasts::NotLong } else { Lasts::Long })
}

/// How long our own certificate is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    Long,
    /// Two weeks or less.
    NotLong,
    Expired,
    /// It was signed by nobody whom we believe ourselves.
    Unknown,
}

fn is_expired(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Expired | CertificateError::ExpiredContext { .. })
}

// -- Names ------------------------------------------------------------------------------------------------------------

/// The names of a verified certificate (RFC 5922 section 7.1): `sip:` URIs without a user, and DNS names.
fn names_of(chain: Option<&[CertificateDer<'_>]>) -> Vec<String> {
    let Some(own) = chain.and_then(<[_]>::first) else { return Vec::new() };
    let Ok(own) = webpki::EndEntityCert::try_from(own) else { return Vec::new() };
    let domains = own.valid_uri_names().filter_map(|uri| uri.strip_prefix("sip:").filter(|name| !name.contains('@')));
    domains.chain(own.valid_dns_names()).take(MAX_NAMES).map(str::to_owned).collect()
}

/// Believes a server whose certificate one of the authorities signed and that bears one of the names, spelled out: a
/// wildcard names nobody (RFC 5922 section 7.2).
#[derive(Debug)]
struct OneOf {
    caller: (Arc<RootCertStore>, Arc<WebPkiServerVerifier>),
    names: Vec<ServerName<'static>>,
}

impl OneOf {
    fn is_named(&self, certificate: &CertificateDer<'_>) -> Result<bool, rustls::Error> {
        let (parsed, shown) =
            (ParsedCertificate::try_from(certificate)?, names_of(Some(std::slice::from_ref(certificate))));
        let named = |name: &ServerName<'static>| match name {
            ServerName::DnsName(wanted) => shown.iter().any(|shown| shown.eq_ignore_ascii_case(wanted.as_ref())),
            other => verify_server_name(&parsed, other).is_ok(),
        };
        Ok(self.names.iter().any(named))
    }
}

impl ServerCertVerifier for OneOf {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = ring::default_provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.caller.0, intermediates, now, algorithms)?;
        if self.is_named(end_entity)? {
            return Ok(ServerCertVerified::assertion());
        }
        // Whoever reads the log sees which name was wanted and which were shown.
        let expected = self.names.first().unwrap_or(server_name).to_owned();
        let presented = names_of(Some(std::slice::from_ref(end_entity)));
        Err(CertificateError::NotValidForNameContext { expected, presented }.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.caller.1.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.caller.1.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.caller.1.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
