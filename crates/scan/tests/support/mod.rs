//! What the tests of scans share: logs to be scanned, and scans.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use foreshock_detect::pipeline::Seen;
use foreshock_model::{Finding, Timestamp};
use foreshock_scan::{Progress, ScanError, ScanOptions, Scanned, Source, scan};
use tempfile::TempDir;

pub const START: u64 = 1_760_000_400;

/// xorshift64*: the tests' own noise.
pub struct Noise(pub u64);

impl Noise {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

pub fn time(second: u64) -> String {
    Timestamp::from_secs(START + second).to_rfc3339()
}

/// Three hours of a service; from `trouble` on, two minutes of an error never seen before.
pub fn log(trouble: Option<u64>) -> String {
    let mut noise = Noise(7);
    let mut text = String::new();
    for second in 0..3 * 3600 {
        for _ in 0..noise.below(4) {
            let (at, n) = (time(second), noise.below(10_000));
            match noise.below(10) {
                0 => writeln!(text, "{at} WARN slow query took {n} ms on table orders"),
                1..4 => writeln!(text, "{at} INFO cache hit for key user:{n}"),
                _ => writeln!(text, "{at} INFO request {n} served in {} ms", n % 97),
            }
            .unwrap();
        }
        if trouble.is_some_and(|from| (from..from + 120).contains(&second)) {
            for _ in 0..5 {
                let (at, n) = (time(second), noise.below(250));
                writeln!(text, "{at} ERROR connection to database 10.0.0.{n} refused: too many clients")
                    .unwrap();
            }
        }
    }
    text
}

pub struct Run {
    pub scanned: Scanned,
    pub findings: Vec<Finding>,
    pub last: Progress,
}

impl Run {
    /// The findings without the instance, which is the file's name.
    pub fn unplaced(&self) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        findings.iter_mut().flat_map(|finding| &mut finding.evidence).for_each(|line| line.instance.clear());
        findings
    }

    pub fn templates(&mut self) -> Vec<Row> {
        let mut csv = Vec::new();
        self.scanned.write_templates(&mut csv).unwrap();
        let mut rows = csv::Reader::from_reader(csv.as_slice());
        assert_eq!(rows.headers().unwrap(), vec!["line_no", "template_id", "template"]);
        rows.records()
            .map(|row| {
                let row = row.unwrap();
                Row { line: row[0].parse().unwrap(), id: row[1].to_owned(), template: row[2].to_owned() }
            })
            .collect()
    }
}

/// A row of the table of templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub line: u64,
    pub id: String,
    pub template: String,
}

pub fn try_scan(paths: &[PathBuf]) -> Result<Run, ScanError> {
    scan_with(paths, ScanOptions::default())
}

pub fn scan_with(paths: &[PathBuf], options: ScanOptions) -> Result<Run, ScanError> {
    let sources: Vec<Source> = paths.iter().cloned().map(Source::File).collect();
    let (mut findings, mut last) = (Vec::new(), Progress::default());
    let mut tell = |seen: Seen| {
        findings.extend(seen.findings.into_iter().filter(|finding| !finding.provisional));
        Ok(())
    };
    let scanned = scan(&sources, &options, &mut tell, &mut |progress| last = progress)?;
    Ok(Run { scanned, findings, last })
}

pub fn file(directory: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

pub fn scan_one(path: &Path) -> Run {
    try_scan(&[path.to_owned()]).unwrap()
}
