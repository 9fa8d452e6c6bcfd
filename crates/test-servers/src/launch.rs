//! How each server is prepared and started.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Service;

/// Makes the folder ready for the first start. An error says what is missing.
pub(crate) fn prepare(service: Service, folder: &Path) -> Result<(), String> {
    match service {
        Service::Redis => Ok(()),
        Service::RabbitMq => std::fs::write(folder.join("plugins"), "[].").map_err(|error| error.to_string()),
        Service::Postgres => {
            let data = folder.join("data");
            std::fs::create_dir(&data).map_err(|error| error.to_string())?;
            if id(&["-u"]) == Some(0) {
                run(Command::new("chown").arg("postgres").arg(folder).arg(&data))?;
            }
            let mut initdb = as_postgres(&postgres(folder, "initdb")?)?;
            run(initdb
                .args(["--no-sync", "--no-instructions", "--auth=trust", "--username=postgres"])
                .args(["--encoding=UTF8", "--locale=C", "-D"])
                .arg(data))
        }
    }
}

/// What starts it. `second_port` is for RabbitMQ's nodes among themselves.
pub(crate) fn command(
    service: Service,
    folder: &Path,
    port: u16,
    second_port: u16,
) -> Result<Command, String> {
    let port = port.to_string();
    Ok(match service {
        Service::Redis => {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
            command
        }
        Service::Postgres => {
            let mut command = as_postgres(&postgres(folder, "postgres")?)?;
            command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port]);
            // The machine stays up, so what was written is there after a crash without waiting for its disks.
            for setting in ["listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off"] {
                command.args(["-c", setting]);
            }
            command
        }
        Service::RabbitMq => {
            let mut command = Command::new(rabbitmq());
            command
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("LANG", "C.UTF-8")
                // The cookie of Erlang's nodes is made here.
                .env("HOME", folder)
                .env("RABBITMQ_NODENAME", format!("helpsync-test-{port}@localhost"))
                .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
                .env("RABBITMQ_NODE_PORT", &port)
                .env("RABBITMQ_DIST_PORT", second_port.to_string())
                .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1");
            for (name, place) in [
                ("RABBITMQ_MNESIA_BASE", "mnesia"),
                ("RABBITMQ_MNESIA_DIR", "mnesia/node"),
                ("RABBITMQ_LOG_BASE", "logs"),
                ("RABBITMQ_PID_FILE", "pid"),
                ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
                ("RABBITMQ_CONFIG_FILE", "no-configuration"),
            ] {
                command.env(name, folder.join(place));
            }
            command
        }
    })
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What `id` says, for example of `-u`.
fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Postgres refuses to run as root: there it runs as its own user.
fn as_postgres(program: &Path) -> Result<Command, String> {
    let mut command = Command::new(program);
    // The present folder need not be readable by that user.
    command.current_dir("/");
    if id(&["-u"]) == Some(0) {
        let user = id(&["-u", "postgres"]).ok_or("root needs a user postgres to run it as")?;
        let group = id(&["-g", "postgres"]).unwrap_or(user);
        command.uid(user).gid(group);
    }
    Ok(command)
}

/// Brings the programs of the package `pgserver`, which can be moved, to where every user may run them.
pub(crate) fn bring_vector(folder: &Path) -> Result<(), String> {
    let python = std::env::var("HELPSYNC_TEST_PYTHON").map_err(|_unset| "HELPSYNC_TEST_PYTHON is not set")?;
    let place = "import importlib.util as u; s = u.find_spec('pgserver'); print(s and s.submodule_search_locations[0])";
    let output = Command::new(&python).args(["-c", place]).output();
    let output = output.map_err(|error| format!("{python}: {error}"))?;
    let package = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !package.join("pginstall").exists() {
        return Err("there is no Python package pgserver".to_owned());
    }
    // The libraries are found beside the package.
    run(Command::new("cp").arg("-R").arg(&package).arg(package.with_extension("libs")).arg(folder))
}

/// A program of PostgreSQL: the one that was brought, or the machine's. Debian keeps servers out of the path.
fn postgres(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let brought = folder.join("pgserver/pginstall/bin").join(name);
    if brought.exists() {
        return Ok(brought);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|path| path.exists());
    found.sort();
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.exists())
    };
    found.pop().or_else(in_path).ok_or_else(|| format!("there is no {name} of PostgreSQL"))
}

/// Debian's wrapper in the path gives up root and moves to another folder; the script behind it does neither.
fn rabbitmq() -> PathBuf {
    let behind = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    if behind.exists() { behind.to_owned() } else { PathBuf::from("rabbitmq-server") }
}
