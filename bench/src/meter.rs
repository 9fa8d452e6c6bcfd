//! Clocks. Processor time where one program does the work: other work of the machine changes it little.

use std::time::{Duration, Instant};

/// Linux counts a process's time in steps of this many milliseconds.
const TICK_MILLISECONDS: f64 = 10.0;

/// Processor time of this thread, in milliseconds.
fn thread_milliseconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).unwrap_or_default() / 1e6
}

/// User and system time of a process, in milliseconds; 0 for one that is gone.
fn of_process(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name is in brackets and may hold blanks; the fields behind it are numbered from 3, the times are 14 and 15.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() * TICK_MILLISECONDS
}

/// Processor time of this process and of the database's processes for the store at `url`, in milliseconds.
pub(crate) fn with_database(url: &str) -> f64 {
    // Postgres names the database in the command line of each of its processes; SQLite is in this one.
    let database = url.rsplit('/').next().filter(|_| url.starts_with("postgres"));
    own_milliseconds() + database.map_or(0.0, milliseconds_of)
}

/// Processor time of the database's processes alone, in milliseconds; 0 for SQLite, which is in this one.
pub(crate) fn of_database(url: &str) -> f64 {
    with_database(url) - own_milliseconds()
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// From now on, [`peak_megabytes`] tells of what is held later.
pub(crate) fn forget_peak() -> std::io::Result<()> {
    // Linux's word for the peak.
    std::fs::write("/proc/self/clear_refs", "5")
}

/// The most memory that this process has held, in MB.
pub(crate) fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes = peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default();
    kilobytes * 1_024.0 / 1e6
}

/// Processor time of this process, in milliseconds.
fn own_milliseconds() -> f64 {
    of_process("self")
}

/// Processor time of the processes on this machine whose command line holds `mark`.
fn milliseconds_of(mark: &str) -> f64 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let marked = processes.filter(|process| {
        process.bytes().all(|byte| byte.is_ascii_digit())
            && std::fs::read(format!("/proc/{process}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark))
    });
    marked.map(|process| of_process(&process)).sum()
}

/// The least processor time that `work` took in `rounds` rounds, in milliseconds.
pub(crate) fn best_of(rounds: usize, mut work: impl FnMut() -> usize) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let began = thread_milliseconds();
        std::hint::black_box(work());
        best = best.min(thread_milliseconds() - began);
    }
    best
}

/// How long each of many things took.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Waits for a thing and notes its time.
    pub(crate) async fn of<T>(&mut self, thing: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = thing.await;
        self.0.push(began.elapsed());
        done
    }

    /// Notes a time.
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// How many they are.
    pub(crate) fn count(&self) -> f64 {
        self.0.len() as f64
    }

    /// The time, in milliseconds, within which `percent` of them ended.
    pub(crate) fn within(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    }
}

/// The load averages of this machine.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Its cores.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
