//! Processor time and memory of processes, from /proc.

use std::{fs, io, time::Duration};

use serde::Serialize;

/// Ticks a second of the figures in /proc/PID/stat: USER_HZ, which is 100 on every Linux this runs on.
const TICKS_A_SECOND: u64 = 100;

/// What a process used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Seconds of processor time, its own and the kernel's for it.
    pub cpu_s: f64,
    /// Largest resident memory so far, in bytes.
    pub peak_bytes: u64,
    /// Resident memory now, in bytes.
    pub resident_bytes: u64,
}

impl Usage {
    /// Of a process, since it started.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let cpu = cpu_time(&stat).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self {
            cpu_s: cpu.as_secs_f64(),
            peak_bytes: kibibytes(&status, "VmHWM:") << 10,
            resident_bytes: kibibytes(&status, "VmRSS:") << 10,
        })
    }

    /// Of this process.
    pub fn own() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// What was used since `earlier`; memory stays as it is.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { cpu_s: self.cpu_s - earlier.cpu_s, ..self }
    }
}

/// utime and stime are the 14th and 15th field; the second, the name, may hold spaces and brackets.
fn cpu_time(stat: &str) -> Option<Duration> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

fn kibibytes(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_a_name_with_brackets() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 10 20 30 40 150 50 8 9 20 0 1 0 100 1000 10";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(2)));
        assert!(Usage::own().unwrap().peak_bytes > 0);
    }
}
