//! Fuzz target: messages of the broker.

use bolero::check;
use fuzz_inputs::Changed;

use crate::{Job, Request};

const SEEDS: [&[u8]; 5] = [
    br#"{"schema":"helpsync.request.v1","customer_id":"ada","organization":"acme","action":"sync","full":true}"#,
    br#"{"schema":"helpsync.request.v1","customer_id":"ada","action":"sync"}"#,
    br#"{"schema":"helpsync.request.v1","customer_id":"ada","action":"resync_article","article_id":360001}"#,
    br#"{"schema":1,"run":1,"shard":2,"lane":"on_demand","kind":"plan"}"#,
    br#"{"schema":1,"run":9,"shard":7,"lane":"backfill","kind":"walk_list"}"#,
];

#[test]
fn messages() {
    assert!(SEEDS[..3].iter().all(|seed| Request::from_bytes(seed).is_ok()));
    assert!(SEEDS[3..].iter().all(|seed| Job::from_bytes(seed).is_ok()));
    check!().with_type::<Changed>().for_each(|changed| {
        let input = changed.of(&SEEDS);
        if let Ok(request) = Request::from_bytes(&input) {
            assert_eq!(
                Request::from_bytes(&request.to_bytes()).unwrap(),
                request,
                "what is read is written and read"
            );
        }
        if let Ok(job) = Job::from_bytes(&input) {
            assert_eq!(Job::from_bytes(&job.to_bytes()).unwrap(), job);
        }
    });
}
