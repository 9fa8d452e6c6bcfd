//! Carbon's two signature headers.

use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::body::Body;

/// Names and values of the headers. `None`: the key is not hex.
pub(crate) fn headers(key: &SecretString, body: &Body) -> Option<[(&'static str, String); 2]> {
    let time = &body.timestamp;
    Some([
        ("Carbon-Signature", format!("t={time},v1={}", sign(key, time, &body.sent)?)),
        ("Carbon-Signature-Compact", format!("t={time},v2={}", sign(key, time, &body.compact)?)),
    ])
}

/// HMAC-SHA256, hex, over time, dot and text. The key is what the hex digits stand for.
fn sign(key: &SecretString, time: &str, text: &str) -> Option<String> {
    let key = hex::decode(key.expose_secret()).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(text.as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use helpsync_model::EventKind;
    use serde_json::json;

    use super::*;
    use crate::body::body;
    use crate::body::tests::delivery;

    /// Computed with Python's `hmac` and `json`.
    #[test]
    fn both_headers_are_what_another_implementation_computes() {
        let key = "000102030405060708090a0b0c0d0e0f".to_owned().into();
        let detail = json!({ "is_resync": false, "request_id": "req-1" });
        let ready = delivery(EventKind::FileReady, ("FILE", "42"), detail);
        let right = [
            (
                "Carbon-Signature",
                "t=1700000000,v1=5a80a37c485b5b0fc10376f2c02b5fe296a28f2be344edeb9f86dec74904472a".to_owned(),
            ),
            (
                "Carbon-Signature-Compact",
                "t=1700000000,v2=e14bbe94ed0e6cb553c61b4418ed4c2804b69388f745ab6b1ea129bef092bc36".to_owned(),
            ),
        ];
        assert_eq!(headers(&key, &body(&ready)).unwrap(), right);

        let mut created = delivery(EventKind::FilesCreated, ("FILE_LIST", "[1,2]"), json!({}));
        created.customer = Some("Zoë \"Z\" \u{1F600}".to_owned());
        let [(_, v1), (_, v2)] = headers(&key, &body(&created)).unwrap();
        assert_eq!(v1, "t=1700000000,v1=bc705237507384d6ba9fa4457adee09729964665161ad17763893f620abeee3a");
        assert_eq!(v2, "t=1700000000,v2=7ffdf0340cc435b570035b91edd7b4fa4c7c8642a96bc992c80ce6872403dcc6");
    }

    #[test]
    fn a_key_that_is_no_hex_signs_nothing() {
        let ready = delivery(EventKind::FileReady, ("FILE", "42"), json!({}));
        assert!(headers(&"0".to_owned().into(), &body(&ready)).is_none());
    }
}
