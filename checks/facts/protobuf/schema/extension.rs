//! `apiextensions.k8s.io/v1` and `apiregistration.k8s.io/v1`.

use super::meta::OBJECT;
use super::{flag, message, number, shapes, text, time};

shapes! {
    DEFINITION =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &DEFINITION_SPEC),
        message(3, "status", &DEFINITION_STATUS);

    DEFINITION_SPEC =
        text(1, "group").zero_too(),
        message(3, "names", &NAMES),
        message(7, "versions", &VERSION).list();

    NAMES = text(1, "plural").zero_too(), text(4, "kind").zero_too();

    VERSION =
        text(1, "name").zero_too(),
        flag(2, "served").zero_too(),
        flag(3, "storage").zero_too();

    DEFINITION_STATUS =
        message(1, "conditions", &DEFINITION_CONDITION).list(),
        text(3, "storedVersions").list();

    DEFINITION_CONDITION =
        text(1, "type").zero_too(),
        text(2, "status").zero_too(),
        time(3, "lastTransitionTime"),
        text(4, "reason"),
        text(5, "message"),
        number(6, "observedGeneration");

    API_SERVICE =
        message(1, "metadata", &OBJECT),
        message(2, "spec", &API_SERVICE_SPEC),
        message(3, "status", &API_SERVICE_STATUS);

    API_SERVICE_SPEC =
        message(1, "service", &REFERENCE),
        text(2, "group"),
        text(3, "version");

    REFERENCE = text(1, "namespace"), text(2, "name");

    API_SERVICE_STATUS = message(1, "conditions", &API_SERVICE_CONDITION).list();

    API_SERVICE_CONDITION lacks ["observedGeneration"] =
        text(1, "type").zero_too(),
        text(2, "status").zero_too(),
        time(3, "lastTransitionTime"),
        text(4, "reason"),
        text(5, "message");
}
