//! An authority of a test's own, and what it signs.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::{Path, PathBuf};

/// Signs certificates; its own stands in a file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: PathBuf,
}

/// A certificate with its key, each in a file.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(dir: &Path, name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let own = params.self_signed(&key).expect("signed by itself");
        let certificate = write(dir, &format!("{name}.pem"), &own.pem());
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// For these names and addresses.
    pub fn sign(&self, dir: &Path, name: &str, hosts: &[&str]) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let hosts = hosts.iter().map(|host| host.to_string()).collect::<Vec<String>>();
        let mut params = CertificateParams::new(hosts).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        let certificate = write(dir, &format!("{name}.pem"), &signed.pem());
        let key = write(dir, &format!("{name}-key.pem"), &key.serialize_pem());
        Identity { certificate, key }
    }
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("a directory to write to");
    path
}
