//! Real processes of an installation: started, killed, told to stop.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use tempfile::TempDir;

use crate::app::until;
use crate::log::leaked;

/// A folder where the logs of all processes are kept, by process id, for the search after a failure.
const KEEP_LOGS: &str = "HELPSYNC_TEST_KEEP_LOGS";

/// How a line of its log begins that tells of an error; logs that are no terminal's are JSON.
const ERROR_LINE: &str = "\"level\":\"ERROR\"";
/// Whose lines count: the AMQP client tells of every connection that it loses as an error.
const OUR_LINE: &str = "\"target\":\"helpsync";
/// Why a process ends with an error: its exit code tells whether a test expects that.
const END_LINE: &str = " ends\"";

/// A running process. Dropping it kills it, and fails the test if its log has an ERROR line that may not be there, or a
/// secret.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    /// Parts of the ERROR lines that may be there.
    allowed: Vec<String>,
    _folder: TempDir,
}

impl Running {
    /// Starts a binary of the workspace with nothing but `env` in its environment.
    pub(crate) fn start(name: &str, arguments: &[&str], env: &[(String, String)]) -> Self {
        Self::start_from(&binary(name), arguments, env)
    }

    /// Starts this binary.
    pub(crate) fn start_from(binary: &Path, arguments: &[&str], env: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let out = File::create(&log).unwrap();
        let child = Command::new(binary)
            .args(arguments)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        Self { child, log, allowed: Vec::new(), _folder: folder }
    }

    /// ERROR lines with one of these texts in them are no fault: the test takes away what the process stands on.
    pub(crate) fn allowing(mut self, texts: &[&str]) -> Self {
        self.allowed.extend(texts.iter().map(|text| (*text).to_owned()));
        self
    }

    /// The first line that it may not print: of an error, or with a secret.
    fn fault(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let is_fault = |line: &&str| {
            let is_error = line.contains(ERROR_LINE) && line.contains(OUR_LINE) && !line.contains(END_LINE);
            leaked(line).is_some() || (is_error && !self.allowed.iter().any(|text| line.contains(text)))
        };
        text.lines().find(is_fault).map(ToOwned::to_owned)
    }

    /// Waits until it has printed a line with `mark`; what stands behind the mark.
    pub(crate) async fn said(&self, mark: &str) -> String {
        until(&format!("{mark:?} in {}", self.log.display()), async || self.has_said(mark)).await
    }

    /// What stands behind `mark` in the first line that it has printed with it; where that line is JSON, in the same text.
    pub(crate) fn has_said(&self, mark: &str) -> Option<String> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().find_map(|line| {
            let (_, behind) = line.split_once(mark)?;
            let in_json = line.starts_with('{') && !mark.contains('"');
            let end = behind.find('"').filter(|_| in_json).unwrap_or(behind.len());
            Some(behind[..end].trim().to_owned())
        })
    }

    /// All that it has printed so far.
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The last line that it has printed.
    pub(crate) fn last_line(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The most memory that it has ever held, in bytes; Linux tells.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
    }

    /// Time of processors that it has used; Linux tells, in hundredths of a second.
    pub(crate) fn processor_time(&self) -> std::time::Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the name, which may hold anything: the 12th and 13th field are those of user and system.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        std::time::Duration::from_millis(ticks * 10)
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by name, for example `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success(), "kill -{name}");
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn stop(self) -> ExitStatus {
        self.stopped().await.0
    }

    /// As [`Running::stop`], with all that it has printed.
    pub(crate) async fn stopped(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let child = std::sync::Mutex::new(&mut self.child);
        let status = until("the process to stop", async || child.lock().unwrap().try_wait().unwrap()).await;
        (status, std::fs::read_to_string(&self.log).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Ok(folder) = std::env::var(KEEP_LOGS) {
            drop(std::fs::copy(&self.log, Path::new(&folder).join(self.child.id().to_string())));
        }
        let fault = self.fault();
        assert!(
            std::thread::panicking() || fault.is_none(),
            "the test did not expect this line: {}",
            fault.unwrap_or_default()
        );
    }
}

/// Runs a command to its end. No secret may be in what it prints.
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = said(&output);
    assert!(leaked(&text).is_none(), "a secret is printed: {text}");
    output
}

/// All that a command has printed.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `cargo test --workspace` puts the binaries beside the folder of the test binaries.
pub(crate) fn binary(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.exists(), "{} is missing: `cargo build --workspace --bins` makes it", path.display());
    path
}

/// Names a folder with the binaries of the version before, built from its commit.
const VERSION_BEFORE: &str = "HELPSYNC_TEST_VERSION_BEFORE";

/// A binary of the version before; without its folder this version stands in for it, on a schema that grows under it.
pub(crate) fn binary_of_version_before(name: &str) -> PathBuf {
    let Some(folder) = std::env::var_os(VERSION_BEFORE) else { return binary(name) };
    let path = Path::new(&folder).join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::app::API_KEY;

    /// A process that has printed this.
    fn printed(text: &str) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, text).unwrap();
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        Running { child, log, allowed: Vec::new(), _folder: folder }
    }

    #[test]
    fn an_error_line_of_a_process_fails_the_test_unless_it_is_allowed() {
        let line = "{\"level\":\"ERROR\",\"message\":\"it broke\",\"target\":\"helpsync_x\"}\n";
        let ended = |process| catch_unwind(AssertUnwindSafe(|| drop(process)));
        let told = ended(printed(line)).unwrap_err();
        assert!(told.downcast_ref::<String>().unwrap().contains("it broke"));
        assert!(ended(printed(line).allowing(&["it broke"])).is_ok());
        assert!(ended(printed(&line.replace("ERROR", "INFO"))).is_ok());
        let secret = line.replace("ERROR", "INFO").replace("it broke", API_KEY);
        assert!(ended(printed(&secret).allowing(&[API_KEY])).is_err(), "a secret");
        assert!(ended(printed(&line.replace("helpsync_x", "lapin::io_loop"))).is_ok());
    }
}
