//! What discovery says of resources: their kind, and whether they live in a namespace.

/// (plural, kind, namespaced)
const KINDS: &[(&str, &str, bool)] = &[
    ("apiservices", "APIService", false),
    ("certificaterequests", "CertificateRequest", true),
    ("certificates", "Certificate", true),
    ("challenges", "Challenge", true),
    ("ciliuml2announcementpolicies", "CiliumL2AnnouncementPolicy", false),
    ("ciliumloadbalancerippools", "CiliumLoadBalancerIPPool", false),
    ("ciliumnodes", "CiliumNode", false),
    ("clusterissuers", "ClusterIssuer", false),
    ("clusterrolebindings", "ClusterRoleBinding", false),
    ("clusterroles", "ClusterRole", false),
    ("configmaps", "ConfigMap", true),
    ("csidrivers", "CSIDriver", false),
    ("csinodes", "CSINode", false),
    ("customresourcedefinitions", "CustomResourceDefinition", false),
    ("daemonsets", "DaemonSet", true),
    ("deployments", "Deployment", true),
    ("endpoints", "Endpoints", true),
    ("endpointslices", "EndpointSlice", true),
    ("events", "Event", true),
    ("gatewayclasses", "GatewayClass", false),
    ("gateways", "Gateway", true),
    ("grpcroutes", "GRPCRoute", true),
    ("helmchartconfigs", "HelmChartConfig", true),
    ("helmcharts", "HelmChart", true),
    ("httproutes", "HTTPRoute", true),
    ("ingressclasses", "IngressClass", false),
    ("ingresses", "Ingress", true),
    ("issuers", "Issuer", true),
    ("jobs", "Job", true),
    ("leases", "Lease", true),
    ("namespaces", "Namespace", false),
    ("networkpolicies", "NetworkPolicy", true),
    ("nodes", "Node", false),
    ("orders", "Order", true),
    ("persistentvolumeclaims", "PersistentVolumeClaim", true),
    ("persistentvolumes", "PersistentVolume", false),
    ("plans", "Plan", true),
    ("poddisruptionbudgets", "PodDisruptionBudget", true),
    ("pods", "Pod", true),
    ("referencegrants", "ReferenceGrant", true),
    ("replicasets", "ReplicaSet", true),
    ("rolebindings", "RoleBinding", true),
    ("roles", "Role", true),
    ("services", "Service", true),
    ("statefulsets", "StatefulSet", true),
    ("storageclasses", "StorageClass", false),
    ("tlsroutes", "TLSRoute", true),
    ("volumeattachments", "VolumeAttachment", false),
];

/// The kind of a resource, by its plural, and whether it lives in a namespace.
pub fn kind(plural: &str) -> Option<(&'static str, bool)> {
    KINDS.iter().find(|(known, ..)| *known == plural).map(|(_, kind, namespaced)| (*kind, *namespaced))
}

#[cfg(test)]
mod tests {
    use kairos_doctor_checks::facts::{NEEDS, Origin};

    #[test]
    fn every_need_has_a_kind_here() {
        for need in NEEDS {
            if let Origin::Kubernetes(resource) = need.from {
                assert!(super::kind(resource.plural).is_some(), "add `{}` to KINDS", resource.plural);
            }
        }
    }
}
