//! An installation for this crate's own tests.

use std::path::Path;
use std::sync::Arc;

use helpsync_config::Settings;
use helpsync_model::{Clock, OsEntropy};

use crate::{Parts, Runtime};

/// The parts of an installation on a SQLite file of this folder, with one more setting.
pub(crate) async fn parts(folder: &Path, clock: Arc<dyn Clock>, (name, value): (&str, &str)) -> Parts {
    let env = [
        ("HELPSYNC_STORE__URL", &*format!("sqlite:{}", folder.join("x.db").display())),
        ("HELPSYNC_API__BOOTSTRAP_KEY", "a-key-of-enough-length"),
        (name, value),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let runtime = Runtime { clock, entropy: Arc::new(OsEntropy) };
    Parts::open(Settings::load(None, env).unwrap(), runtime).await.unwrap()
}
