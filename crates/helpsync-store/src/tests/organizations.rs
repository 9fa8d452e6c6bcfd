//! Organizations and their API keys.

use std::time::Duration;

use helpsync_model::{Clock as _, KeyScope};

use crate::testing::stores;
use crate::{NewApiKey, StoreError};

#[tokio::test]
async fn an_api_key_belongs_to_one_organization_and_is_stored_as_a_hash() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        assert_eq!(store.admin().ensure_organization("default").await.unwrap(), organization);
        assert_eq!(store.admin().organization(organization).await.unwrap().name, "default");
        let (admin, now) = (store.admin(), store.clock.now_ms());
        let secret = |text: &str| text.to_owned().into();
        let new = |name: &str| NewApiKey {
            name: name.to_owned(),
            scope: KeyScope::Sync,
            expires_at: Some(now + 1_000),
            prefix: "hs_1".to_owned(),
        };
        let made = admin.create_api_key(organization, &new("one"), &secret("a-long-random-key")).await;
        let made = made.unwrap().unwrap();
        assert!(!made.has_ended(now) && made.has_ended(now + 1_000));
        assert_eq!(admin.find_api_key(&secret("a-long-random-key")).await.unwrap().unwrap(), made);
        assert_eq!(admin.find_api_key(&secret("another")).await.unwrap(), None);
        let other = admin.ensure_organization("key thief").await.unwrap();
        for (whose, name, text) in [(organization, "one", "same name"), (other, "two", "a-long-random-key")] {
            assert_eq!(admin.create_api_key(whose, &new(name), &secret(text)).await.unwrap(), None, "{name}");
        }
        assert_eq!(admin.api_key(other, made.id).await.unwrap(), None);
        assert_eq!(admin.api_keys(other, 0, 10).await.unwrap(), []);
        assert!(!admin.revoke_api_key(other, made.id).await.unwrap());
        assert_eq!(admin.api_keys(organization, 0, 10).await.unwrap(), std::slice::from_ref(&made));
        let stored: String =
            sqlx::query_scalar("select key_hash from api_key").fetch_one(&store.store.pool).await.unwrap();
        assert_eq!(stored.len(), 64);
        assert!(admin.revoke_api_key(organization, made.id).await.unwrap());
        assert_eq!(admin.find_api_key(&secret("a-long-random-key")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn another_bootstrap_key_ends_the_one_before_and_no_other() {
    for store in stores().await {
        let admin = store.admin();
        let organization = admin.ensure_organization("default").await.unwrap();
        let find = async |text: &str| admin.find_api_key(&text.to_owned().into()).await.unwrap();
        let set =
            async |text: &str| admin.set_bootstrap_key(organization, &text.to_owned().into()).await.unwrap();
        let named = |name: &str| NewApiKey {
            name: name.to_owned(),
            scope: KeyScope::Admin,
            expires_at: None,
            prefix: String::new(),
        };
        admin.create_api_key(organization, &named("own"), &"own".to_owned().into()).await.unwrap().unwrap();
        set("first").await;
        let first = find("first").await.unwrap();
        assert_eq!((first.scope, first.is_bootstrap), (KeyScope::Operator, true));
        set("first").await;
        assert_eq!(find("first").await.unwrap(), first, "at every start the same");
        assert!(!admin.revoke_api_key(organization, first.id).await.unwrap(), "it is the settings'");
        set("second").await;
        assert_eq!(find("first").await, None);
        assert!(find("second").await.is_some() && find("own").await.is_some());
        // One that was made here may be taken for it: it becomes the operator's, and the one before ends as well.
        set("own").await;
        let own = find("own").await.unwrap();
        assert_eq!((own.scope, own.is_bootstrap), (KeyScope::Operator, true));
        assert_eq!(find("second").await, None);
        // Another organization's stays that.
        let other = admin.ensure_organization("other").await.unwrap();
        admin.create_api_key(other, &named("theirs"), &"theirs".to_owned().into()).await.unwrap().unwrap();
        assert!(!admin.set_bootstrap_key(organization, &"theirs".to_owned().into()).await.unwrap());
        assert_eq!(find("theirs").await.unwrap().organization, other);
        assert_eq!(find("own").await, None);
    }
}

#[tokio::test]
async fn the_last_use_of_a_key_is_known_to_the_minute() {
    for store in stores().await {
        let admin = store.admin();
        let organization = admin.ensure_organization("default").await.unwrap();
        let secret = "key".to_owned().into();
        admin.set_bootstrap_key(organization, &secret).await.unwrap();
        let used = async || {
            let key = admin.find_api_key(&secret).await.unwrap().unwrap();
            admin.note_key_use(&key).await.unwrap();
            admin.find_api_key(&secret).await.unwrap().unwrap().last_used_at
        };
        let first = used().await;
        assert_eq!(first, Some(store.clock.now_ms()));
        store.clock.advance(Duration::from_secs(59));
        assert_eq!(used().await, first);
        store.clock.advance(Duration::from_secs(1));
        assert_eq!(used().await, Some(store.clock.now_ms()));
    }
}

#[tokio::test]
async fn an_organization_goes_with_all_it_has_once_it_has_no_customers() {
    for store in stores().await {
        let admin = store.admin();
        let first = admin.create_organization("first").await.unwrap().unwrap();
        assert_eq!(admin.create_organization("first").await.unwrap(), None);
        let second = admin.create_organization("second").await.unwrap().unwrap();
        admin.set_bootstrap_key(second, &"key".to_owned().into()).await.unwrap();
        admin.customer(second, "ada").await.unwrap();
        let listed = admin.organizations(first.0, 10).await.unwrap();
        assert_eq!((listed.len(), listed[0].name.as_str()), (1, "second"));
        assert_eq!((listed[0].keys, listed[0].customers), (1, 1));
        assert!(!admin.remove_organization(second).await.unwrap());
        admin.delete_customer(second, "ada").await.unwrap().unwrap();
        assert!(admin.remove_organization(second).await.unwrap());
        assert!(matches!(admin.remove_organization(second).await, Err(StoreError::NotFound(_))));
        assert_eq!(admin.find_api_key(&"key".to_owned().into()).await.unwrap(), None);
        assert!(admin.organization(first).await.is_ok());
    }
}
