use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::{Condition, Meta};
use super::values::Values;
use crate::ObjectRef;

wire! { "camelCase"
    /// A chart that k3s's helm-controller installs.
    pub struct HelmChart {
        pub metadata: Meta,
        pub spec: HelmChartSpec,
        pub status: HelmChartStatus,
    }

    pub struct HelmChartSpec {
        pub chart: Text,
        pub version: Text,
        pub repo: Text,
        pub target_namespace: Text,
        pub bootstrap: bool,
        pub failure_policy: Text,
        pub take_ownership: bool,
        pub values_content: Values,
    }

    pub struct HelmChartStatus {
        pub job_name: Text,
        pub conditions: Vec<Condition>,
    }

    /// Values that helm-controller merges over those of the HelmChart of the same name.
    pub struct HelmChartConfig {
        pub metadata: Meta,
        pub spec: HelmChartConfigSpec,
    }

    pub struct HelmChartConfigSpec {
        pub failure_policy: Text,
        pub values_content: Values,
    }
}

impl Kind for HelmChart {
    const NEED: Need = Need::kubernetes::<HelmChart>(
        "helmcharts",
        Resource::custom("helm.cattle.io", &["v1"], "helmcharts"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("HelmChart")
    }
}

impl Kind for HelmChartConfig {
    const NEED: Need = Need::kubernetes::<HelmChartConfig>(
        "helmchartconfigs",
        Resource::custom("helm.cattle.io", &["v1"], "helmchartconfigs"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("HelmChartConfig")
    }
}

impl HelmChart {
    /// The namespace that helm-controller installs the release into.
    pub fn release_namespace(&self) -> &str {
        match &*self.spec.target_namespace {
            "" => self.metadata.namespace.as_deref().unwrap_or_default(),
            target => target,
        }
    }
}
