//! The secret by which pseudonyms are chosen.
//!
//! It is the cluster's own UID: 122 random bits that nobody knows who cannot read the cluster, and that a redacted report or
//! bundle does not show. So two reports of one cluster agree, and trying all addresses or usual names tells nobody anything.

use std::io::{self, Write};

use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::facts::kubernetes::Namespace;
use ring::{digest, hmac};

pub struct Key(hmac::Key);

impl Key {
    /// Of a cluster. Where its UID could not be read, everything that was read stands for it: nobody can guess that either,
    /// but then the pseudonyms hold for this one reading.
    pub fn of(facts: &Facts) -> Key {
        let secret = match cluster_uid(facts) {
            Some(uid) => digest::digest(&digest::SHA256, uid.as_bytes()),
            None => {
                let mut all = Digested(digest::Context::new(&digest::SHA256));
                serde_json::to_writer(&mut all, &facts.bundle()).expect("a digest takes every write");
                all.0.finish()
            }
        };
        Key(hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()))
    }

    /// A number that depends on the secret and on `parts`, and tells nothing of either.
    pub fn number(&self, parts: &[&[u8]]) -> u128 {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let tag = context.sign();
        tag.as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

struct Digested(digest::Context);

impl Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The UID of the namespace kube-system, which stands for the cluster.
pub fn cluster_uid(facts: &Facts) -> Option<&str> {
    let system = facts.all::<Namespace>().ok()?.iter().find(|n| &*n.metadata.name == "kube-system")?;
    Some(&*system.metadata.uid).filter(|uid| uid.len() >= 8)
}

/// The pseudonym of the cluster's UID: the same in every report of that cluster. It has the form of a UUID of version 8,
/// which Kubernetes never gives.
pub fn cluster_pseudonym(uid: &str) -> String {
    let secret = digest::digest(&digest::SHA256, uid.as_bytes());
    let number = Key(hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref())).number(&[b"cluster"]);
    let hex = format!("{number:032x}");
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
