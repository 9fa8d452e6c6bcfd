//! The three servers, each behind its proxy.

use std::time::Duration;

use test_servers::{Death, OwnServer, Proxy, Service};

use crate::app::named;

/// RabbitMQ starts in some ten seconds on an idle machine.
const START_LATE: Duration = Duration::from_secs(120);

/// A server and the proxy that processes reach it through.
pub(super) struct Served {
    pub(super) server: OwnServer,
    pub(super) proxy: Proxy,
}

/// What an installation stands on.
pub(super) struct Services {
    postgres: Served,
    redis: Served,
    rabbit: Served,
}

impl Services {
    /// Starts all three and waits for them.
    pub(super) async fn start() -> Self {
        let [rabbit, postgres, redis] = [Service::RabbitMq, Service::Postgres, Service::Redis].map(own);
        let services = Self {
            postgres: served(postgres).await,
            redis: served(redis).await,
            rabbit: served(rabbit).await,
        };
        for one in [&services.postgres, &services.redis, &services.rabbit] {
            one.server.answers(START_LATE).await;
        }
        services
    }

    pub(super) fn of(&self, service: Service) -> &Served {
        match service {
            Service::Postgres => &self.postgres,
            Service::Redis => &self.redis,
            Service::RabbitMq => &self.rabbit,
        }
    }

    /// Ends a server, waits, and starts it again with what it had stored.
    pub(super) async fn restart(&mut self, service: Service, death: Death, away: Duration) {
        let server = match service {
            Service::Postgres => &mut self.postgres.server,
            Service::Redis => &mut self.redis.server,
            Service::RabbitMq => &mut self.rabbit.server,
        };
        server.end(death);
        tokio::time::sleep(away).await;
        server.launch();
        server.answers(START_LATE).await;
    }

    /// The settings of a process that reaches everything through the proxies, or (`direct`) past them.
    pub(super) fn settings(&self, direct: bool) -> Vec<(String, String)> {
        let url = |served: &Served| {
            served.server.url(if direct { served.server.port() } else { served.proxy.port })
        };
        vec![
            named("STORE__URL", url(&self.postgres)),
            named("STORE__CONNECTIONS_MAX", "6"),
            named("STORE__ACQUIRE_TIMEOUT_SECONDS", "3"),
            named("SECRETS__KEYS", format!("k1:{}=", "A".repeat(43))),
            named("QUEUE__URL", url(&self.rabbit)),
            named("COORDINATOR__URL", url(&self.redis)),
        ]
    }
}

/// A server of this test's own. A suite that skipped itself would pass without having tested anything.
fn own(service: Service) -> OwnServer {
    OwnServer::start(service)
        .unwrap_or_else(|| panic!("{service:?} cannot be started here: deploy/dev.sh setup installs it"))
}

async fn served(server: OwnServer) -> Served {
    let proxy = Proxy::start(server.address()).await;
    Served { server, proxy }
}
