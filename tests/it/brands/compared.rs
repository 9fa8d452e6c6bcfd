//! Comparing brands with their help centers.

use super::*;
use crate::verify::compared;

#[tokio::test(flavor = "multi_thread")]
async fn each_brand_is_compared_with_its_own_help_center_and_mended() {
    let brands = Brands::start(Shape::Embedded, 30).await;
    let Brands { app, acme, two } = &brands;
    brands.connect(&["read"]).await;
    let whole = json!({ "customer_id": CUSTOMER });
    let (lines, last) = compared(app, whole.clone()).await;
    assert_eq!(lines, Vec::<Value>::new());
    let shown = acme.article_ids().len() + two.article_ids().len();
    assert_eq!(last["totals"]["shown"], shown, "{last}");

    let (here, there) = (truth_id(acme), truth_id(two));
    acme.apply(Change::Edit { id: here, title: Some("New".to_owned()), body: None }).unwrap();
    two.apply(Change::Delete { id: there }).unwrap();
    let (lines, _) = compared(app, whole.clone()).await;
    let told: BTreeSet<(String, i64, String)> = lines.iter().map(told).collect();
    let expected = [("acme", here, "newer_there"), ("acme-two", there, "not_shown")];
    let expected = expected.map(|(workspace, id, cause)| (workspace.to_owned(), id, cause.to_owned()));
    assert_eq!(told, BTreeSet::from(expected));
    let (_, last) = compared(app, json!({ "customer_id": CUSTOMER, "repair": true })).await;
    assert!(last["repaired_by_run"].is_i64(), "{last}");
    brands.quiet("acme").await;
    let (lines, _) = compared(app, whole).await;
    assert_eq!(lines, Vec::<Value>::new());
}

fn truth_id(account: &Account) -> i64 {
    account.truth()[0].id
}

fn told(line: &Value) -> (String, i64, String) {
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    (text("workspace"), line["article_id"].as_i64().unwrap(), text("cause"))
}
