//! UIDs, Hetzner's IDs and certificates' fingerprints: each becomes a number of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::key::cluster_pseudonym;

#[derive(Default)]
pub struct Identifiers {
    /// UIDs and fingerprints, and the names that HCCM makes of UIDs.
    pub names: HashMap<String, String>,
    pub ids: BTreeMap<i64, i64>,
    /// The moments in the names of k3s's certificate authorities, `k3s-server-ca@1699999999`: one finds the cluster by them.
    pub authorities: BTreeMap<String, String>,
    pub count: usize,
}

/// What is found of them, object by object.
#[derive(Default)]
pub struct Found {
    uids: BTreeSet<String>,
    ids: BTreeMap<String, BTreeSet<i64>>,
    fingerprints: BTreeSet<String>,
    moments: BTreeSet<String>,
}

impl Found {
    /// Takes up those of one object of the part with that key.
    pub fn object(&mut self, key: &str, object: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_string);
        self.uids.extend(text(&object["metadata"]["uid"]));
        let owners = object["metadata"]["ownerReferences"].as_array();
        self.uids.extend(owners.into_iter().flatten().filter_map(|owner| text(&owner["uid"])));
        self.fingerprints.extend(text(&object["certificate"]["fingerprint"]));
        for name in ["subject", "issuer"] {
            let moment = object["certificate"][name].as_str().and_then(moment);
            self.moments.extend(moment.map(str::to_string));
        }
        if key.starts_with("hcloud.") {
            self.uids.extend(text(&object["labels"]["hcloud-ccm/service-uid"]));
            self.ids.entry(key.into()).or_default().extend(object["id"].as_i64());
        }
    }

    /// Takes up a server that the token does not show, a dedicated one, one that is gone.
    pub fn text(&mut self, text: &str) {
        if text.contains("://") {
            self.ids.entry(String::new()).or_default().extend(provider_ids(text));
        }
    }
}

impl Identifiers {
    /// A number for each of what was found.
    pub fn of(found: Found, cluster_uid: Option<&str>) -> Identifiers {
        let Found { mut uids, ids, fingerprints, moments } = found;
        let mut all = Identifiers::default();
        if let Some(uid) = cluster_uid {
            all.take(uid, cluster_pseudonym(uid));
            uids.remove(uid);
        }
        for (n, uid) in uids.into_iter().filter(|uid| uid.len() >= 8).enumerate() {
            all.take(&uid, format!("{:08x}-0000-4000-8000-000000000000", n + 1));
        }
        for (n, fingerprint) in fingerprints.into_iter().filter(|f| f.len() >= 8).enumerate() {
            all.names.insert(fingerprint, format!("{:064x}", n + 1));
            all.count += 1;
        }
        for (n, moment) in moments.into_iter().enumerate() {
            all.authorities.insert(moment, (1_000_000_001 + n).to_string());
            all.count += 1;
        }
        // Each kind counts from a number of its own, so that what else was read does not matter.
        for (kind, ids) in ids.into_iter().rev() {
            let base = match &*kind {
                "hcloud.servers" => 1_000_000,
                "hcloud.load_balancers" => 2_000_000,
                "hcloud.networks" => 3_000_000,
                "hcloud.firewalls" => 4_000_000,
                "" => 6_000_000,
                _ => 5_000_000,
            };
            let new: Vec<i64> = ids.into_iter().filter(|id| !all.ids.contains_key(id)).collect();
            all.count += new.len();
            let first = if base == 5_000_000 { base + all.ids.len() as i64 } else { base };
            all.ids.extend(new.into_iter().zip(first + 1..));
        }
        all
    }

    fn take(&mut self, uid: &str, other: String) {
        let name = |uid: &str| format!("a{}", uid.replace('-', "")).chars().take(32).collect::<String>();
        self.names.insert(name(uid), name(&other));
        self.names.insert(uid.to_string(), other);
        self.count += 1;
    }
}

/// The numbers of `hcloud://4711881`, `hcloud://bm-321` and `hrobot://321`.
fn provider_ids(text: &str) -> impl Iterator<Item = i64> {
    let after = ["hcloud://", "hrobot://"].into_iter().flat_map(|scheme| text.split(scheme).skip(1));
    after.filter_map(|rest| {
        let rest = rest.strip_prefix("bm-").unwrap_or(rest);
        rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
    })
}

/// The digits after the `@`.
pub fn moment(name: &str) -> Option<&str> {
    let (_, after) = name.split_once("-ca@")?;
    let digits = &after[..after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())];
    (digits.len() >= 9).then_some(digits)
}
