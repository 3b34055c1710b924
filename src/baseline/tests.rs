use kairos_doctor_checks::engine::Report;

use super::read::of;
use super::{Comparison, State};
use crate::report::samples::{self, view};
use crate::report::{View, json, markdown, terminal};
use crate::suppressions::Suppressed;

fn compared(earlier: &Report, now: &Report) -> Comparison {
    let baseline = of(json::render(earlier, &view(earlier, 80)).as_bytes(), "report.json").unwrap();
    baseline.compare(now, &Suppressed::default()).unwrap()
}

/// k1 has been put right, k2 is as it was, k3 has gone wrong since.
#[test]
fn one_of_two_alike_is_new() {
    let (earlier, mut now) =
        (samples::report(&samples::bundle(&[4, 5, 3])), samples::report(&samples::bundle(&[1, 5, 6])));
    now.generated_at += jiff::SignedDuration::from_hours(27);
    let since = compared(&earlier, &now);
    assert_eq!([State::New, State::Unchanged].map(|state| since.count(state)), [1, 1]);
    let view = View { since: Some(since), ..view(&now, 80) };
    insta::with_settings!({snapshot_path => "../report/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("terminal_since_80", terminal::render(&now, &view));
        insta::assert_snapshot!("markdown_since", markdown::render(&now, &view));
    });
}

#[test]
fn nothing_is_fixed_where_nobody_could_look() {
    let (earlier, blind) = (samples::kubelets(3), samples::blind());
    let since = compared(&earlier, &blind);
    assert_eq!((since.fixed.len(), since.not_comparable.len()), (0, 3));
    let since = compared(&earlier, &samples::healthy());
    assert_eq!((since.fixed.len(), since.not_comparable.len()), (3, 0));
}
