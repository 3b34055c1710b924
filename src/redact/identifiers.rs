//! UIDs, Hetzner's IDs and certificates' fingerprints: each becomes a number of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::key::{cluster_pseudonym, cluster_uid};
use super::text::strings;

#[derive(Default)]
pub struct Identifiers {
    /// UIDs and fingerprints, and the names that HCCM makes of UIDs.
    pub names: HashMap<String, String>,
    pub ids: BTreeMap<i64, i64>,
    /// The moments in the names of k3s's certificate authorities, `k3s-server-ca@1699999999`: one finds the cluster by them.
    pub authorities: BTreeMap<String, String>,
    pub count: usize,
}

impl Identifiers {
    pub fn of(bundle: &Value) -> Identifiers {
        let mut all = Identifiers::default();
        let mut uids = BTreeSet::new();
        let mut ids: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
        let mut fingerprints = BTreeSet::new();
        let mut moments = BTreeSet::new();
        for (key, items) in bundle["parts"].as_object().into_iter().flatten() {
            for item in items.as_array().into_iter().flatten() {
                uids.extend(item["metadata"]["uid"].as_str());
                let owners = item["metadata"]["ownerReferences"].as_array();
                uids.extend(owners.into_iter().flatten().filter_map(|o| o["uid"].as_str()));
                fingerprints.extend(item["certificate"]["fingerprint"].as_str());
                for name in ["subject", "issuer"] {
                    moments.extend(item["certificate"][name].as_str().and_then(moment));
                }
                if key.starts_with("hcloud.") {
                    uids.extend(item["labels"]["hcloud-ccm/service-uid"].as_str());
                    ids.entry(key).or_default().extend(item["id"].as_i64());
                }
            }
        }
        // a server that the token does not show, a dedicated one, one that is gone
        strings(bundle, &mut |text| ids.entry("").or_default().extend(provider_ids(text)));
        if let Some(uid) = cluster_uid(bundle) {
            all.take(uid, cluster_pseudonym(uid));
            uids.remove(uid);
        }
        for (n, uid) in uids.into_iter().filter(|uid| uid.len() >= 8).enumerate() {
            all.take(uid, format!("{:08x}-0000-4000-8000-000000000000", n + 1));
        }
        for (n, fingerprint) in fingerprints.into_iter().filter(|f| f.len() >= 8).enumerate() {
            all.names.insert(fingerprint.to_string(), format!("{:064x}", n + 1));
            all.count += 1;
        }
        for (n, moment) in moments.into_iter().enumerate() {
            all.authorities.insert(moment.to_string(), (1_000_000_001 + n).to_string());
            all.count += 1;
        }
        // Each kind counts from a number of its own, so that what else was read does not matter.
        for (kind, ids) in ids.into_iter().rev() {
            let base = match kind {
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
