//! Certificates of a test: an authority, and what it signs.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Files in PEM: who one is, and whom one believes.
pub struct Papers {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub authority: PathBuf,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// Writes `who.pem`, `who.key` and `who-believes.pem` into `folder`; what was there is replaced.
    pub fn sign(&self, folder: &Path, who: &str, names: &[&str]) -> Papers {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("names");
        // Another subject than its issuer's: some take it for self-signed otherwise.
        params.distinguished_name.push(DnType::CommonName, who);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let write = |file: String, text: &str| {
            let path = folder.join(file);
            fs::write(&path, text).expect("written");
            path
        };
        Papers {
            certificate: write(format!("{who}.pem"), &certificate.pem()),
            key: write(format!("{who}.key"), &key.serialize_pem()),
            authority: write(format!("{who}-believes.pem"), &self.pem),
        }
    }
}
