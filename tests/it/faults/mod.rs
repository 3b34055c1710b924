//! Each source with each fault, through the program as people run it: what the others say stays, the fault is named in a
//! sentence, nothing is called healthy that was not seen, and the run ends by itself.
//!
//! The table is `docs/faults.md`; `KAIROS_DOCTOR_WRITE_FAULTS=1 cargo test --locked --test it faults::` writes it.

mod cell;
mod judge;
mod list;
mod runs;
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use cell::Cell;
use judge::Baseline;
use runs::{ALONE, against, among_others};

/// So many runs at once: most of them wait most of their time.
const AT_ONCE: usize = 8;

/// On a machine that is busy with other things a run may starve: so many may be made once more, each by itself and with more
/// time, and it is the second one that counts.
const AGAIN: usize = 8;

/// A cluster with something wrong everywhere, and one with nothing wrong at all.
const SICK: &str = "incidents/field-report";
const HEALTHY: &str = "healthy/hcm-cilium-3";

#[test]
fn every_source_can_fail_in_every_way() {
    let cells = list::cells();
    let baselines = [SICK, HEALTHY].map(Baseline::of);
    let jobs: Vec<(&Cell, &Baseline)> =
        cells.iter().flat_map(|c| baselines.iter().map(move |b| (c, b))).collect();
    let judged = |(cell, baseline): (&Cell, &Baseline), timeout| {
        let run = against(baseline.fixture, cell.options(), timeout);
        (baseline.objections(cell, &run), table::Row::of(cell, baseline.fixture, &run))
    };
    let (next, again, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Relaxed)) {
                    match judged(*job, among_others(job.0)) {
                        (objections, row) if objections.is_empty() => rows.lock().unwrap().push(row),
                        (objections, _) => again.lock().unwrap().push((*job, objections)),
                    }
                }
            });
        }
    });
    let (again, mut rows) = (again.into_inner().unwrap(), rows.into_inner().unwrap());
    let mut objections = Vec::new();
    let once_more = again.len() <= AGAIN;
    for (job, first) in again {
        if once_more {
            let (still, row) = judged(job, ALONE);
            objections.extend(still);
            rows.push(row);
        } else {
            objections.extend(first);
        }
    }
    assert!(objections.is_empty(), "{} objections:\n{}", objections.len(), objections.join("\n"));
    table::write_if_asked(&cells, &rows);
    table::hold(&cells, &rows);
}
