//! `helpsync-dispatcher`: one role of a distributed installation; see `helpsync-dispatcher --help`.

use std::process::ExitCode;

use helpsync_app::Role;
use helpsync_cli::role_main;

#[tokio::main]
async fn main() -> ExitCode {
    role_main(Role::Dispatcher).await.into()
}
