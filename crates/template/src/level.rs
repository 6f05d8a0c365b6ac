//! How grave a line says it is.

use serde::{Deserialize, Serialize};

/// Severity of a log record, in the six classes of OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Finest detail.
    Trace,
    /// For whoever debugs.
    Debug,
    /// The course of things; syslog's notice too.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
    /// The process, or the machine, can't go on; syslog's critical, alert and emergency.
    Fatal,
}

impl Level {
    /// From an OTLP severity number: 1-4 trace, 5-8 debug, 9-12 info, 13-16 warn, 17-20 error, 21-24 fatal.
    /// 0 (unspecified) and everything else is `None`.
    pub fn from_severity_number(number: i32) -> Option<Self> {
        match number {
            1..=4 => Some(Self::Trace),
            5..=8 => Some(Self::Debug),
            9..=12 => Some(Self::Info),
            13..=16 => Some(Self::Warn),
            17..=20 => Some(Self::Error),
            21..=24 => Some(Self::Fatal),
            _ => None,
        }
    }

    /// The least OTLP severity number of its class: what [`Self::from_severity_number`] reads back.
    pub const fn severity_number(self) -> u8 {
        match self {
            Self::Trace => 1,
            Self::Debug => 5,
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
            Self::Fatal => 21,
        }
    }

    /// From a syslog severity (RFC 5424, 6.2.1): 0 emergency to 7 debug.
    pub fn from_syslog(severity: u8) -> Self {
        match severity {
            0..=2 => Self::Fatal,
            3 => Self::Error,
            4 => Self::Warn,
            5 | 6 => Self::Info,
            _ => Self::Debug,
        }
    }

    /// From a word that stands where a level stands; any case. Not for words of free text.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::from_bytes(word.as_bytes())
    }

    pub(crate) fn from_bytes(word: &[u8]) -> Option<Self> {
        if !(3..=11).contains(&word.len()) {
            return None;
        }
        // Most others end here.
        let place = |letter: u8| usize::from((letter | 0x20).wrapping_sub(b'a'));
        let (first, second) = (place(word[0]), place(word[1]));
        if second >= 26 || BEGINNINGS.get(first).is_none_or(|seconds| seconds >> second & 1 == 0) {
            return None;
        }
        let mut lower = [0u8; 11];
        for (to, from) in lower.iter_mut().zip(word) {
            *to = from.to_ascii_lowercase();
        }
        match &lower[..word.len()] {
            b"trace" | b"trc" | b"finest" | b"finer" | b"verbose" | b"silly" => Some(Self::Trace),
            b"debug" | b"dbg" | b"fine" | b"debu" => Some(Self::Debug),
            [b'd', b'e', b'b', b'u', b'g', b'0'..=b'9'] => Some(Self::Debug),
            b"info" | b"inf" | b"information" | b"notice" | b"note" | b"log" | b"informational"
            | b"config" => Some(Self::Info),
            b"warn" | b"warning" | b"wrn" => Some(Self::Warn),
            b"error" | b"err" | b"erro" | b"severe" | b"eror" => Some(Self::Error),
            b"fatal" | b"crit" | b"critical" | b"emerg" | b"emergency" | b"alert" | b"panic" | b"dpanic"
            | b"ftl" | b"failure" => Some(Self::Fatal),
            _ => None,
        }
    }

    /// From the single letter of klog, glog, logcat and others.
    pub fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'V' | b'T' => Some(Self::Trace),
            b'D' => Some(Self::Debug),
            b'I' | b'N' => Some(Self::Info),
            b'W' => Some(Self::Warn),
            b'E' => Some(Self::Error),
            b'F' | b'C' => Some(Self::Fatal),
            _ => None,
        }
    }

    /// From the numbers of bunyan and pino: 10 trace to 60 fatal.
    pub fn from_bunyan(number: u64) -> Option<Self> {
        match number {
            10 => Some(Self::Trace),
            20 => Some(Self::Debug),
            30 => Some(Self::Info),
            40 => Some(Self::Warn),
            50 => Some(Self::Error),
            60 => Some(Self::Fatal),
            _ => None,
        }
    }
}

/// By first letter: the second letters of words for levels, one bit each.
static BEGINNINGS: [u32; 26] = {
    const PAIRS: &[u8] = b"trfifaftvesisededbdpinnolococrwawreremalpa";
    let mut beginnings = [0; 26];
    let mut at = 0;
    while at < PAIRS.len() {
        beginnings[(PAIRS[at] - b'a') as usize] |= 1 << (PAIRS[at + 1] - b'a');
        at += 2;
    }
    beginnings
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_case_are_levels_and_other_words_are_not() {
        assert_eq!(Level::from_word("INFO"), Some(Level::Info));
        assert_eq!(Level::from_word("Warning"), Some(Level::Warn));
        assert_eq!(Level::from_word("SEVERE"), Some(Level::Error));
        assert_eq!(Level::from_word("informant"), None);
        assert_eq!(Level::from_word("a word that is far too long"), None);
    }

    #[test]
    fn severity_numbers_fall_into_six_classes() {
        assert_eq!(Level::from_severity_number(0), None);
        assert_eq!(Level::from_severity_number(9), Some(Level::Info));
        assert_eq!(Level::from_severity_number(17), Some(Level::Error));
        assert_eq!(Level::from_severity_number(25), None);
    }
}
