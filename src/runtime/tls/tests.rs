//! Handshakes on loopback, with certificates made for the test.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::*;
use crate::runtime::clock::MonotonicClock;
use crate::runtime::inbox::Inbox;
use crate::runtime::tcp::{SipTcp, Wire};
use crate::sip::{Flow, Transport};
use crate::switch::Input;

const PING: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";

/// A folder with an authority, and what it signs.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = params.self_signed(&key).expect("signed");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("written");
        Authority { folder, issuer: Issuer::new(params, key) }
    }

    /// Writes `name.pem` and `name.key`. Names that begin with `sip:` become URIs.
    fn sign(&self, file: &str, names: &[&str], last_year: i32) -> (PathBuf, PathBuf) {
        let (uris, plain): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.starts_with("sip:"));
        let plain: Vec<String> = plain.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(plain).expect("names");
        let uris = uris.into_iter().map(|uri| SanType::URI(uri.try_into().expect("ASCII")));
        params.subject_alt_names.extend(uris);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(last_year, 1, 1));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let path = |ending: &str| self.folder.path().join(format!("{file}.{ending}"));
        fs::write(path("pem"), certificate.pem()).expect("written");
        fs::write(path("key"), key.serialize_pem()).expect("written");
        (path("pem"), path("key"))
    }

    fn files(&self, (certificate, key): (PathBuf, PathBuf), clients: ClientCertificates) -> Tls {
        Tls { certificate, key, authorities: Some(self.folder.path().join("ca.pem")), clients }
    }

    /// The TLS of somebody who shows no certificate when they call.
    fn nameless(&self, file: &str) -> Secure {
        let secure = Secure::open(&self.files(self.sign(file, &["a.example"], 2099), ClientCertificates::None));
        let secure = secure.expect("usable");
        let mut material = Arc::into_inner(secure.current.into_inner().expect("whole")).expect("nobody shakes hands");
        let caller = material.client.as_mut().expect("it believes somebody");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("its own");
        caller.config = config.with_root_certificates(Arc::clone(&caller.authorities)).with_no_client_auth();
        Secure { current: RwLock::new(Arc::new(material)), ..secure }
    }

    /// The TLS of somebody whose certificate bears these names.
    fn secure(&self, file: &str, names: &[&str], clients: ClientCertificates) -> Arc<Secure> {
        Arc::new(Secure::open(&self.files(self.sign(file, names, 2099), clients)).expect("usable"))
    }
}

/// A listener of ours; nothing of its runtime moves but inside `block_on`.
fn listening(secure: &Arc<Secure>) -> (Runtime, Arc<Inbox>, SipTcp) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let inbox = Arc::new(Inbox::new(MonotonicClock::new()));
    let (wire, ids) = (Wire::Secure(Arc::clone(secure)), Arc::new(AtomicU64::new(1)));
    let bound = SipTcp::bind("127.0.0.1:0".parse().expect("an address"), wire, Arc::clone(&inbox), ids);
    let listener = runtime.block_on(bound).expect("bound");
    (runtime, inbox, listener)
}

/// What the switch is told of a peer that connects, sends one message and goes away; `Err`: it could not even shake hands.
fn told(ours: &Arc<Secure>, peer: &Secure) -> anyhow::Result<Vec<Input>> {
    let (runtime, inbox, listener) = listening(ours);
    runtime.block_on(async {
        let stream = TcpStream::connect(listener.local).await?;
        let (mut stream, _) = peer.connect(stream, listener.local).await?;
        stream.write_all(PING).await?;
        stream.shutdown().await?;
        // TLS 1.3: a client that is refused hears so after its handshake.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        anyhow::Ok(())
    })?;
    runtime.block_on(async {
        while listener.connections() > 0 {
            tokio::task::yield_now().await;
        }
    });
    Ok(inbox.take(Some(crate::time::Instant::ZERO)).expect("open"))
}

#[test]
fn a_peer_is_known_by_the_names_of_its_certificate_before_its_first_message() {
    let authority = Authority::new();
    let ours = authority.secure("ours", &["127.0.0.1"], ClientCertificates::Required);
    let peer = authority.secure(
        "pbx",
        &["node-2.pbx.example", "sip:pbx.example", "sip:a@b.example"],
        ClientCertificates::None,
    );
    let inputs = told(&ours, &peer).expect("served");
    let shown: Vec<&Vec<String>> = inputs
        .iter()
        .filter_map(|input| match input {
            Input::Certified { names, .. } => Some(names),
            _ => None,
        })
        .collect();
    assert_eq!(shown, [&["pbx.example", "node-2.pbx.example"]]);
    let at = |wanted: fn(&Input) -> bool| inputs.iter().position(wanted);
    let certified = at(|input| matches!(input, Input::Certified { .. }));
    let message = at(|input| matches!(input, Input::Message { flow, .. } if flow.transport == Transport::Tls));
    assert!(certified < message && certified.is_some(), "{inputs:?}");
}

#[test]
fn d58_a_client_without_a_certificate_or_with_one_that_expired_is_refused() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let ours = authority.secure("ours", &["127.0.0.1"], ClientCertificates::Required);
    let expired = authority.files(authority.sign("old", &["pbx.example"], 2021), ClientCertificates::None);
    let expired = Secure::open(&expired).expect("usable");
    let refused = told(&ours, &expired).expect_err("expired");
    assert!(format!("{refused:#}").to_lowercase().contains("expired"), "{refused:#}");
    told(&ours, &authority.nameless("nobody")).expect_err("without a certificate");
    let asking = authority.secure("asking", &["127.0.0.1"], ClientCertificates::Asked);
    told(&asking, &authority.nameless("nobody")).expect("served where certificates are only asked for");
    // Signed by somebody else: believes our authority, shows another's.
    let foreign = strangers.sign("foreign", &["pbx.example"], 2099);
    let foreign = Secure::open(&authority.files(foreign, ClientCertificates::None)).expect("usable");
    told(&ours, &foreign).expect_err("signed by a stranger");
}

#[test]
fn d58_a_server_with_another_name_a_wildcard_or_an_expired_certificate_is_not_called() {
    let authority = Authority::new();
    let ours = authority.secure("ours", &["127.0.0.1"], ClientCertificates::None);
    let call = |names: &[&str], last_year: i32| {
        let files = authority.files(authority.sign("peer", names, last_year), ClientCertificates::None);
        let peer = Arc::new(Secure::open(&files).expect("usable"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
            let remote = listener.local_addr().expect("an address");
            ours.expect(BTreeMap::from([(remote, vec!["pbx.example".to_owned(), "b.pbx.example".to_owned()])]));
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.expect("accepted");
                let _ = peer.accept(stream).await;
            });
            let stream = TcpStream::connect(remote).await.expect("connected");
            ours.connect(stream, remote).await.map(|(_, names)| names)
        })
    };
    assert_eq!(
        call(&["a.pbx.example", "b.pbx.example"], 2099).expect("one of its names"),
        ["a.pbx.example", "b.pbx.example"]
    );
    assert_eq!(call(&["sip:pbx.example"], 2099).expect("by URI"), ["pbx.example"]);
    let other = "not valid for name \"pbx.example\"; certificate is ";
    for (names, year, why) in [
        (["other.example"], 2099, format!("{other}only valid for other.example")),
        (["*.pbx.example"], 2099, format!("{other}only valid for *.pbx.example")),
        (["127.0.0.1"], 2099, format!("{other}not valid for any names")),
        (["pbx.example"], 2021, "expired".to_owned()),
    ] {
        let error = call(&names, year).expect_err("refused").to_string();
        assert!(error.contains(&why), "{names:?}: {error}");
    }
}

#[test]
fn d58_a_renewed_certificate_is_shown_at_the_next_handshake_and_open_connections_stay() {
    let authority = Authority::new();
    let files = authority.files(authority.sign("ours", &["127.0.0.1", "old.example"], 2099), ClientCertificates::None);
    let ours = Arc::new(Secure::open(&files).expect("usable"));
    let peer = authority.secure("pbx", &["pbx.example"], ClientCertificates::None);
    let (runtime, inbox, listener) = listening(&ours);
    runtime.block_on(async {
        let connect = || async {
            peer.connect(TcpStream::connect(listener.local).await.expect("up"), listener.local).await.expect("shaken")
        };
        let (mut before, names) = connect().await;
        assert_eq!(names, ["old.example"]);
        authority.sign("ours", &["127.0.0.1", "new.example"], 2099);
        ours.renew(&files).expect("renewed");
        let (_after, names) = connect().await;
        assert_eq!(names, ["new.example"]);
        // A file that cannot be used changes nothing.
        fs::write(&files.key, "none").expect("written");
        let error = ours.renew(&files).expect_err("no key").to_string();
        assert!(error.contains("ours.key") && error.contains("no private key"), "{error}");
        assert_eq!(connect().await.1, ["new.example"]);
        before.write_all(b"\r\n\r\n").await.expect("still up");
        let mut pong = [0; 2];
        before.read_exact(&mut pong).await.expect("answered");
        assert_eq!(&pong, b"\r\n");
    });
    drop(inbox);
}

#[test]
fn no_session_is_taken_up_again_so_that_every_certificate_is_verified_anew() {
    let authority = Authority::new();
    let ours = authority.secure("ours", &["127.0.0.1"], ClientCertificates::Required);
    let peer = authority.secure("pbx", &["pbx.example"], ClientCertificates::None);
    let mut resuming = peer.material().client.as_ref().expect("it believes somebody").config.clone();
    resuming.resumption = Resumption::in_memory_sessions(8);
    let connector = TlsConnector::from(Arc::new(resuming));
    let (runtime, _inbox, listener) = listening(&ours);
    for _ in 0..2 {
        let kind = runtime.block_on(async {
            let stream = TcpStream::connect(listener.local).await.expect("connected");
            let name = ServerName::from(listener.local.ip());
            let mut stream = connector.connect(name, stream).await.expect("shaken");
            // What a server sends for the next time comes before its first answer.
            stream.write_all(b"\r\n\r\n").await.expect("written");
            stream.read_exact(&mut [0; 2]).await.expect("answered");
            stream.get_ref().1.handshake_kind()
        });
        assert_eq!(kind, Some(rustls::HandshakeKind::Full));
    }
}

#[test]
fn what_we_send_reaches_a_server_over_tls_and_a_false_one_is_unreachable() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let ours = authority.secure("ours", &["127.0.0.1"], ClientCertificates::None);
    for (signed_by, reached) in [(&authority, true), (&strangers, false)] {
        let peer = signed_by.secure("peer", &["127.0.0.1"], ClientCertificates::None);
        let (runtime, inbox, listener) = listening(&ours);
        runtime.block_on(async {
            let server = TcpListener::bind("127.0.0.1:0").await.expect("bound");
            let remote = server.local_addr().expect("an address");
            let flow = Flow { transport: Transport::Tls, local: listener.local, remote, conn: None };
            listener.send(flow, Bytes::from_static(PING));
            let (stream, _) = server.accept().await.expect("accepted");
            match peer.accept(stream).await {
                Ok((mut stream, _)) => {
                    let mut heard = vec![0; PING.len()];
                    let read = stream.read_exact(&mut heard).await;
                    assert_eq!(read.is_ok().then_some(heard.as_slice()), reached.then_some(PING));
                }
                Err(error) => assert!(!reached, "{error:#}"),
            }
            while !reached && listener.connections() > 0 {
                tokio::task::yield_now().await;
            }
        });
        let inputs = inbox.take(Some(crate::time::Instant::ZERO)).expect("open");
        let lost = inputs.iter().filter(|input| matches!(input, Input::Unreachable { .. })).count();
        assert_eq!(lost, usize::from(!reached), "{inputs:?}");
    }
}

#[test]
fn d58_tls_1_1_is_refused_with_an_alert() {
    let authority = Authority::new();
    let ours = authority.secure("ours", &["127.0.0.1"], ClientCertificates::None);
    let (runtime, _inbox, listener) = listening(&ours);
    let at = listener.local;
    let asked = std::thread::spawn(move || {
        // A ClientHello of TLS 1.1 (RFC 4346 section 7.4.1.2): random, no session, ECDHE-ECDSA-AES128-SHA, no compression;
        // then signature_algorithms, supported_groups and ec_point_formats.
        let mut hello = vec![3, 2];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0xc0, 0x09, 1, 0, 0, 22]);
        hello.extend([0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0]);
        let mut record = vec![22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
        record.extend(hello);
        let mut stream = std::net::TcpStream::connect(at).expect("connected");
        stream.write_all(&record).expect("written");
        let mut alert = Vec::new();
        stream.read_to_end(&mut alert).expect("read to the end");
        alert
    });
    runtime.block_on(async {
        while !asked.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    let alert = asked.join().expect("no panic");
    // Alert, fatal, protocol_version.
    assert_eq!((alert.first(), alert.get(5..7)), (Some(&21), Some([2, 70].as_slice())), "{alert:?}");
}

#[test]
fn d58_a_handshake_that_never_ends_is_cut_off() {
    let authority = Authority::new();
    let files = authority.files(authority.sign("ours", &["127.0.0.1"], 2099), ClientCertificates::None);
    let mut ours = Secure::open(&files).expect("usable");
    ours.patience = Duration::from_millis(50);
    let (runtime, _inbox, listener) = listening(&Arc::new(ours));
    runtime.block_on(async {
        let mut silent = TcpStream::connect(listener.local).await.expect("connected");
        let mut heard = Vec::new();
        assert_eq!(silent.read_to_end(&mut heard).await.expect("closed by us"), 0);
    });
    assert_eq!((listener.refused(), listener.connections()), (1, 0));
}

#[test]
fn the_doctor_sees_how_long_a_certificate_lasts_and_which_key_does_not_fit() {
    let authority = Authority::new();
    let lasts =
        |year| examine(&authority.files(authority.sign("ours", &["a.example"], year), ClientCertificates::None));
    assert_eq!(lasts(2099).expect("usable"), Lasts::Long);
    assert_eq!(lasts(2021).expect("usable"), Lasts::Expired);
    let (certificate, _) = authority.sign("ours", &["a.example"], 2099);
    let (_, key) = authority.sign("other", &["a.example"], 2099);
    let error = examine(&authority.files((certificate, key), ClientCertificates::None)).expect_err("another's key");
    assert!(format!("{error:#}").contains("does not fit"), "{error:#}");
}

/// A client that has bound the address at which we call a PBX, connects to us from there, and shakes hands as `who`; what it
/// reads of a message of ours to that address, and what the switch is told.
fn heard_at_the_address_of_a_pbx(authority: &Authority, who: Option<&Secure>) -> (Vec<u8>, Vec<Input>) {
    let ours = authority.secure("ours", &["127.0.0.1"], ClientCertificates::Asked);
    let (runtime, inbox, listener) = listening(&ours);
    let heard = runtime.block_on(async move {
        let stream = TcpStream::connect(listener.local).await.expect("connected");
        let remote = stream.local_addr().expect("an address");
        ours.expect(BTreeMap::from([(remote, vec!["pbx.example".to_owned()])]));
        let mut stream: Box<dyn Stream> = match who {
            Some(who) => Box::new(who.connect(stream, listener.local).await.expect("shaken").0),
            None => Box::new(stream),
        };
        if who.is_some() {
            // Once it is answered, the handshake is over for both.
            stream.write_all(b"\r\n\r\n").await.expect("written");
            stream.read_exact(&mut [0; 2]).await.expect("answered");
        }
        while listener.connections() == 0 {
            tokio::task::yield_now().await;
        }
        listener.send(Flow { transport: Transport::Tls, local: listener.local, remote, conn: None }, PING.into());
        while listener.connections() > 1 {
            tokio::task::yield_now().await;
        }
        drop(listener);
        let mut heard = Vec::new();
        if who.is_some() {
            // Whoever is cut off without a goodbye has heard what they have heard.
            let _ = stream.read_to_end(&mut heard).await;
        }
        heard
    });
    (heard, inbox.take(Some(crate::time::Instant::ZERO)).expect("open"))
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Stream for S {}

#[test]
fn d58_what_we_send_leaves_on_no_connection_whose_peer_has_not_shown_who_it_is() {
    let authority = Authority::new();
    let other = authority.secure("other", &["other.example"], ClientCertificates::None);
    let nameless = authority.nameless("nobody");
    for who in [None, Some(&nameless), Some(other.as_ref())] {
        let (heard, inputs) = heard_at_the_address_of_a_pbx(&authority, who);
        assert_eq!(heard, b"");
        let lost = inputs.iter().filter(|input| matches!(input, Input::Unreachable { .. })).count();
        assert_eq!(lost, 1, "nobody listens there: {inputs:?}");
    }
    let pbx = authority.secure("pbx", &["PBX.example"], ClientCertificates::None);
    let (heard, _) = heard_at_the_address_of_a_pbx(&authority, Some(&pbx));
    assert_eq!(heard, PING);
}

#[test]
fn d58_silent_connections_of_some_addresses_keep_nobody_else_from_a_handshake() {
    let authority = Authority::new();
    let ours = authority.secure("ours", &["127.0.0.1"], ClientCertificates::None);
    let source = |last: u8| IpAddr::from([192, 0, 2, last]);
    let called = SocketAddr::from(([10, 0, 0, 1], 5061));
    ours.expect(BTreeMap::from([(called, vec!["pbx.example".to_owned()])]));
    let taken: Vec<Room> =
        (0..128).flat_map(|at| [ours.room(source(at % 2)), ours.room(source(2))]).flatten().collect();
    assert_eq!(taken.len(), 48, "sixteen of each address");
    assert!(ours.room(source(3)).is_some());
    let flood: Vec<Room> = (3..255).filter_map(|last| ours.room(source(last))).collect();
    assert_eq!(taken.len() + flood.len(), 192);
    assert!(ours.room(source(255)).is_none(), "strangers have had their share");
    let pbx: Vec<Room> = (0..20).filter_map(|_| ours.room(called.ip())).collect();
    assert_eq!(pbx.len(), 16);
    drop((taken, flood));
    assert!(ours.room(source(0)).is_some());
    drop(pbx);
    assert!(ours.shaking.lock().expect("whole").is_empty());
}
