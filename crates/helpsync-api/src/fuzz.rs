//! Fuzz targets: bodies of requests, what we sign, and Zendesk's events. The suite also sends such bodies over HTTP
//! (`tests/it/fuzz.rs`); here they are led by what they reach.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::response::IntoResponse as _;
use bolero::check;
use fuzz_inputs::Changed;
use helpsync_model::{KeyRing, SeededEntropy};
use helpsync_store::Vault;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::auth::TokenClaim;
use crate::body::parse;
use crate::error::ApiError;
use crate::routes::zendesk_events::Event;
use crate::signing::{Purpose, Signer};
use crate::wire::{chunk, data_source, file, grant, item, search, selection, user, webhook, white_label};

/// A kind of body with one that is right.
type Reader = (fn(&[u8]) -> Option<ApiError>, &'static [u8]);

fn refusal<T: DeserializeOwned>(body: &[u8]) -> Option<ApiError> {
    parse::<T>(body).err()
}

const READERS: [Reader; 14] = [
    (
        refusal::<file::OrganizationUserFilesToSyncQueryInput>,
        br#"{"pagination":{"limit":1,"offset":0},"filters":{"ids":[1,"2"],"tags":{"AND":[{"key":"a","value":1}]}}}"#,
    ),
    (
        refusal::<file::CreateFileTagsInput>,
        br#"{"organization_user_file_id":1,"tags":{"a":["b"],"c":1.5,"d":null}}"#,
    ),
    (
        refusal::<file::DeleteFilesQueryInput>,
        br#"{"file_ids":[1,2],"sync_statuses":["SYNC_ERROR"],"delete_non_synced_only":false,"send_webhook":true}"#,
    ),
    (refusal::<file::ResyncFileQueryInput>, br#"{"file_id":1,"chunk_size":100,"chunk_overlap":5}"#),
    (
        refusal::<search::GetEmbeddingDocumentsBody>,
        br#"{"query":"x","k":2,"tags":{"OR":[{"key":"a","value":"b"}]},"hybrid_search":true}"#,
    ),
    (
        refusal::<chunk::ChunksAndEmbeddingsUploadInput>,
        br#"{"embedding_model":"OPENAI","chunks_and_embeddings":[{"file_id":1,"chunks_and_embeddings":[{"chunk_number":0,"chunk":"x","embedding":[0.5]}]}]}"#,
    ),
    (
        refusal::<grant::OAuthURLRequest>,
        br#"{"service":"ZENDESK","zendesk_subdomain":"acme","scopes":["hc:read"],"tags":{"a":1},"file_sync_config":{"generate_chunks_only":true}}"#,
    ),
    (
        refusal::<grant::ConnectDataSourceInput>,
        br#"{"authentication":{"source":"ZENDESK","subdomain":"acme","access_token":"x"},"sync_options":{"chunk_size":100}}"#,
    ),
    (refusal::<item::SyncFilesRequest>, br#"{"data_source_id":1,"ids":["1",{"id":"2"}],"chunk_size":9}"#),
    (
        refusal::<user::UpdateUsersInput>,
        br#"{"customer_ids":["ada"],"auto_sync_enabled_sources":"ALL","max_files":9}"#,
    ),
    (refusal::<data_source::OrganizationUserDataSourceQueryInput>, br#"{"filters":{"source":"ZENDESK","ids":[1]},"order_dir":"asc"}"#),
    (refusal::<webhook::RotateKey>, br#"{"overlap_hours":"3"}"#),
    (
        refusal::<white_label::WhiteLabelInput>,
        br#"{"data_source_type":"ZENDESK","credentials":{"client_id":"a","client_secret":"b","redirect_uri":"https://a.example/c"}}"#,
    ),
    (refusal::<selection::SelectionInput>, br#"{"labels":["a"],"section_ids":[1],"locales":["de"]}"#),
];

#[test]
fn bodies() {
    for (number, (refusal, body)) in READERS.iter().enumerate() {
        let refused = refusal(body).map(|error| format!("{error:?}"));
        assert_eq!(refused, None, "the body {number} is right");
    }
    check!().with_type::<(Changed, u8)>().for_each(|(changed, which)| {
        let (refusal, body) = READERS[usize::from(*which) % READERS.len()];
        let input = changed.of(&[body]);
        if let Some(error) = refusal(&input) {
            let status = error.into_response().status();
            assert!(status.is_client_error(), "{status}: {}", String::from_utf8_lossy(&input));
        }
    });
}

fn signer() -> Signer {
    let entropy = SeededEntropy::new(1);
    Signer::new(&Vault::new(&KeyRing::generate("k1", &entropy), Arc::new(entropy)))
}

#[test]
fn signed() {
    const PURPOSES: [Purpose; 3] = [Purpose::AccessToken, Purpose::PresignedUrl, Purpose::ManageUrl];
    let signer = AssertUnwindSafe(signer());
    let right = PURPOSES.map(|purpose| signer.sign(purpose, json!({ "o": 1, "c": 2 }), 100));
    check!().with_type::<Changed>().for_each(|changed| {
        let (signer, which): (&Signer, _) = (&signer, changed.choice(PURPOSES.len()));
        let text = changed.text(&[right[0].as_bytes(), right[1].as_bytes(), right[2].as_bytes()]);
        let read = signer.read::<Value>(PURPOSES[which], &text, 1);
        assert_eq!(read.is_some(), text == right[which], "only what was signed is believed: {text}");
        // Signed by us, and of a form that another version made.
        let claim = serde_json::from_str(&changed.text(&[br#"{"o":1,"c":2,"k":3,"s":"read"}"#]))
            .unwrap_or(Value::Null);
        let odd = signer.sign(Purpose::AccessToken, claim, 100);
        drop(signer.read::<TokenClaim>(Purpose::AccessToken, &odd, 1));
    });
}

#[test]
fn events() {
    const SEEDS: [&[u8]; 2] = [
        br#"{"id":"e1","type":"zen:event-type:article.published","detail":{"id":"42","brand_id":"1"}}"#,
        br#"{"id":"e2","type":"zen:event-type:article.unpublished","detail":{"id":"42","brand_id":7}}"#,
    ];
    assert!(SEEDS.iter().all(|seed| Event::read(seed).is_ok_and(|event| event.article().is_ok())));
    check!().with_type::<Changed>().for_each(|changed| {
        let read =
            Event::read(&changed.of(&SEEDS)).and_then(|event| event.article().map(|id| (id, event.brand())));
        if let Err(error) = read {
            assert!(error.into_response().status().is_client_error());
        }
    });
}
