//! `apps/v1` and `batch/v1`.

use super::core::POD_TEMPLATE;
use super::meta::OBJECT;
use super::{message, number, shapes, text, time};

shapes! {
    DEPLOYMENT =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &DEPLOYMENT_SPEC),
        message(3, "status", &DEPLOYMENT_STATUS);

    DEPLOYMENT_SPEC =
        number(1, "replicas").zero_too(),
        message(3, "template", &POD_TEMPLATE),
        message(4, "strategy", &STRATEGY);

    STRATEGY = text(1, "type");

    DEPLOYMENT_STATUS =
        number(1, "observedGeneration"),
        number(2, "replicas"),
        number(3, "updatedReplicas"),
        number(4, "availableReplicas"),
        message(6, "conditions", &DEPLOYMENT_CONDITION).list(),
        number(7, "readyReplicas");

    DEPLOYMENT_CONDITION lacks ["observedGeneration"] =
        text(1, "type").zero_too(),
        text(2, "status").zero_too(),
        text(4, "reason"),
        text(5, "message"),
        time(7, "lastTransitionTime");

    DAEMON_SET =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &DAEMON_SET_SPEC),
        message(3, "status", &DAEMON_SET_STATUS);

    DAEMON_SET_SPEC = message(2, "template", &POD_TEMPLATE);

    DAEMON_SET_STATUS =
        number(3, "desiredNumberScheduled").zero_too(),
        number(4, "numberReady").zero_too(),
        number(6, "updatedNumberScheduled"),
        number(7, "numberAvailable");

    JOB =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &JOB_SPEC),
        message(3, "status", &JOB_STATUS);

    JOB_SPEC =
        message(6, "template", &POD_TEMPLATE),
        number(7, "backoffLimit").zero_too();

    JOB_STATUS =
        message(1, "conditions", &JOB_CONDITION).list(),
        time(2, "startTime"),
        time(3, "completionTime"),
        number(4, "active"),
        number(5, "succeeded"),
        number(6, "failed");

    JOB_CONDITION lacks ["observedGeneration"] =
        text(1, "type").zero_too(),
        text(2, "status").zero_too(),
        time(4, "lastTransitionTime"),
        text(5, "reason"),
        text(6, "message");
}
