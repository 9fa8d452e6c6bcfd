//! The suite that every queue passes: [`queue_conformance!`](crate::queue_conformance) makes one test of each rule.
#![expect(clippy::unwrap_used, reason = "a suite of tests: a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use helpsync_model::{Job, Lane, RunId, SCHEMA_VERSION, ShardId, ShardKind};

use crate::{
    Consumer, DELIVERY_LIMIT, DeadLetter, Delivery, Health, Message, Origin, PublishOutcome, Queue,
    QueueError, REASON_DELIVERY_LIMIT, Refusal,
};

/// Long enough for any machine; only failing tests wait it out.
const LATE: Duration = Duration::from_secs(20);
/// What has not come after this does not come: for checks that nothing is delivered.
const QUIET: Duration = Duration::from_millis(250);

/// A backend under test: a fresh, empty queue with small bounds.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The queue.
    fn queue(&self) -> Arc<dyn Queue>;
    /// Publishes any bytes into a lane, past the port.
    async fn publish_raw(&self, lane: Lane, id: &str, body: &[u8]);
    /// Messages after which a lane is surely full. Brokers overshoot their bound by a little.
    fn surely_full(&self) -> usize;
    /// Leaves nothing behind.
    async fn clean_up(&self);
}

/// Makes one `#[tokio::test]` of each rule. `$make` is an async function without arguments that gives an
/// `Option<impl Harness>`; `None` skips (it says why itself).
#[macro_export]
macro_rules! queue_conformance {
    ($make:path) => {
        $crate::queue_conformance!(@each $make:
            an_acknowledged_message_never_comes_again, a_dropped_delivery_comes_back, a_released_delivery_comes_back,
            a_message_that_keeps_being_lost_is_dead_lettered, a_dead_letter_keeps_reason_origin_and_body,
            a_replayed_dead_letter_is_delivered_as_new, a_discarded_dead_letter_is_gone,
            dead_letters_are_paged_oldest_first, a_full_lane_refuses_and_loses_nothing,
            a_consumer_holds_no_more_than_its_prefetch, lanes_do_not_wait_for_each_other,
            publishing_an_id_twice_is_harmless, a_malformed_body_is_delivered_and_can_be_dead_lettered,
            concurrent_consumers_get_disjoint_messages, a_trace_travels_with_the_message,
            a_cancelled_wait_loses_nothing, stats_count_waiting_and_unsettled_messages,
            closing_ends_consumers_and_refuses_messages,
        );
    };
    (@each $make:path: $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(harness) = $make().await else { return };
                $crate::conformance::$name(&harness).await;
                $crate::conformance::Harness::clean_up(&harness).await;
            }
        )+
    };
}

/// A message for shard `n` in `lane`, with id `m-n`.
#[must_use]
pub fn message(n: i64, lane: Lane) -> Message {
    let job =
        Job { schema: SCHEMA_VERSION, shard: ShardId(n), run: RunId(1), kind: ShardKind::WalkExport, lane };
    Message::new(format!("m-{n}"), job)
}

/// The next delivery; fails when none comes.
pub async fn next(consumer: &mut Box<dyn Consumer>) -> Delivery {
    tokio::time::timeout(LATE, consumer.next()).await.expect("a delivery in time").expect("an open queue")
}

/// Publishes and expects all to be stored.
pub async fn store(queue: &Arc<dyn Queue>, messages: &[Message]) {
    let outcomes = queue.publish(messages).await;
    assert_eq!(outcomes, vec![PublishOutcome::Stored; messages.len()]);
}

/// Publishes until all are stored: what a full lane refuses is published again while consumers empty it.
async fn store_in_time(queue: &Arc<dyn Queue>, mut messages: Vec<Message>) {
    let storing = async {
        while !messages.is_empty() {
            let mut outcomes = queue.publish(&messages).await.into_iter();
            messages.retain(|_| match outcomes.next() {
                Some(PublishOutcome::Refused(Refusal::Full)) => true,
                outcome => {
                    assert_eq!(outcome, Some(PublishOutcome::Stored));
                    false
                }
            });
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LATE, storing).await.expect("room in time");
}

async fn nothing_comes(consumer: &mut Box<dyn Consumer>) {
    let more = tokio::time::timeout(QUIET, consumer.next()).await;
    assert!(more.is_err(), "unexpected delivery: {more:?}");
}

/// Waits until the dead-letter list has `count` entries: brokers move dead letters in their own time.
pub async fn dead_letters(queue: &Arc<dyn Queue>, count: usize) -> Vec<DeadLetter> {
    let deadline = tokio::time::Instant::now() + LATE;
    loop {
        let letters = queue.dead_letters(100, None).await.expect("dead letters");
        if letters.len() == count {
            return letters;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{count} dead letters expected, there are {letters:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn wait_ready(queue: &Arc<dyn Queue>, lane: Lane, ready: u64) {
    let deadline = tokio::time::Instant::now() + LATE;
    loop {
        let stats = queue.stats().await.expect("stats");
        if stats.lanes[&lane].ready == ready {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{ready} ready in {lane} expected: {stats:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Rule: ack = never again, also for a later consumer.
pub async fn an_acknowledged_message_never_comes_again(harness: &impl Harness) {
    let queue = harness.queue();
    store(&queue, &[message(1, Lane::OnDemand)]).await;
    let mut consumer = queue.consume(Lane::OnDemand, 5).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!((delivery.id.as_str(), delivery.job().unwrap()), ("m-1", message(1, Lane::OnDemand).job));
    assert!(!delivery.redelivered);
    delivery.ack().await.unwrap();
    nothing_comes(&mut consumer).await;
    drop(consumer);
    nothing_comes(&mut queue.consume(Lane::OnDemand, 5).await.unwrap()).await;
}

/// Rule: dropped unsettled = comes back.
pub async fn a_dropped_delivery_comes_back(harness: &impl Harness) {
    let queue = harness.queue();
    store(&queue, &[message(1, Lane::Backfill)]).await;
    let mut consumer = queue.consume(Lane::Backfill, 1).await.unwrap();
    drop(next(&mut consumer).await);
    let again = next(&mut consumer).await;
    assert!(again.redelivered);
    assert_eq!(again.id, "m-1");
    again.ack().await.unwrap();
}

/// Rule: released = comes back at once, to anybody.
pub async fn a_released_delivery_comes_back(harness: &impl Harness) {
    let queue = harness.queue();
    store(&queue, &[message(1, Lane::Scheduled)]).await;
    let mut first = queue.consume(Lane::Scheduled, 1).await.unwrap();
    let delivery = next(&mut first).await;
    let mut second = queue.consume(Lane::Scheduled, 1).await.unwrap();
    delivery.release().await.unwrap();
    let again = tokio::select! {
        again = next(&mut first) => again,
        again = next(&mut second) => again,
    };
    assert!(again.redelivered);
    again.ack().await.unwrap();
}

/// Rule: at most `DELIVERY_LIMIT + 1` deliveries of a message that nobody settles.
pub async fn a_message_that_keeps_being_lost_is_dead_lettered(harness: &impl Harness) {
    let queue = harness.queue();
    store(&queue, &[message(1, Lane::OnDemand)]).await;
    let mut consumer = queue.consume(Lane::OnDemand, 1).await.unwrap();
    for _ in 0..=DELIVERY_LIMIT {
        drop(next(&mut consumer).await);
    }
    let letters = dead_letters(&queue, 1).await;
    assert_eq!((letters[0].id.as_str(), letters[0].reason.as_str()), ("m-1", REASON_DELIVERY_LIMIT));
    assert_eq!(letters[0].origin, Origin::Lane(Lane::OnDemand));
    nothing_comes(&mut consumer).await;
}

/// Rule: a dead letter says what it was, where, and why.
pub async fn a_dead_letter_keeps_reason_origin_and_body(harness: &impl Harness) {
    let queue = harness.queue();
    let sent = message(7, Lane::Scheduled);
    store(&queue, std::slice::from_ref(&sent)).await;
    let mut consumer = queue.consume(Lane::Scheduled, 1).await.unwrap();
    next(&mut consumer).await.dead("the shard is no more: größer").await.unwrap();
    nothing_comes(&mut consumer).await;
    let letters = dead_letters(&queue, 1).await;
    assert_eq!(letters[0].id, "m-7");
    assert_eq!(letters[0].reason, "the shard is no more: größer");
    assert_eq!(letters[0].origin, Origin::Lane(Lane::Scheduled));
    assert_eq!(letters[0].body, sent.job.to_bytes());
    // Looking does not take away.
    assert_eq!(dead_letters(&queue, 1).await, letters);
}

/// Rule: replay = back in its lane, out of the list.
pub async fn a_replayed_dead_letter_is_delivered_as_new(harness: &impl Harness) {
    let queue = harness.queue();
    store(&queue, &[message(1, Lane::Scheduled), message(2, Lane::Scheduled)]).await;
    let mut consumer = queue.consume(Lane::Scheduled, 2).await.unwrap();
    next(&mut consumer).await.dead("one").await.unwrap();
    next(&mut consumer).await.dead("two").await.unwrap();
    dead_letters(&queue, 2).await;
    assert!(queue.replay("m-2").await.unwrap());
    let again = next(&mut consumer).await;
    assert_eq!((again.id.as_str(), again.returns.unwrap_or(0), again.redelivered), ("m-2", 0, false));
    again.ack().await.unwrap();
    let left = dead_letters(&queue, 1).await;
    assert_eq!(left[0].id, "m-1");
    assert!(!queue.replay("m-2").await.unwrap(), "it has left the list");
}

/// Rule: discard = gone, others stay, those of other owners too.
pub async fn a_discarded_dead_letter_is_gone(harness: &impl Harness) {
    let queue = harness.queue();
    store(&queue, &[message(1, Lane::OnDemand), message(2, Lane::OnDemand)]).await;
    let mut consumer = queue.consume(Lane::OnDemand, 2).await.unwrap();
    next(&mut consumer).await.dead("one").await.unwrap();
    next(&mut consumer).await.dead("two").await.unwrap();
    dead_letters(&queue, 2).await;
    // An id alone names nothing: what is not one's own stays.
    let owned = |letter: &DeadLetter| letter.reason == "one";
    assert!(!queue.discard_of(&owned, "m-2").await.unwrap());
    assert!(!queue.replay_of(&owned, "m-2").await.unwrap());
    assert_eq!(queue.dead_letters_of(&owned, 9, None).await.unwrap().len(), 1);
    assert!(queue.discard_of(&owned, "m-1").await.unwrap());
    assert_eq!(dead_letters(&queue, 1).await[0].id, "m-2");
    assert!(!queue.discard("m-1").await.unwrap());
    assert!(!queue.discard("never was").await.unwrap());
    nothing_comes(&mut consumer).await;
}

/// Rule: the list is read in pages.
pub async fn dead_letters_are_paged_oldest_first(harness: &impl Harness) {
    let queue = harness.queue();
    let mut consumer = queue.consume(Lane::OnDemand, 1).await.unwrap();
    for n in 1..=5 {
        store(&queue, &[message(n, Lane::OnDemand)]).await;
        next(&mut consumer).await.dead("no").await.unwrap();
        dead_letters(&queue, usize::try_from(n).unwrap()).await;
    }
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = queue.dead_letters(2, after.as_deref()).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|letter| letter.id));
    }
    assert_eq!(seen, ["m-1", "m-2", "m-3", "m-4", "m-5"]);
}

/// Rule: a refusal is said, and what was said to be stored is delivered.
pub async fn a_full_lane_refuses_and_loses_nothing(harness: &impl Harness) {
    let queue = harness.queue();
    let mut stored = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for n in 0..harness.surely_full() {
        let sent = message(i64::try_from(n).unwrap(), Lane::Backfill);
        match queue.publish(std::slice::from_ref(&sent)).await.remove(0) {
            PublishOutcome::Stored => stored.insert(sent.id),
            PublishOutcome::Refused(Refusal::Full) => refused.insert(sent.id),
            other => panic!("{other:?}"),
        };
    }
    assert!(!stored.is_empty() && !refused.is_empty(), "{} stored, {} refused", stored.len(), refused.len());
    store(&queue, &[message(1_000, Lane::OnDemand)]).await; // other lanes have room
    let mut consumer = queue.consume(Lane::Backfill, 10).await.unwrap();
    let mut came = BTreeSet::new();
    while came.len() < stored.len() {
        let delivery = next(&mut consumer).await;
        came.insert(delivery.id.clone());
        delivery.ack().await.unwrap();
    }
    assert_eq!(came, stored);
    store(&queue, &[message(2_000, Lane::Backfill)]).await; // and there is room again
}

/// Rule: the prefetch bound is reached and respected.
pub async fn a_consumer_holds_no_more_than_its_prefetch(harness: &impl Harness) {
    let queue = harness.queue();
    let messages: Vec<_> = (0..4).map(|n| message(n, Lane::OnDemand)).collect();
    store(&queue, &messages).await;
    let mut consumer = queue.consume(Lane::OnDemand, 2).await.unwrap();
    let first = next(&mut consumer).await;
    let second = next(&mut consumer).await;
    nothing_comes(&mut consumer).await;
    first.ack().await.unwrap();
    let third = next(&mut consumer).await;
    nothing_comes(&mut consumer).await;
    second.ack().await.unwrap();
    third.ack().await.unwrap();
    next(&mut consumer).await.ack().await.unwrap();
}

/// Rule: a stuck lane stops only itself.
pub async fn lanes_do_not_wait_for_each_other(harness: &impl Harness) {
    let queue = harness.queue();
    store(&queue, &[message(1, Lane::Backfill), message(2, Lane::Backfill)]).await;
    let mut backfill = queue.consume(Lane::Backfill, 1).await.unwrap();
    let stuck = next(&mut backfill).await;
    for lane in [Lane::OnDemand, Lane::Scheduled] {
        store(&queue, &[message(3, lane)]).await;
        let mut consumer = queue.consume(lane, 1).await.unwrap();
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.job().unwrap().lane, lane);
        delivery.ack().await.unwrap();
    }
    stuck.ack().await.unwrap();
    next(&mut backfill).await.ack().await.unwrap();
}

/// Rule: one id twice = delivered once or twice, then done.
pub async fn publishing_an_id_twice_is_harmless(harness: &impl Harness) {
    let queue = harness.queue();
    store(&queue, &[message(1, Lane::OnDemand), message(1, Lane::OnDemand)]).await;
    let mut consumer = queue.consume(Lane::OnDemand, 5).await.unwrap();
    next(&mut consumer).await.ack().await.unwrap();
    if let Ok(second) = tokio::time::timeout(QUIET, consumer.next()).await {
        let second = second.unwrap();
        assert_eq!(second.id, "m-1");
        second.ack().await.unwrap();
    }
    nothing_comes(&mut consumer).await;
}

/// Rule: nobody is spared foreign bytes, and nobody is stopped by them.
pub async fn a_malformed_body_is_delivered_and_can_be_dead_lettered(harness: &impl Harness) {
    let queue = harness.queue();
    harness.publish_raw(Lane::OnDemand, "bad", b"{\"schema\": \xff").await;
    store(&queue, &[message(1, Lane::OnDemand)]).await;
    let mut consumer = queue.consume(Lane::OnDemand, 1).await.unwrap();
    let bad = next(&mut consumer).await;
    assert!(bad.job().is_err());
    bad.dead("malformed").await.unwrap();
    next(&mut consumer).await.ack().await.unwrap();
    let letters = dead_letters(&queue, 1).await;
    assert_eq!((letters[0].id.as_str(), letters[0].body.as_slice()), ("bad", &b"{\"schema\": \xff"[..]));
}

/// Rule: consumers of a lane share, they do not copy.
pub async fn concurrent_consumers_get_disjoint_messages(harness: &impl Harness) {
    const COUNT: usize = 40;
    const CONSUMERS: usize = 8;
    let queue = harness.queue();
    let (seen, mut all) = tokio::sync::mpsc::channel(COUNT * 2);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONSUMERS {
        let mut consumer = queue.consume(Lane::Scheduled, 3).await.unwrap();
        let seen = seen.clone();
        tasks.spawn(async move {
            while let Some(delivery) = consumer.next().await {
                let id = delivery.id.clone();
                delivery.ack().await.unwrap();
                if seen.send(id).await.is_err() {
                    return;
                }
            }
        });
    }
    for start in (0..COUNT).step_by(4) {
        let batch: Vec<_> =
            (start..start + 4).map(|n| message(i64::try_from(n).unwrap(), Lane::Scheduled)).collect();
        store_in_time(&queue, batch).await;
    }
    let mut ids = BTreeSet::new();
    for _ in 0..COUNT {
        let id = tokio::time::timeout(LATE, all.recv()).await.expect("all messages in time").unwrap();
        assert!(ids.insert(id.clone()), "{id} came twice");
    }
    tasks.shutdown().await;
}

/// Rule: the publisher's trace context arrives.
pub async fn a_trace_travels_with_the_message(harness: &impl Harness) {
    let queue = harness.queue();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let sent = Message { traceparent: Some(trace.to_owned()), ..message(1, Lane::OnDemand) };
    store(&queue, &[sent]).await;
    let delivery = next(&mut queue.consume(Lane::OnDemand, 1).await.unwrap()).await;
    assert_eq!(delivery.traceparent.as_deref(), Some(trace));
    delivery.ack().await.unwrap();
}

/// Rule: `next` is cancel-safe.
pub async fn a_cancelled_wait_loses_nothing(harness: &impl Harness) {
    let queue = harness.queue();
    let mut consumer = queue.consume(Lane::OnDemand, 1).await.unwrap();
    for n in 0..20 {
        for _ in 0..3 {
            let cut = tokio::time::timeout(Duration::from_micros(300), consumer.next()).await;
            assert!(cut.is_err(), "nothing was published: {cut:?}");
        }
        store(&queue, &[message(n, Lane::OnDemand)]).await;
        let mut waits = 0;
        let delivery = loop {
            waits += 1;
            assert!(waits < 10_000, "the message never came");
            if let Ok(delivery) = tokio::time::timeout(Duration::from_millis(2), consumer.next()).await {
                break delivery.unwrap();
            }
        };
        assert_eq!(delivery.id, format!("m-{n}"));
        delivery.ack().await.unwrap();
    }
}

/// Rule: stats tell the truth.
pub async fn stats_count_waiting_and_unsettled_messages(harness: &impl Harness) {
    let queue = harness.queue();
    assert_eq!(queue.health(), Health::Up);
    store(&queue, &(0..3).map(|n| message(n, Lane::Backfill)).collect::<Vec<_>>()).await;
    wait_ready(&queue, Lane::Backfill, 3).await;
    let mut consumer = queue.consume(Lane::Backfill, 1).await.unwrap();
    let held = next(&mut consumer).await;
    wait_ready(&queue, Lane::Backfill, 2).await;
    let stats = queue.stats().await.unwrap();
    assert_eq!(stats.lanes[&Lane::Backfill].unsettled, 1);
    assert_eq!(stats.lanes[&Lane::OnDemand].ready, 0);
    assert_eq!(stats.dead, 0);
    held.dead("no").await.unwrap();
    dead_letters(&queue, 1).await;
    assert_eq!(queue.stats().await.unwrap().lanes[&Lane::Backfill].unsettled, 0);
}

/// Rule: close ends everything, and says so.
pub async fn closing_ends_consumers_and_refuses_messages(harness: &impl Harness) {
    let queue = harness.queue();
    let mut consumer = queue.consume(Lane::OnDemand, 1).await.unwrap();
    let waiting = tokio::spawn(async move { consumer.next().await.is_none() });
    tokio::task::yield_now().await;
    queue.close().await;
    queue.close().await;
    assert!(tokio::time::timeout(LATE, waiting).await.expect("the consumer ends").unwrap());
    let outcomes = queue.publish(&[message(1, Lane::OnDemand)]).await;
    assert_eq!(outcomes, [PublishOutcome::Refused(Refusal::Closed)]);
    assert!(matches!(queue.consume(Lane::OnDemand, 1).await, Err(QueueError::Closed)));
    assert!(matches!(queue.health(), Health::Down(_)));
}
