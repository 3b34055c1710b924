//! The secret by which pseudonyms are chosen.
//!
//! It is the cluster's own UID: 122 random bits that nobody knows who cannot read the cluster, and that a redacted report or
//! bundle does not show. So two reports of one cluster agree, and trying all addresses or usual names tells nobody anything.

use ring::{digest, hmac};
use serde_json::Value;

pub struct Key(hmac::Key);

impl Key {
    /// Of a bundle. Where the UID could not be read, everything that was read stands for it: nobody can guess that either,
    /// but then the pseudonyms hold for this one reading.
    pub fn of(bundle: &Value) -> Key {
        let secret = match cluster_uid(bundle) {
            Some(uid) => digest::digest(&digest::SHA256, uid.as_bytes()),
            None => digest::digest(&digest::SHA256, bundle.to_string().as_bytes()),
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

/// The UID of the namespace kube-system, which stands for the cluster.
pub fn cluster_uid(bundle: &Value) -> Option<&str> {
    let namespaces = bundle["parts"]["namespaces"].as_array()?;
    let system = namespaces.iter().find(|n| n["metadata"]["name"] == "kube-system")?;
    system["metadata"]["uid"].as_str().filter(|uid| uid.len() >= 8)
}

/// The pseudonym of the cluster's UID: the same in every report of that cluster. It has the form of a UUID of version 8,
/// which Kubernetes never gives.
pub fn cluster_pseudonym(uid: &str) -> String {
    let secret = digest::digest(&digest::SHA256, uid.as_bytes());
    let number = Key(hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref())).number(&[b"cluster"]);
    let hex = format!("{number:032x}");
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
