use super::{map, message, number, shapes, text, time};

shapes! {
    /// `metav1.Status`.
    STATUS = text(3, "message"), text(4, "reason");

    /// `metav1.ObjectMeta`.
    OBJECT =
        text(1, "name"),
        text(3, "namespace"),
        text(5, "uid"),
        number(7, "generation"),
        time(8, "creationTimestamp"),
        time(9, "deletionTimestamp"),
        map(11, "labels"),
        map(12, "annotations"),
        message(13, "ownerReferences", &OWNER).list();

    OWNER =
        text(1, "kind").zero_too(),
        text(3, "name").zero_too(),
        text(4, "uid").zero_too(),
        text(5, "apiVersion").zero_too();
}
