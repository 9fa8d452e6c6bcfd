//! The sealing keys: which ring fits a database, and sealing anew.

use std::time::Duration;

use helpsync_model::{KeyRing, SeededEntropy};
use secrecy::ExposeSecret as _;
use sqlx::Row as _;

use crate::db::vault::head;
use crate::testing::{FIRST, TestStore, name_of, stores};
use crate::{OauthClient, ProcessSign, ResealCursor, RingError, SIGNED_FOR_MAX, Store, StoreError};

/// The ring that the stores of the tests are opened with.
fn first() -> KeyRing {
    KeyRing::generate("k1", &SeededEntropy::new(7))
}

/// The same and one more key, which seals.
fn turned() -> KeyRing {
    first().with_new_key("k2", &SeededEntropy::new(8)).unwrap().sealing_with("k2").unwrap()
}

async fn put_clients(store: &TestStore, number: usize) {
    assert_eq!(store.admin().ensure_organization("default").await.unwrap(), FIRST);
    for at in 0..number {
        let client = OauthClient {
            client_id: format!("client-{at:04}"),
            client_secret: Some(format!("secret-{at}").into()),
            redirect_uri: "https://a.example/integrations/zendesk".to_owned(),
        };
        store.admin().put_oauth_clients(FIRST, &[client]).await.unwrap();
    }
}

async fn secret(store: &TestStore, client: &str) -> String {
    let found = store.tokens().oauth_client_named(FIRST, client).await.unwrap().unwrap();
    found.client_secret.unwrap().expose_secret().to_owned()
}

/// How many clients' secrets begin as a key's seals do.
async fn begin_with(store: &TestStore, id: &str, derives: bool) -> usize {
    let rows =
        sqlx::query("select client_secret_sealed from oauth_client").fetch_all(&store.pool).await.unwrap();
    let head = head(id, derives);
    rows.iter().filter(|row| row.get::<Vec<u8>, _>(0).starts_with(&head)).count()
}

/// Everything, step by step; steps and values.
async fn reseal(store: &TestStore) -> (usize, u64, u64) {
    let (mut cursor, mut steps, mut sealed, mut unopened) = (ResealCursor::default(), 0, 0, 0);
    loop {
        let step = store.admin().reseal_some(&mut cursor).await.unwrap();
        steps += 1;
        sealed += step.sealed;
        unopened += step.unopened;
        if step.is_done {
            return (steps, sealed, unopened);
        }
    }
}

#[tokio::test]
async fn a_key_from_before_goes_on_as_it_was_and_its_successor_derives_and_seals_everything_anew_in_steps() {
    for store in stores().await {
        let name = name_of(&store);
        put_clients(&store, 250).await;
        store.admin().take_ring(&first()).await.unwrap();
        put_clients(&store, 251).await;
        assert_eq!(
            begin_with(&store, "k1", false).await,
            251,
            "{name}: processes of the version before read it"
        );

        assert!(store.admin().take_ring(&turned()).await.unwrap());
        assert!(!store.admin().take_ring(&turned()).await.unwrap(), "{name}: nothing new");
        assert_eq!(secret(&store, "client-0007").await, "secret-7");
        let (steps, sealed, unopened) = reseal(&store).await;
        assert_eq!((sealed, unopened), (251, 0), "{name}");
        assert!(steps >= 251 / 100, "{name}: {steps} steps");
        assert_eq!(begin_with(&store, "k2", true).await, 251, "{name}");
        assert_eq!(reseal(&store).await.1, 0, "{name}: a second round finds nothing");
        assert_eq!(secret(&store, "client-0250").await, "secret-250");
        let uses = store.admin().key_uses().await.unwrap();
        let told: Vec<_> =
            uses.iter().map(|key| (key.id.as_str(), key.sealed, key.seals, key.derives)).collect();
        assert_eq!(told, [("k2", 251, true, Some(true)), ("k1", 0, false, Some(false))], "{name}");

        // Nothing that is stored needs the old key any more, and what it signed does for as long as it may be good.
        let alone = turned().without("k1").unwrap();
        store.clock.advance(SIGNED_FOR_MAX - Duration::from_secs(1));
        let refused = store.admin().take_ring(&alone).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Ring(RingError::Signs(id, _)) if id == "k1"),
            "{name}: {refused}"
        );
        assert!(helpsync_model::chain(&refused).contains(" UTC: put the key back"), "{name}: {refused}");
        store.clock.advance(Duration::from_secs(1));
        store.admin().take_ring(&alone).await.unwrap();
        assert_eq!(secret(&store, "client-0000").await, "secret-0");
    }
}

#[tokio::test]
async fn a_key_whose_signatures_are_given_up_can_be_removed_at_once_and_the_one_that_seals_cannot() {
    for store in stores().await {
        let name = name_of(&store);
        store.admin().take_ring(&first()).await.unwrap();
        let alone = turned().without("k1").unwrap();
        // Nothing is sealed, and nobody has said yet that another key signs: this one may do so.
        assert!(store.admin().take_ring(&alone).await.is_err(), "{name}");
        store.admin().take_ring(&turned()).await.unwrap();
        assert!(store.admin().take_ring(&alone).await.is_err(), "{name}");
        // A process that still has it in front signs on.
        let sign = |keys: &[&str]| ProcessSign {
            holder: "late".to_owned(),
            role: "worker",
            host: "h".to_owned(),
            version: "1",
            concurrency: 1,
            keys: keys.iter().map(|id| (*id).to_owned()).collect(),
        };
        store.clock.advance(SIGNED_FOR_MAX - Duration::from_secs(1));
        store.queue().note_process(&sign(&["k1", "k2"])).await.unwrap();
        store.clock.advance(SIGNED_FOR_MAX - Duration::from_secs(1));
        store.queue().note_process(&sign(&["k2", "k1"])).await.unwrap();
        assert!(store.admin().take_ring(&alone).await.is_err(), "{name}: what it signed since is good");
        assert!(store.admin().void_key("k1").await.unwrap(), "{name}");
        assert!(!store.admin().void_key("k7").await.unwrap(), "{name}");
        // A process with the ring of before believes it no more, and never puts it in front again.
        let signed = |store: &Store| store.vault().verifying_keys("token", Some("k1")).len();
        let other = store.reopen_with(&turned()).await;
        other.admin().take_ring(&turned()).await.unwrap();
        assert_eq!(signed(&other), 0, "{name}: nor does one that starts");
        assert_eq!(signed(&store), 1, "{name}");
        assert!(store.admin().heed_known_keys().await.unwrap() && signed(&store) == 0, "{name}");
        assert!(!store.admin().heed_known_keys().await.unwrap(), "{name}: once");
        assert_eq!(store.admin().check_front(), Ok(()), "{name}: another one is in front");
        store.admin().take_ring(&alone).await.unwrap();
        other.admin().heed_known_keys().await.unwrap();
        assert_eq!(signed(&other), 0, "{name}: also when others have taken it out");
        let refused = other.admin().take_ring(&first()).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Ring(RingError::GivenUp(id)) if id == "k1"),
            "{name}: {refused}"
        );
        let uses = store.admin().key_uses().await.unwrap();
        assert_eq!(uses.iter().filter(|key| key.voided_at.is_some()).count(), 1, "{name}");
        // Whoever has the key can sign at any time.
        store.clock.advance(SIGNED_FOR_MAX * 2);
        store.admin().take_ring(&alone).await.unwrap();
        other.admin().heed_known_keys().await.unwrap();
        assert_eq!(signed(&other), 0, "{name}: for ever");
        assert!(other.admin().take_ring(&first()).await.is_err(), "{name}: for ever");
    }
}

/// A process that starts with an older ring takes nothing from one that holds the newer.
#[tokio::test]
async fn a_key_that_a_process_holds_is_not_forgotten() {
    for store in stores().await {
        let name = name_of(&store);
        let both = first().with_new_key("k2", &SeededEntropy::new(7)).unwrap();
        let other = first().with_new_key("k2", &SeededEntropy::new(8)).unwrap();
        store.admin().take_ring(&both).await.unwrap();
        let sign = ProcessSign {
            holder: "newer".to_owned(),
            role: "worker",
            host: "h".to_owned(),
            version: "1",
            concurrency: 1,
            keys: vec!["k1".to_owned(), "k2".to_owned()],
        };
        store.queue().note_process(&sign).await.unwrap();
        store.admin().take_ring(&first()).await.unwrap();
        let refused = store.admin().take_ring(&other).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Ring(RingError::Differs(id)) if id == "k2"),
            "{name}: {refused}"
        );
        // One that held it before it could say so makes it known again, and hears where that came too late.
        store.queue().forget_process("newer").await.unwrap();
        let newer = store.reopen_with(&both).await;
        newer.admin().take_ring(&both).await.unwrap();
        store.admin().take_ring(&first()).await.unwrap();
        newer.admin().heed_known_keys().await.unwrap();
        let refused = store.admin().take_ring(&other).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Ring(RingError::Differs(_))), "{name}: {refused}");
        store.admin().take_ring(&first()).await.unwrap();
        store.admin().take_ring(&other).await.unwrap();
        let late = newer.admin().heed_known_keys().await.unwrap_err();
        assert!(matches!(&late, StoreError::Ring(RingError::Differs(id)) if id == "k2"), "{name}: {late}");
    }
}

#[tokio::test]
async fn the_first_key_of_a_new_database_derives() {
    for store in stores().await {
        store.admin().take_ring(&first()).await.unwrap();
        put_clients(&store, 1).await;
        assert_eq!(begin_with(&store, "k1", true).await, 1, "{}", name_of(&store));
    }
}

#[tokio::test]
async fn a_ring_that_does_not_open_what_is_stored_is_refused_and_says_what_would_be_lost() {
    for store in stores().await {
        let name = name_of(&store);
        let stranger = KeyRing::generate("k9", &SeededEntropy::new(9));
        let impostor = KeyRing::generate("k1", &SeededEntropy::new(9));
        put_clients(&store, 3).await;
        // Before the database knows any key, and after.
        for round in 0..2 {
            let refused = store.admin().take_ring(&stranger).await.unwrap_err();
            let StoreError::Ring(RingError::Missing(missing)) = &refused else {
                panic!("{name}: {refused:?}")
            };
            assert_eq!(missing, &[("k1".to_owned(), 3)], "{name}, {round}");
            let text = helpsync_model::chain(&refused);
            assert!(text.contains("\"k1\"") && text.contains("3 sealed secrets would be lost"), "{text}");
            let refused = store.admin().take_ring(&impostor).await.unwrap_err();
            assert!(
                matches!(&refused, StoreError::Ring(RingError::Differs(id)) if id == "k1"),
                "{name}, {round}: {refused:?}"
            );
            assert_eq!(secret(&store, "client-0001").await, "secret-1", "the ring of before stays in use");
            store.admin().take_ring(&first()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn one_altered_secret_is_its_own_trouble_and_stops_neither_the_start_nor_the_rest() {
    for store in stores().await {
        let name = name_of(&store);
        put_clients(&store, 3).await;
        let altered = [head("k1", false), vec![0; 60]].concat();
        sqlx::query("update oauth_client set client_secret_sealed = $1 where client_id = 'client-0001'")
            .bind(altered)
            .execute(&store.pool)
            .await
            .unwrap();
        store.admin().take_ring(&first()).await.unwrap();
        store.admin().take_ring(&turned()).await.unwrap();
        let (_, sealed, unopened) = reseal(&store).await;
        assert_eq!((sealed, unopened), (2, 1), "{name}");
        assert_eq!(secret(&store, "client-0002").await, "secret-2", "{name}");
    }
}
