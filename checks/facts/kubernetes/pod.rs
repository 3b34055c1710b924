use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::super::wire::{Field, Raw, RawTime, lenient, wire};
use super::super::{Kind, Need, Resource, Shared, Text, Time};
use super::meta::{Condition, Meta};
use super::sanitise;
use crate::ObjectRef;

wire! { "camelCase"
    pub struct Pod {
        pub metadata: Meta,
        pub spec: PodSpec,
        pub status: PodStatus,
    }

    pub struct PodSpec {
        pub node_name: Text,
        pub host_network: bool,
        pub service_account_name: Text,
        pub containers: Shared<Container>,
    }

    pub struct Container {
        pub name: Text,
        pub image: Text,
        pub command: Args,
        pub args: Args,
        pub env: Env,
        pub env_from: Vec<EnvFrom>,
    }

    pub struct EnvVar {
        pub name: Text,
        pub value: Option<Text>,
        pub value_from: Option<EnvSource>,
    }

    pub struct EnvSource {
        pub secret_key_ref: Option<KeyRef>,
        pub config_map_key_ref: Option<KeyRef>,
    }

    pub struct KeyRef {
        pub name: Text,
        pub key: Text,
        pub optional: Option<bool>,
    }

    pub struct EnvFrom {
        pub prefix: Text,
        pub secret_ref: Option<NameRef>,
        pub config_map_ref: Option<NameRef>,
    }

    pub struct NameRef {
        pub name: Text,
    }

    pub struct PodStatus {
        pub phase: Text,
        #[serde(rename = "podIP")]
        pub pod_ip: Text,
        pub start_time: Time,
        pub conditions: PodConditions,
        pub container_statuses: Vec<ContainerStatus>,
    }

    pub struct ContainerStatus {
        pub name: Text,
        pub ready: bool,
        pub restart_count: i64,
        pub image: Text,
        pub state: ContainerState,
        pub last_state: ContainerState,
    }

    pub struct ContainerState {
        // boxed, because tens of thousands of containers run and do neither
        pub waiting: Option<Box<Waiting>>,
        pub running: Option<Running>,
        pub terminated: Option<Box<Terminated>>,
    }

    pub struct Waiting {
        pub reason: Text,
        pub message: Text,
    }

    pub struct Running {
        pub started_at: Time,
    }

    pub struct Terminated {
        pub exit_code: i64,
        pub reason: Text,
        pub finished_at: Time,
    }
}

/// Whether it is ready, and why it has no node: the other conditions follow from those two or say the same. Of the five that
/// every pod has, one is kept of most.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PodConditions(pub Vec<Condition>);

impl<'de> Deserialize<'de> for PodConditions {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<PodConditions, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = PodConditions;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of conditions")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<PodConditions, A::Error> {
                let mut told = Vec::new();
                while let Some(Told(condition)) = all.next_element()? {
                    told.extend(condition);
                }
                Ok(PodConditions(told))
            }
        }
        d.deserialize_seq(V)
    }
}

/// A condition, if it is one that tells something.
struct Told(Option<Condition>);

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Told, D::Error> {
        const FIELDS: &[&str] =
            &["type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"];
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Told;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a condition")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Told, A::Error> {
                let (mut told, mut since) = (Condition::default(), RawTime::None);
                let [mut status, mut reason, mut message] = [const { Raw(Cow::Borrowed("")) }; 3];
                while let Some(Raw(key)) = map.next_key()? {
                    match &*key {
                        "type" => told.r#type = Text::new(&text(&mut map)?.0),
                        "status" => status = text(&mut map)?,
                        "reason" => reason = text(&mut map)?,
                        "message" => message = text(&mut map)?,
                        "lastTransitionTime" => since = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        "observedGeneration" => told.observed_generation = map.next_value()?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                    // It stands first.
                    if !matches!(&*told.r#type, "" | "Ready" | "PodScheduled") {
                        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                        return Ok(Told(None));
                    }
                }
                told.status = Text::new(&status.0);
                let tells = match &*told.r#type {
                    "Ready" => true,
                    "PodScheduled" => told.status != "True",
                    _ => false,
                };
                Ok(Told(tells.then(|| Condition {
                    reason: Text::new(&reason.0),
                    message: Text::new(&message.0),
                    last_transition_time: since.time(),
                    ..told
                })))
            }
        }
        d.deserialize_struct("PodCondition", FIELDS, V)
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Raw<'de>, A::Error> {
    Ok(map.next_value::<Option<_>>()?.unwrap_or_default())
}

impl Field for PodConditions {
    fn tighten(&mut self) {
        self.0.shrink_to_fit();
    }
}

/// A container's variables, by name: see `sanitise`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Env(pub Vec<EnvVar>);

impl<'de> Deserialize<'de> for Env {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Env, D::Error> {
        let all = Vec::<RawVar>::deserialize(d)?;
        let kept = |var: RawVar| {
            // Cleaned before it is judged, so that what was kept would be kept again.
            let name = Text::shared(&var.name.0);
            sanitise::keeps_variable(&name).then(|| EnvVar {
                value: var.value.and_then(|value| sanitise::variable(&name, &Text::new(&value.0))),
                name,
                value_from: var.value_from,
            })
        };
        Ok(Env(all.into_iter().filter_map(kept).collect()))
    }
}

/// A variable as it stands in the answer: most are dropped.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawVar<'a> {
    #[serde(borrow, deserialize_with = "lenient")]
    name: Raw<'a>,
    #[serde(borrow)]
    value: Option<Raw<'a>>,
    value_from: Option<EnvSource>,
}

/// Arguments by flag: see `sanitise`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Args(pub Vec<Text>);

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Args, D::Error> {
        let all = Vec::<Raw>::deserialize(d)?;
        Ok(Args(sanitise::args(all.iter().map(|Raw(arg)| &**arg))))
    }
}

impl Field for Env {
    fn tighten(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl Field for Args {
    fn tighten(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl Kind for Pod {
    const NEED: Need = Need::kubernetes::<Pod>("pods", Resource::core("pods"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Pod")
    }
    fn slim(&mut self) {
        self.metadata.uid = Text::default();
    }
}

impl Pod {
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.0.iter().find(|c| c.r#type == kind)
    }

    pub fn is_ready(&self) -> bool {
        self.metadata.deletion_timestamp.is_none()
            && self.condition("Ready").is_some_and(|c| c.status == "True")
    }

    /// Evicted, failed or completed: none of its containers starts again.
    pub fn is_over(&self) -> bool {
        self.status.phase == "Failed" || self.status.phase == "Succeeded"
    }

    /// How often that container was started again.
    pub fn restarts(&self, container: &str) -> i64 {
        let of = self.status.container_statuses.iter().find(|status| status.name == *container);
        of.map_or(0, |status| status.restart_count)
    }

    pub fn is_running(&self) -> bool {
        self.status.phase == "Running"
    }
}

impl Container {
    pub fn var(&self, name: &str) -> Option<&EnvVar> {
        self.env.0.iter().rev().find(|var| var.name == name)
    }

    /// The value of `--flag=value` or `--flag value`, in `command` or `args`; the last one counts, as in Go's pflag.
    pub fn flag(&self, name: &str) -> Option<&str> {
        let all: Vec<&Text> = self.command.0.iter().chain(&self.args.0).collect();
        let mut found = None;
        for (i, arg) in all.iter().enumerate() {
            let Some(flag) = arg.strip_prefix("--") else { continue };
            match flag.split_once('=') {
                Some((flag, value)) if flag == name => found = Some(value),
                None if flag == name => {
                    let next = all.get(i + 1).filter(|next| !next.starts_with("--"));
                    found = Some(next.map_or("true", |next| next.as_str()));
                }
                _ => {}
            }
        }
        found
    }
}
