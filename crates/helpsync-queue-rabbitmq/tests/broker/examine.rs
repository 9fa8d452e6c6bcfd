//! Looking at a broker for `helpsync doctor`: what is missing is told and not made, what is wrong is named.

use helpsync_model::{Entropy as _, OsEntropy};
use helpsync_queue_rabbitmq::{Names, RabbitSettings, delete_topology, examine};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use crate::fixture;

#[tokio::test(flavor = "multi_thread")]
async fn a_look_makes_nothing_and_names_a_queue_with_other_arguments() {
    // One that is ready: this one's names alone are looked at.
    let Some(other) = fixture::fresh().await else { return };
    let prefix = format!("helpsync-test-{}", OsEntropy.uuid().simple());
    let settings = RabbitSettings { prefix: prefix.clone(), ..RabbitSettings::new(fixture::url().into()) };
    let names = Names::new(&prefix);
    let (queues, _) = names.all();
    for _ in 0..2 {
        let exam = examine(&settings).await.unwrap();
        assert_eq!((exam.ready, exam.missing.len(), exam.wrong.len()), (0, queues.len(), 0), "{exam:?}");
    }
    let meddler = other.meddler().await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    meddler.queue_declare(names.dead().into(), durable, FieldTable::default()).await.unwrap();
    let exam = examine(&settings).await.unwrap();
    assert_eq!(exam.wrong.len(), 1, "{exam:?}");
    let (queue, why) = &exam.wrong[0];
    assert!(*queue == names.dead() && why.contains("x-queue-type"), "{why}");
    assert_eq!(exam.missing.len(), queues.len() - 1, "{exam:?}");
    delete_topology(&fixture::url(), &names).await.unwrap();
    helpsync_queue::conformance::Harness::clean_up(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_as_declared_are_ready() {
    let Some(fixture) = fixture::fresh().await else { return };
    let settings = fixture.settings();
    let exam = examine(&settings).await.unwrap();
    assert_eq!((exam.missing.len(), exam.wrong.len()), (0, 0), "{exam:?}");
    assert_eq!(exam.ready, fixture.queue.names().all().0.len());
    helpsync_queue::conformance::Harness::clean_up(&fixture).await;
}
