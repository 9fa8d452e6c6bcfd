//! A RabbitMQ node of a test's own, with the management plugin, on free ports and in a temporary folder.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use helpsync_model::{Entropy as _, OsEntropy};
use tempfile::TempDir;

use crate::app::until;

/// Where Debian's package keeps the server.
const INSTALLED_IN: &str = "/usr/lib/rabbitmq/lib";

/// A running node. Dropping it kills it.
pub(crate) struct Node {
    child: Child,
    amqp_port: u16,
    api_port: u16,
    _folder: TempDir,
}

/// The server itself: the script in the path changes its user first, who may not read a test's folder.
fn server() -> Option<PathBuf> {
    let releases = std::fs::read_dir(INSTALLED_IN).ok()?;
    releases.filter_map(|it| Some(it.ok()?.path().join("sbin/rabbitmq-server"))).find(|path| path.exists())
}

/// Three ports that are free at the moment.
fn free_ports() -> [u16; 3] {
    [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap()).map(|it| it.local_addr().unwrap().port())
}

impl Node {
    /// Starts it and waits for it.
    pub(crate) async fn start() -> Self {
        let server = server().unwrap_or_else(|| {
            panic!("RabbitMQ is not installed in {INSTALLED_IN}: deploy/dev.sh setup installs it")
        });
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let [amqp_port, distribution_port, api_port] = free_ports();
        let configuration = format!("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {api_port}\n");
        std::fs::write(path("rabbitmq.conf"), configuration).unwrap();
        std::fs::write(path("enabled_plugins"), "[rabbitmq_management].\n").unwrap();
        let log = std::fs::File::create(path("out")).unwrap();
        let child = Command::new(server)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("RABBITMQ_NODENAME", format!("helpsync-{}@localhost", OsEntropy.uuid().simple()))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", amqp_port.to_string())
            .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", path("none"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // The script starts others; as one group they can be ended together.
            .process_group(0)
            .spawn()
            .unwrap();
        let node = Self { child, amqp_port, api_port, _folder: folder };
        let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(5)).build().unwrap();
        until("the node's management API", async || {
            let asked = http.get(format!("{}/api/overview", node.api())).basic_auth("guest", Some("guest"));
            asked.send().await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
        node
    }

    pub(crate) fn amqp(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.amqp_port)
    }

    pub(crate) fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.api_port)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A group that has ended already cannot be killed, and need not be.
        drop(Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status());
        drop(self.child.wait());
    }
}
