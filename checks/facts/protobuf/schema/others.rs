//! `discovery.k8s.io/v1`, `networking.k8s.io/v1`, `rbac.authorization.k8s.io/v1` and `storage.k8s.io/v1`.

use super::meta::OBJECT;
use super::{flag, message, shapes, text};

shapes! {
    ENDPOINT_SLICE =
        message(1, "metadata", &OBJECT),
        message(2, "endpoints", &ENDPOINT).list(),
        text(4, "addressType").zero_too();

    ENDPOINT =
        message(2, "conditions", &ENDPOINT_CONDITIONS),
        text(6, "nodeName").zero_too();

    ENDPOINT_CONDITIONS = flag(1, "ready").zero_too();

    INGRESS =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &INGRESS_SPEC);

    INGRESS_SPEC =
        message(2, "tls", &INGRESS_TLS).list(),
        text(4, "ingressClassName").zero_too();

    INGRESS_TLS = text(1, "hosts").list(), text(2, "secretName");

    /// `ClusterRole` and `Role`.
    ROLE =
        message(1, "metadata", &OBJECT),
        message(2, "rules", &RULE).list();

    RULE =
        text(1, "verbs").list(),
        text(2, "apiGroups").list(),
        text(3, "resources").list(),
        text(4, "resourceNames").list();

    /// `ClusterRoleBinding` and `RoleBinding`.
    BINDING =
        message(1, "metadata", &OBJECT),
        message(2, "subjects", &SUBJECT).list(),
        message(3, "roleRef", &ROLE_REFERENCE);

    ROLE_REFERENCE =
        text(1, "apiGroup").zero_too(),
        text(2, "kind").zero_too(),
        text(3, "name").zero_too();

    SUBJECT =
        text(1, "kind").zero_too(),
        text(2, "apiGroup"),
        text(3, "name").zero_too(),
        text(4, "namespace");

    STORAGE_CLASS =
        message(1, "metadata", &OBJECT),
        text(2, "provisioner").zero_too(),
        text(7, "volumeBindingMode").zero_too();

    CSI_DRIVER = message(1, "metadata", &OBJECT);

    CSI_NODE =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &CSI_NODE_SPEC);

    CSI_NODE_SPEC = message(1, "drivers", &CSI_NODE_DRIVER).list();

    CSI_NODE_DRIVER =
        text(1, "name").zero_too(),
        text(2, "nodeID").zero_too(),
        text(3, "topologyKeys").list();
}
