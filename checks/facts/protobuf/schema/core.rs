use super::meta::OBJECT;
use super::{flag, message, number, shapes, text, time, wrapped};

shapes! {
    NAMESPACE = message(1, "metadata", &OBJECT);

    POD =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &POD_SPEC),
        message(3, "status", &POD_STATUS);

    POD_TEMPLATE =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &POD_SPEC);

    POD_SPEC =
        message(2, "containers", &CONTAINER).list(),
        text(8, "serviceAccountName"),
        text(10, "nodeName"),
        flag(11, "hostNetwork");

    CONTAINER =
        text(1, "name").zero_too(),
        text(2, "image"),
        text(3, "command").list(),
        text(4, "args").list(),
        message(7, "env", &VARIABLE).list(),
        message(19, "envFrom", &VARIABLES).list();

    VARIABLE =
        text(1, "name").zero_too(),
        text(2, "value"),
        message(3, "valueFrom", &SOURCE);

    SOURCE =
        message(3, "configMapKeyRef", &KEY),
        message(4, "secretKeyRef", &KEY);

    /// `ConfigMapKeySelector` and `SecretKeySelector`.
    KEY =
        wrapped(1, "name"),
        text(2, "key").zero_too(),
        flag(3, "optional").zero_too();

    VARIABLES =
        text(1, "prefix"),
        message(2, "configMapRef", &REFERENCE),
        message(3, "secretRef", &REFERENCE);

    /// `ConfigMapEnvSource` and `SecretEnvSource`.
    REFERENCE = wrapped(1, "name");

    POD_STATUS =
        text(1, "phase"),
        message(2, "conditions", &POD_CONDITION).list(),
        text(6, "podIP"),
        time(7, "startTime"),
        message(8, "containerStatuses", &CONTAINER_STATUS).list();

    POD_CONDITION =
        text(1, "type").zero_too(),
        text(2, "status").zero_too(),
        time(4, "lastTransitionTime"),
        text(5, "reason"),
        text(6, "message"),
        number(7, "observedGeneration");

    CONTAINER_STATUS =
        text(1, "name").zero_too(),
        message(2, "state", &CONTAINER_STATE),
        message(3, "lastState", &CONTAINER_STATE),
        flag(4, "ready").zero_too(),
        number(5, "restartCount").zero_too(),
        text(6, "image").zero_too();

    CONTAINER_STATE =
        message(1, "waiting", &WAITING),
        message(2, "running", &RUNNING),
        message(3, "terminated", &TERMINATED);

    WAITING = text(1, "reason"), text(2, "message");

    RUNNING = time(1, "startedAt");

    TERMINATED =
        number(1, "exitCode").zero_too(),
        text(3, "reason"),
        time(6, "finishedAt");

    NODE =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &NODE_SPEC),
        message(3, "status", &NODE_STATUS);

    NODE_SPEC =
        text(3, "providerID"),
        flag(4, "unschedulable"),
        message(5, "taints", &TAINT).list(),
        text(7, "podCIDRs").list();

    TAINT =
        text(1, "key").zero_too(),
        text(2, "value"),
        text(3, "effect").zero_too();

    NODE_STATUS =
        message(4, "conditions", &NODE_CONDITION).list(),
        message(5, "addresses", &NODE_ADDRESS).list(),
        message(6, "daemonEndpoints", &DAEMON_ENDPOINTS),
        message(7, "nodeInfo", &NODE_INFO);

    NODE_CONDITION lacks ["observedGeneration"] =
        text(1, "type").zero_too(),
        text(2, "status").zero_too(),
        time(4, "lastTransitionTime"),
        text(5, "reason"),
        text(6, "message");

    NODE_ADDRESS = text(1, "type").zero_too(), text(2, "address").zero_too();

    DAEMON_ENDPOINTS = message(1, "kubeletEndpoint", &DAEMON_ENDPOINT);

    DAEMON_ENDPOINT = number(1, "Port").zero_too();

    NODE_INFO =
        text(4, "kernelVersion").zero_too(),
        text(5, "osImage").zero_too(),
        text(7, "kubeletVersion").zero_too();

    EVENT =
        message(1, "metadata", &OBJECT),
        message(2, "involvedObject", &INVOLVED_OBJECT),
        text(3, "reason"),
        text(4, "message"),
        message(5, "source", &EVENT_SOURCE),
        time(6, "firstTimestamp"),
        time(7, "lastTimestamp"),
        number(8, "count"),
        text(9, "type"),
        time(10, "eventTime"),
        message(11, "series", &EVENT_SERIES);

    INVOLVED_OBJECT = text(1, "kind"), text(2, "namespace"), text(3, "name");

    EVENT_SOURCE = text(1, "component");

    EVENT_SERIES = time(2, "lastObservedTime");

    SERVICE =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &SERVICE_SPEC),
        message(3, "status", &SERVICE_STATUS);

    SERVICE_SPEC =
        message(1, "ports", &SERVICE_PORT).list(),
        text(4, "type"),
        text(9, "loadBalancerSourceRanges").list(),
        text(11, "externalTrafficPolicy"),
        number(12, "healthCheckNodePort"),
        flag(20, "allocateLoadBalancerNodePorts").zero_too(),
        text(21, "loadBalancerClass").zero_too();

    SERVICE_PORT =
        text(1, "name"),
        text(2, "protocol"),
        number(3, "port").zero_too(),
        number(5, "nodePort");

    SERVICE_STATUS = message(1, "loadBalancer", &LOAD_BALANCER_STATUS);

    LOAD_BALANCER_STATUS = message(1, "ingress", &LOAD_BALANCER_INGRESS).list();

    LOAD_BALANCER_INGRESS =
        text(1, "ip"),
        text(2, "hostname"),
        text(3, "ipMode").zero_too();
}
