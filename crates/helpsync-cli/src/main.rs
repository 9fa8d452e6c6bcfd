//! `helpsync`: see `helpsync --help`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    helpsync_cli::main().await.into()
}
