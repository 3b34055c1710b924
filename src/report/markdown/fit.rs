//! What is left out of a report that is too long, in which order.

use super::LONGEST;

/// The parts of a report, each whole; and in the shorter form where it has one.
pub struct Parts {
    pub head: String,
    /// The rows of the table, in the order of the findings.
    pub rows: Vec<String>,
    pub told: Vec<Told>,
    /// So many of `told` stand open.
    pub open: usize,
    /// What is gone, what is suppressed and which suppressions do nothing.
    pub prior: String,
    pub gaps: Both,
    pub checks: Both,
}

pub struct Both {
    pub full: String,
    pub brief: String,
}

/// One finding with those that are told with it.
pub struct Told {
    pub text: Both,
    /// How many findings these are.
    pub findings: usize,
}

/// A table of more rows is nobody's overview: these are left out before anything else.
const ROWS: usize = 100;
/// The line that counts what was left out.
const NOTE: usize = 500;

/// How much of each is kept.
struct Kept {
    rows: usize,
    evidence: usize,
    told: usize,
    details: bool,
    answers: bool,
}

impl Parts {
    /// The report, at most [`LONGEST`] characters: what does not fit is left out whole, in a stated order, and counted.
    pub fn fitted(&self) -> String {
        let kept = self.kept();
        let mut out = self.head.clone();
        if kept.rows > 0 {
            out.push_str("| code | severity | what | confidence |\n| --- | --- | --- | --- |\n");
            self.rows[..kept.rows].iter().for_each(|row| out.push_str(row));
            out.push('\n');
        }
        for (i, told) in self.told[..kept.told].iter().enumerate() {
            out.push_str(if i < kept.evidence { &told.text.full } else { &told.text.brief });
        }
        out.push_str(&self.left_out(&kept));
        out.push_str(&self.prior);
        out.push_str(if kept.answers { &self.gaps.full } else { &self.gaps.brief });
        out.push_str(if kept.details { &self.checks.full } else { &self.checks.brief });
        out
    }

    fn kept(&self) -> Kept {
        let all = self.told.len();
        let mut kept = Kept { rows: self.rows.len(), evidence: all, told: all, details: true, answers: true };
        let rows: Vec<usize> = self.rows.iter().map(|row| length(row)).collect();
        let told: Vec<(usize, usize)> =
            self.told.iter().map(|t| (length(&t.text.full), length(&t.text.brief))).collect();
        let mut size =
            length(&self.head) + 80 + rows.iter().sum::<usize>() + told.iter().map(|t| t.0).sum::<usize>();
        size += length(&self.gaps.full) + length(&self.checks.full);
        if size <= LONGEST {
            return kept;
        }
        let most = LONGEST - NOTE;
        let open = self.open.min(all);
        let evidence = |i: usize| told[i].0.saturating_sub(told[i].1);
        drop_last(&mut size, most, &mut kept.rows, ROWS, |i| rows[i]);
        drop_last(&mut size, most, &mut kept.evidence, open, evidence);
        drop_brief(&mut size, most, &mut kept.details, &self.checks);
        drop_last(&mut size, most, &mut kept.told, open, |i| told[i].1);
        drop_brief(&mut size, most, &mut kept.answers, &self.gaps);
        drop_last(&mut size, most, &mut kept.evidence, 0, evidence);
        drop_last(&mut size, most, &mut kept.rows, 0, |i| rows[i]);
        drop_last(&mut size, most, &mut kept.told, 0, |i| told[i].1);
        kept
    }

    fn left_out(&self, kept: &Kept) -> String {
        let mut all = Vec::new();
        let mut count = |n: usize, one: &str, several: &str| {
            if n > 0 {
                all.push(if n == 1 { one.to_string() } else { several.replace('#', &n.to_string()) });
            }
        };
        let untold: usize = self.told[kept.told..].iter().map(|told| told.findings).sum();
        let told = &self.told[..kept.told];
        let bare = told.iter().skip(kept.evidence).filter(|t| t.text.full != t.text.brief).count();
        count(self.rows.len() - kept.rows, "1 row of the table", "# rows of the table");
        count(untold, "what is told of 1 finding", "what is told of # findings");
        count(bare, "the evidence of 1 finding", "the evidence of # findings");
        count(usize::from(!kept.details), "the details of the checks", "");
        count(usize::from(!kept.answers), "all but the first answer of each source", "");
        if all.is_empty() {
            return String::new();
        }
        let all = all.join("; ");
        format!(
            "**Left out**, the lowest ranked first, to stay below 60,000 characters: {all}. `-o json` has all.\n\n"
        )
    }
}

/// Leaves out the last ones, down to `least`, while it is too long.
fn drop_last(size: &mut usize, most: usize, kept: &mut usize, least: usize, length: impl Fn(usize) -> usize) {
    while *size > most && *kept > least {
        *kept -= 1;
        *size -= length(*kept);
    }
}

fn drop_brief(size: &mut usize, most: usize, kept: &mut bool, both: &Both) {
    if *size > most {
        *kept = false;
        *size -= length(&both.full).saturating_sub(length(&both.brief));
    }
}

/// As GitHub counts: characters, not bytes.
fn length(text: &str) -> usize {
    text.chars().count()
}
