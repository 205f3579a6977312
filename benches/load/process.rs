//! What the kernel says of a process: CPU time whole and by thread, and memory.

use std::collections::BTreeMap;
use std::fs;

/// /proc counts in hundredths of a second on every Linux (USER_HZ).
const TICK_MS: f64 = 10.0;

/// CPU time used so far.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// utime + stime of all threads.
    pub cpu_ms: f64,
    /// By thread name; digits at the end are cut, so that workers of a kind are counted together.
    pub threads_ms: BTreeMap<String, f64>,
}

impl Usage {
    pub fn of(pid: u32) -> Usage {
        let mut usage = Usage { cpu_ms: cpu_ms(pid), threads_ms: BTreeMap::new() };
        for task in fs::read_dir(format!("/proc/{pid}/task")).expect("a running process").flatten() {
            // A thread may end between listing and reading.
            let Ok(name) = fs::read_to_string(task.path().join("comm")) else { continue };
            let Some(ns) = run_ns(&task.path().join("schedstat").display().to_string()) else { continue };
            let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
            *usage.threads_ms.entry(name).or_default() += ns / 1e6;
        }
        usage
    }

    pub fn since(&self, earlier: &Usage) -> Usage {
        let before = |name: &String| earlier.threads_ms.get(name).copied().unwrap_or_default();
        Usage {
            cpu_ms: self.cpu_ms - earlier.cpu_ms,
            threads_ms: self.threads_ms.iter().map(|(name, ms)| (name.clone(), ms - before(name))).collect(),
        }
    }
}

fn cpu_ms(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    // The name in brackets may hold spaces; after it, utime and stime are the 12th and 13th fields (proc(5)).
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) * TICK_MS
}

/// Nanoseconds on a CPU, from a schedstat file; None where the kernel keeps none.
fn run_ns(path: &str) -> Option<f64> {
    fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

/// CPU time of the calling thread, µs.
pub fn own_cpu_us() -> f64 {
    run_ns("/proc/thread-self/schedstat").expect("schedstat") / 1e3
}

/// Resident memory, kB.
pub fn memory_kb(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}
