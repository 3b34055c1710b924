use super::render;
use crate::report::samples::{self, view};

#[test]
fn snapshots() {
    for (name, report) in [
        ("healthy", samples::healthy()),
        ("pending_service", samples::pending_service()),
        ("blind", samples::blind()),
    ] {
        insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("json_{name}"), render(&report, &view(&report, 80)));
        });
    }
}
