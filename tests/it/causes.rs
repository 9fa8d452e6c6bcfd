//! A sync that Zendesk keeps from its end names the cause, and no other one.

use helpsync_model::{Entropy as _, OsEntropy, RunState};
use serde_json::json;
use zendesk_sim::{Fault, FaultBody, FaultRule, GenerateOptions};

use crate::app::{Shape, TestApp, real_time, until};

/// What a disabled help center is called, whichever status it answers with.
const NO_HELP_CENTER: &str = "the help center is disabled, or the grant's user may not read it: ";

/// A cause: what Zendesk does, what the run's record then says, and whether trying again may help.
struct Cause {
    fault: Fault,
    says: String,
    is_tried_again: bool,
}

fn cause(fault: Fault, says: impl Into<String>, is_tried_again: bool) -> Cause {
    Cause { fault, says: says.into(), is_tried_again }
}

fn status(code: u16) -> Fault {
    Fault::Status { code, retry_after: None, body: FaultBody::Json }
}

fn causes() -> Vec<Cause> {
    vec![
        cause(Fault::TruncatedJson, "zendesk's answer is malformed: it breaks off after", true),
        cause(status(400), "zendesk rejects the request with 400: Fault: on order", false),
        cause(status(401), "zendesk refuses the token: Fault: on order", false),
        cause(status(402), "zendesk has suspended the account: it answers 402: Fault: on order", true),
        cause(Fault::Suspended, "zendesk has suspended the account: it answers 423: an html page", true),
        cause(status(403), format!("{NO_HELP_CENTER}zendesk forbids it: Fault: on order"), true),
        cause(Fault::HelpCenterDisabled, format!("{NO_HELP_CENTER}zendesk finds nothing there"), true),
    ]
}

/// Lets one workspace sync with the fault in `place`, which a run asks in its middle or at its end.
async fn play(app: &TestApp, place: FaultRule, cause: &Cause) {
    let name = format!("w{}", OsEntropy.uuid().simple());
    let account = app.account(&name, GenerateOptions { articles: 30, ..GenerateOptions::default() });
    app.connect(&name, &name).await;
    account.inject(FaultRule { fault: cause.fault.clone(), ..place });
    app.post("/helpsync/v1/sync", &name, json!({ "customer_id": name })).await;
    let connection = app.connection(&name, &name).await;
    let parts = app.parts();
    let run = until("the cause to be told", async || {
        let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap();
        runs.into_iter().next().filter(|run| run.error.is_some() || run.waiting_for.is_some())
    })
    .await;
    let told = run.error.as_deref().or(run.waiting_for.as_deref()).unwrap();
    assert!(told.starts_with(&cause.says), "{:?}: {told}", cause.fault);
    assert_eq!(run.state.is_active(), cause.is_tried_again, "{:?}: {told}", cause.fault);
    account.clear_faults();
    let run = app.ended(connection).await;
    let ends = if cause.is_tried_again { RunState::Done } else { RunState::Failed };
    assert_eq!(run.state, ends, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_zendesk_does_to_the_whole_of_a_sync_is_named() {
    let app = TestApp::start(Shape::Embedded, &[], real_time()).await;
    for cause in causes() {
        play(&app, FaultRule::always(Fault::Reset).on("help_center"), &cause).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_zendesk_does_to_the_count_of_articles_is_named() {
    let app = TestApp::start(Shape::Embedded, &[], real_time()).await;
    for cause in causes() {
        // The export and the sections are read by other paths.
        play(&app, FaultRule::always(Fault::Reset).on("/help_center/articles"), &cause).await;
    }
}
