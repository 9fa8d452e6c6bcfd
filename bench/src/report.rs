//! The table that is printed.

use std::fmt;
use std::time::Instant;

use crate::meter;

/// One measure beside its baseline, both in the same unit.
#[derive(Debug)]
pub(crate) struct Row {
    /// What of the product was measured.
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    /// What it is compared with.
    pub(crate) bare: String,
    pub(crate) theirs: f64,
    pub(crate) goal: Option<Goal>,
}

/// What a measure is to stay at or below.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// Of the baseline.
    Ratio(f64),
    /// In the unit of the row, on a machine that does nothing else.
    Itself(f64),
}

/// Everything measured so far.
#[derive(Debug)]
pub(crate) struct Report {
    began: Instant,
    rows: Vec<Row>,
    /// Tables of their own, above that of the rows.
    sections: Vec<String>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), rows: Vec::new(), sections: Vec::new() }
    }

    /// Adds a row, and tells of it at once.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("  {}: {:.2} {}, {:.2} of {}", row.what, row.ours, row.unit, row.ratio(), row.bare);
        self.rows.push(row);
    }
}

impl Report {
    /// Adds a table of its own, and tells it at once.
    pub(crate) fn section(&mut self, section: String) {
        eprintln!("{section}");
        self.sections.push(section);
    }
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours / self.theirs
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in &self.sections {
            writeln!(f, "{section}")?;
        }
        if self.rows.is_empty() {
            return self.ends(f);
        }
        writeln!(f, "| what | ours | baseline of the same run | its | ratio | goal |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
        for row in &self.rows {
            let Row { what, unit, ours, bare, theirs, goal } = row;
            let (goal, met) = match goal {
                Some(Goal::Ratio(most)) => (format!("≤ {most}"), row.ratio() <= *most),
                Some(Goal::Itself(most)) => (format!("≤ {most} {unit}"), ours <= most),
                None => (String::new(), true),
            };
            let goal = if met { goal } else { format!("{goal}, missed") };
            let ratio = row.ratio();
            writeln!(f, "| {what} | {ours:.2} {unit} | {bare} | {theirs:.2} {unit} | {ratio:.4} | {goal} |")?;
        }
        self.ends(f)
    }
}

impl Report {
    fn ends(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.began.elapsed().as_secs_f64() / 60.0;
        write!(f, "\n{minutes:.1} minutes, load average {}, {} cores", meter::load(), meter::cores())
    }
}
