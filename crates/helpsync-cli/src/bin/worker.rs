//! `helpsync-worker`: one role of a distributed installation; see `helpsync-worker --help`.

use std::process::ExitCode;

use helpsync_app::Role;
use helpsync_cli::role_main;

#[tokio::main]
async fn main() -> ExitCode {
    role_main(Role::Worker).await.into()
}
