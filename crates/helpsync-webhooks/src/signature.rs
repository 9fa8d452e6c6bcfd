//! Carbon's two signature headers.

use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::body::Body;

/// Names and values of the headers: the time of the try (Unix seconds), and a signature by each key, in their order.
/// `None`: a key is not hex, or there is none.
pub(crate) fn headers(keys: &[SecretString], time: i64, body: &Body) -> Option<[(&'static str, String); 2]> {
    let time = time.to_string();
    let signed = |version: &str, text: &str| {
        let signature = |key: &SecretString| Some(format!(",{version}={}", sign(key, &time, text)?));
        let signatures: Vec<String> = keys.iter().map(signature).collect::<Option<_>>()?;
        (!signatures.is_empty()).then(|| format!("t={time}{}", signatures.concat()))
    };
    Some([
        ("Carbon-Signature", signed("v1", &body.sent)?),
        ("Carbon-Signature-Compact", signed("v2", &body.compact)?),
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
        let keys = ["000102030405060708090a0b0c0d0e0f".to_owned().into()];
        let time = 1_700_000_000;
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
        assert_eq!(headers(&keys, time, &body(&ready)).unwrap(), right);

        let mut created = delivery(EventKind::FilesCreated, ("FILE_LIST", "[1,2]"), json!({}));
        created.customer = Some("Zoë \"Z\" \u{1F600}".to_owned());
        let [(_, v1), (_, v2)] = headers(&keys, time, &body(&created)).unwrap();
        assert_eq!(v1, "t=1700000000,v1=bc705237507384d6ba9fa4457adee09729964665161ad17763893f620abeee3a");
        assert_eq!(v2, "t=1700000000,v2=7ffdf0340cc435b570035b91edd7b4fa4c7c8642a96bc992c80ce6872403dcc6");
    }

    #[test]
    fn two_keys_sign_one_after_the_other_each_as_if_it_were_alone() {
        let (old, new): (SecretString, SecretString) = ("aa".to_owned().into(), "bb".to_owned().into());
        let ready = body(&delivery(EventKind::FileReady, ("FILE", "42"), json!({})));
        let alone = |key: &SecretString, time| headers(std::slice::from_ref(key), time, &ready).unwrap();
        let [(_, both), (_, compact)] = headers(&[old.clone(), new.clone()], 7, &ready).unwrap();
        let v1 = |key| alone(key, 7)[0].1.trim_start_matches("t=7").to_owned();
        assert_eq!(both, format!("t=7{}{}", v1(&old), v1(&new)));
        assert_eq!(compact.matches(",v2=").count(), 2);
        assert_ne!(
            alone(&old, 7)[0].1.trim_start_matches("t=7"),
            alone(&old, 8)[0].1.trim_start_matches("t=8")
        );
    }

    #[test]
    fn a_key_that_is_no_hex_signs_nothing() {
        let ready = delivery(EventKind::FileReady, ("FILE", "42"), json!({}));
        assert!(headers(&["0".to_owned().into()], 1, &body(&ready)).is_none());
        assert!(headers(&["00".to_owned().into(), "0".to_owned().into()], 1, &body(&ready)).is_none());
        assert!(headers(&[], 1, &body(&ready)).is_none());
    }
}
