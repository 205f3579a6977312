//! What must not be read by who finds the disk: digest HA1s, hashes of PINs and our own keys, sealed under `store.key`.
//!
//! An HA1 is as good as the password in its realm (RFC 8760 section 2.4 keeps that), so it is sealed with
//! ChaCha20-Poly1305; account, realm and algorithm are associated data, so a row can't be moved to another account.
#![allow(clippy::disallowed_methods)] // An edge module: it dates changes of passwords.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use sha2::Sha256;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::sqlite::{connect, micros};
use crate::identity::{PinTag, Pins};
use crate::ids::{ClinicianId, HospitalId};

const KEY_FILE: &str = "store.key";
const PIN_KEY: &str = "pin-key";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// Longest account, realm and password that are taken.
const MAX_FIELD: usize = 256;

/// One account's digest secrets of one realm: lower-case hex of H(account:realm:password), RFC 7616 section 3.4.2.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub account: String,
    pub realm: String,
    pub ha1_md5: String,
    pub ha1_sha256: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}@{}, sealed)", self.account, self.realm)
    }
}

/// A key that never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub [u8; KEY_BYTES]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(sealed)")
    }
}

/// Seals and opens under the data directory's key.
pub(super) struct Vault {
    cipher: ChaCha20Poly1305,
}

impl Vault {
    /// Reads `store.key`, or makes it when the directory has none.
    pub(super) fn open(dir: &Path) -> Result<Vault> {
        let path = dir.join(KEY_FILE);
        let key = match std::fs::read(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == ErrorKind::NotFound => make_key(&path)?,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let mode = std::fs::metadata(&path)?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!("{} can be read by others (mode {:o}); run chmod 600 on it", path.display(), mode & 0o777);
        }
        let Ok(key) = <[u8; KEY_BYTES]>::try_from(key.as_slice()) else {
            bail!("{} is not a key of {KEY_BYTES} bytes", path.display());
        };
        Ok(Vault { cipher: ChaCha20Poly1305::new(&Key::from(key)) })
    }

    fn seal(&self, what: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let payload = Payload { msg: plain, aad: what.as_bytes() };
        let Ok(sealed) = self.cipher.encrypt(&Nonce::from(nonce), payload) else { bail!("cannot seal {what}") };
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn unseal(&self, what: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let Some((nonce, sealed)) = sealed.split_first_chunk::<NONCE_BYTES>() else { bail!("{what} is cut short") };
        let payload = Payload { msg: sealed, aad: what.as_bytes() };
        match self.cipher.decrypt(&Nonce::from(*nonce), payload) {
            Ok(plain) => Ok(plain),
            Err(_) => bail!("{what} cannot be opened with {KEY_FILE}: the key is another one, or the row was changed"),
        }
    }
}

fn make_key(path: &Path) -> Result<Vec<u8>> {
    let mut key = vec![0; KEY_BYTES];
    random(&mut key)?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| anyhow::anyhow!("no randomness from the system: {error}"))
}

/// Sets an account's password, with its audit line in the same transaction. Works beside a running server, which learns
/// of it by its next [`credentials`] (reload).
///
/// # Errors
/// When a field is empty, too long or holds a colon or a control character, or when the store can't be written: then
/// nothing has changed.
pub async fn set_password(dir: &Path, account: &str, realm: &str, password: &str, actor: &str) -> Result<()> {
    for (name, value) in [("account", account), ("realm", realm), ("password", password)] {
        if value.is_empty() || value.len() > MAX_FIELD || value.chars().any(char::is_control) {
            bail!("the {name} must have 1 to {MAX_FIELD} bytes and no control character");
        }
    }
    if account.contains(':') || realm.contains(':') {
        bail!("account and realm may not hold a colon: digest separates them by it");
    }
    let vault = Vault::open(dir)?;
    let text = format!("{account}:{realm}:{password}");
    let md5 = vault.seal(&label(account, realm, "MD5"), hex(&Md5::digest(&text)).as_bytes())?;
    let sha256 = vault.seal(&label(account, realm, "SHA-256"), hex(&Sha256::digest(&text)).as_bytes())?;
    let now = micros(Timestamp::now());
    let mut connection = connect(dir).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(
        "INSERT INTO credentials (account, realm, md5, sha256, changed_us) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (account, realm) DO UPDATE SET
             md5 = excluded.md5, sha256 = excluded.sha256, changed_us = excluded.changed_us",
    )
    .bind(account)
    .bind(realm)
    .bind(md5)
    .bind(sha256)
    .bind(now)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("INSERT INTO audit (at_us, actor, action, object) VALUES (?, ?, 'set-password', ?)")
        .bind(now)
        .bind(actor)
        .bind(format!("{account}@{realm}"))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// All credentials, opened. One that can't be opened is an error: an analyst would be locked out silently.
///
/// # Errors
/// When the store can't be read, or was sealed under another key.
pub async fn credentials(dir: &Path) -> Result<Vec<Credential>> {
    load_credentials(&mut connect(dir).await?, &Vault::open(dir)?).await
}

pub(super) async fn load_credentials(connection: &mut SqliteConnection, vault: &Vault) -> Result<Vec<Credential>> {
    let rows = sqlx::query("SELECT account, realm, md5, sha256 FROM credentials ORDER BY account, realm")
        .fetch_all(connection)
        .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let (account, realm): (String, String) = (row.try_get("account")?, row.try_get("realm")?);
        let open = |algorithm: &str, column: &str| -> Result<String> {
            let sealed: Vec<u8> = row.try_get(column)?;
            Ok(String::from_utf8(vault.unseal(&label(&account, &realm, algorithm), &sealed)?)?)
        };
        let (ha1_md5, ha1_sha256) = (open("MD5", "md5")?, open("SHA-256", "sha256")?);
        found.insert((account.clone(), realm.clone()), Credential { account, realm, ha1_md5, ha1_sha256 });
    }
    Ok(found.into_values().collect())
}

/// The key of the registrar's nonces, kept so that a restart challenges nobody anew.
pub(super) async fn nonce_key(connection: &mut SqliteConnection, vault: &Vault) -> Result<SecretKey> {
    kept_key(connection, vault, "nonce-key").await
}

/// A key of our own: made once, and kept.
async fn kept_key(connection: &mut SqliteConnection, vault: &Vault, name: &str) -> Result<SecretKey> {
    let row =
        sqlx::query("SELECT value FROM secrets WHERE name = ?").bind(name).fetch_optional(&mut *connection).await?;
    if let Some(row) = row {
        let sealed: Vec<u8> = row.try_get(0)?;
        let plain = vault.unseal(name, &sealed)?;
        let Ok(key) = <[u8; KEY_BYTES]>::try_from(plain.as_slice()) else { bail!("{name} has a wrong length") };
        return Ok(SecretKey(key));
    }
    let mut key = [0; KEY_BYTES];
    random(&mut key)?;
    sqlx::query("INSERT INTO secrets (name, value) VALUES (?, ?)")
        .bind(name)
        .bind(vault.seal(name, &key)?)
        .execute(connection)
        .await?;
    Ok(SecretKey(key))
}

// -- PINs -------------------------------------------------------------------------------------------------------------

/// Sets a person's PIN, with its audit line in the same transaction; `None` takes it away. The caller has judged it.
///
/// # Errors
/// When the store can't be written: then nothing has changed.
pub async fn set_pin(
    dir: &Path,
    hospital: &HospitalId,
    person: &ClinicianId,
    pin: Option<&str>,
    actor: &str,
) -> Result<()> {
    let vault = Vault::open(dir)?;
    let mut connection = connect(dir).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let key = kept_key(&mut transaction, &vault, PIN_KEY).await?;
    let now = micros(Timestamp::now());
    match pin {
        Some(pin) => {
            let tag = vault.seal(&pin_label(hospital, person), &Pins::tag(&key.0, hospital, person, pin))?;
            sqlx::query(
                "INSERT INTO pins (hospital, person, tag, changed_us) VALUES (?, ?, ?, ?)
                 ON CONFLICT (hospital, person) DO UPDATE SET tag = excluded.tag, changed_us = excluded.changed_us",
            )
            .bind(hospital.as_str())
            .bind(person.as_str())
            .bind(tag)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        }
        None => {
            let delete = sqlx::query("DELETE FROM pins WHERE hospital = ? AND person = ?");
            delete.bind(hospital.as_str()).bind(person.as_str()).execute(&mut *transaction).await?;
        }
    }
    sqlx::query("INSERT INTO audit (at_us, actor, action, object) VALUES (?, ?, ?, ?)")
        .bind(now)
        .bind(actor)
        .bind(if pin.is_some() { "set-pin" } else { "clear-pin" })
        .bind(format!("person {person} of {hospital}"))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Everybody's PIN, opened.
///
/// # Errors
/// When the store can't be read, or was sealed under another key.
pub async fn pins(dir: &Path) -> Result<Pins> {
    load_pins(&mut connect(dir).await?, &Vault::open(dir)?).await
}

pub(super) async fn load_pins(connection: &mut SqliteConnection, vault: &Vault) -> Result<Pins> {
    let key = kept_key(connection, vault, PIN_KEY).await?;
    let rows = sqlx::query("SELECT hospital, person, tag FROM pins").fetch_all(connection).await?;
    let mut tags = BTreeMap::new();
    for row in rows {
        let (hospital, person): (&str, &str) = (row.try_get("hospital")?, row.try_get("person")?);
        let (hospital, person) = (HospitalId::new(hospital), ClinicianId::new(person));
        let label = pin_label(&hospital, &person);
        let tag = PinTag::try_from(vault.unseal(&label, row.try_get("tag")?)?.as_slice());
        let Ok(tag) = tag else { bail!("{label} has a wrong length") };
        tags.insert((hospital, person), tag);
    }
    Ok(Pins::new(key.0, tags))
}

/// Neither id holds a colon.
fn pin_label(hospital: &HospitalId, person: &ClinicianId) -> String {
    format!("pin:{hospital}:{person}")
}

/// A colon stands in neither account nor realm, so no two rows share a label.
fn label(account: &str, realm: &str, algorithm: &str) -> String {
    format!("{account}:{realm}:{algorithm}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
