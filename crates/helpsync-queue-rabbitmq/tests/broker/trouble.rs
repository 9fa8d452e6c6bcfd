//! What a network and a broker do.

use std::collections::BTreeSet;
use std::time::Duration;

use helpsync_model::Lane;
use helpsync_queue::conformance::{Harness, dead_letters, message, next, store};
use helpsync_queue::{Health, Origin, PublishOutcome, Queue, QueueError, Refusal};
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeleteOptions};
use test_servers::Proxy;

use crate::fixture::{LATE, fresh, through, url};

/// Publishes until it is stored, as the outbox relay does.
async fn insist(queue: &std::sync::Arc<dyn Queue>, n: i64, lane: Lane) {
    let deadline = tokio::time::Instant::now() + LATE;
    while !queue.publish(&[message(n, lane)]).await[0].is_stored() {
        assert!(tokio::time::Instant::now() < deadline, "never stored");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn behind_a_proxy() -> Option<(Proxy, crate::fixture::Fixture)> {
    let uri: lapin::uri::AMQPUri = url().parse().unwrap();
    let authority = &uri.authority;
    let proxy = Proxy::start(format!("{}:{}", authority.host, authority.port)).await;
    let user = &authority.userinfo;
    let url = format!("amqp://{}:{}@127.0.0.1:{}", user.username, user.password, proxy.port);
    let fixture = through(&url).await?;
    Some((proxy, fixture))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_loses_no_message_and_the_consumer_goes_on() {
    let Some((proxy, fixture)) = behind_a_proxy().await else { return };
    let queue = fixture.port();
    store(&queue, &[message(1, Lane::OnDemand)]).await;
    let mut consumer = queue.consume(Lane::OnDemand, 5).await.unwrap();
    let held = next(&mut consumer).await;

    assert_eq!(proxy.cut(), 2, "one connection publishes, one consumes");
    let deadline = tokio::time::Instant::now() + LATE;
    while fixture.queue.health() == Health::Up {
        assert!(tokio::time::Instant::now() < deadline, "the cut was never noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Either connection may be the one that was noticed. What comes again shows that the consumer's was.
    let again = next(&mut consumer).await;
    assert_eq!((again.id.as_str(), again.redelivered), ("m-1", true));
    let lost = held.ack().await;
    assert!(matches!(lost, Err(QueueError::Lost)), "an ack that went nowhere must say so: {lost:?}");

    again.ack().await.unwrap();
    insist(&queue, 2, Lane::OnDemand).await;
    let second = next(&mut consumer).await;
    assert_eq!(second.id, "m-2");
    second.ack().await.unwrap();
    assert!(fixture.queue.rebuilds() >= 1);
    assert_eq!(fixture.queue.health(), Health::Up);
    fixture.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_stored_is_delivered_though_the_connection_is_cut_again_and_again() {
    const COUNT: i64 = 45;
    let Some((proxy, fixture)) = behind_a_proxy().await else { return };
    let queue = fixture.port();
    let mut consumer = queue.consume(Lane::Backfill, 5).await.unwrap();
    let publisher = queue.clone();
    let publishing = tokio::spawn(async move {
        for n in 0..COUNT {
            insist(&publisher, n, Lane::Backfill).await;
            if n % 10 == 5 {
                proxy.cut();
            }
        }
        proxy
    });
    let mut done = BTreeSet::new();
    while done.len() < usize::try_from(COUNT).unwrap() {
        let delivery = next(&mut consumer).await;
        let id = delivery.id.clone();
        if delivery.ack().await.is_ok() {
            done.insert(id);
        }
    }
    let _proxy = publishing.await.unwrap();
    fixture.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unroutable_message_is_reported_and_the_others_of_its_window_are_not_blamed() {
    let Some(fixture) = fresh().await else { return };
    let queue = fixture.port();
    let scheduled = fixture.queue.names().work(Origin::Lane(Lane::Scheduled));
    fixture.meddler().await.queue_delete(scheduled.into(), QueueDeleteOptions::default()).await.unwrap();
    for round in 0..5 {
        let window: Vec<_> = (0..8)
            .map(|n| message(round * 8 + n, if n % 4 == 1 { Lane::Scheduled } else { Lane::OnDemand }))
            .collect();
        let outcomes = queue.publish(&window).await;
        for (message, outcome) in window.iter().zip(outcomes) {
            let expected = match message.lane() {
                Lane::Scheduled => PublishOutcome::Refused(Refusal::Unroutable),
                _ => PublishOutcome::Stored,
            };
            assert_eq!(outcome, expected, "{}", message.id);
        }
    }
    fixture.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_whose_queue_is_deleted_puts_it_back_and_goes_on() {
    let Some(fixture) = fresh().await else { return };
    let queue = fixture.port();
    let mut consumer = queue.consume(Lane::Scheduled, 1).await.unwrap();
    store(&queue, &[message(1, Lane::Scheduled)]).await;
    next(&mut consumer).await.ack().await.unwrap();
    let name = fixture.queue.names().work(Origin::Lane(Lane::Scheduled));
    fixture.meddler().await.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
    let waiting = tokio::spawn(async move { next(&mut consumer).await });
    insist(&queue, 2, Lane::Scheduled).await;
    let delivery = waiting.await.unwrap();
    assert_eq!(delivery.id, "m-2");
    delivery.ack().await.unwrap();
    fixture.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upstream_requests_arrive_through_the_exchange_and_a_wrong_key_is_caught() {
    let Some(fixture) = fresh().await else { return };
    let names = fixture.queue.names().clone();
    let channel = fixture.meddler().await;
    for (key, body) in [("request", &b"{\"any\":1}"[..]), ("reqest", b"misspelt")] {
        let options = BasicPublishOptions::default();
        let exchange = names.jobs().into();
        let _confirm = channel
            .basic_publish(exchange, key.into(), options, body, BasicProperties::default())
            .await
            .unwrap();
    }
    let mut consumer = fixture.queue.consume_requests(1).unwrap();
    let request = next(&mut consumer).await;
    assert_eq!((request.id.as_str(), request.body.as_slice()), ("", &b"{\"any\":1}"[..]));
    request.dead("no such customer").await.unwrap();
    let letters = dead_letters(&fixture.port(), 1).await;
    assert_eq!((letters[0].origin, letters[0].reason.as_str()), (Origin::Requests, "no such customer"));
    assert!(fixture.queue.replay(&letters[0].id).await.unwrap(), "also without an id of its publisher's");
    next(&mut consumer).await.ack().await.unwrap();

    for body in [&b"one"[..], b"another", b"one"] {
        assert!(fixture.queue.publish_raw(Origin::Requests, "same", body.to_vec()).await.is_stored());
        next(&mut consumer).await.dead("no").await.unwrap();
    }
    let letters = dead_letters(&fixture.port(), 1).await;
    assert!(letters[0].reason.contains("1 other"), "{}", letters[0].reason);
    assert!(fixture.queue.replay("same").await.unwrap(), "an id stands for every message under it");
    let mut bodies = BTreeSet::new();
    for _ in 0..2 {
        let again = next(&mut consumer).await;
        bodies.insert(again.body.clone());
        again.ack().await.unwrap();
    }
    assert_eq!(bodies, [b"another".to_vec(), b"one".to_vec()].into());

    let deadline = tokio::time::Instant::now() + LATE;
    let caught = loop {
        let got = channel.basic_get(names.unrouted().into(), BasicGetOptions { no_ack: true }).await.unwrap();
        if let Some(got) = got {
            break got;
        }
        assert!(tokio::time::Instant::now() < deadline, "the misspelt message is lost");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(caught.data, b"misspelt");
    fixture.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_is_reported_without_the_password_and_refuses_truthfully() {
    let nowhere = "amqp://someone:hunter2@127.0.0.1:1";
    let settings = helpsync_queue_rabbitmq::RabbitSettings::new(nowhere.to_owned().into());
    assert!(!format!("{settings:?}").contains("hunter2"));
    let queue = helpsync_queue_rabbitmq::RabbitQueue::start(
        settings,
        std::sync::Arc::new(helpsync_model::SystemClock),
        std::sync::Arc::new(helpsync_model::OsEntropy),
    )
    .unwrap();
    let outcome = queue.publish(&[message(1, Lane::OnDemand)]).await.remove(0);
    assert!(matches!(outcome, PublishOutcome::Refused(Refusal::Unavailable(_))), "{outcome:?}");
    assert!(matches!(queue.health(), Health::Down(_)));
    assert!(matches!(queue.stats().await, Err(QueueError::Unavailable(_))));
    assert!(matches!(queue.ready(Duration::from_millis(50)).await, Err(QueueError::Timeout { .. })));
    assert!(!format!("{queue:?}").contains("hunter2"));
    // Consuming waits for the broker, and closing does not wait for it.
    let mut consumer = queue.consume(Lane::OnDemand, 1).await.unwrap();
    let waiting = tokio::spawn(async move { consumer.next().await.is_none() });
    tokio::time::timeout(Duration::from_secs(5), queue.close()).await.expect("closing is quick");
    assert!(waiting.await.unwrap());
}
