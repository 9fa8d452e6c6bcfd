//! What somebody does about a database that cannot be used.

use crate::db::error::StoreError;

/// Of what neither the database nor the system named.
const UNKNOWN: &str = "it has to be a database that is there, runs and lets this user in";

/// What Postgres says behind the user of a connection that it would take over TLS (`no pg_hba.conf entry for host …`).
const NO_TLS: &str = "no encryption";

impl StoreError {
    /// What to do about a database that cannot be opened; `None` where nothing but the error's own text helps.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Unavailable(error) | Self::Statement(error) => Some(advice_of_driver(error.driver())),
            Self::Migration(sqlx::migrate::MigrateError::Execute(error)) => Some(advice_of_driver(error)),
            Self::Url(_) => Some(UNKNOWN),
            _ => None,
        }
    }
}

fn advice_of_driver(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) => "start it, or correct host and port of the address",
        sqlx::Error::Tls(_) => "the address's sslmode and sslrootcert say how to trust it",
        sqlx::Error::PoolTimedOut => "it is not there, or has no connection left: see its own log",
        // On this machine Postgres is asked without TLS unless the address has an sslmode.
        sqlx::Error::Database(said) if said.message().contains(NO_TLS) => {
            "it takes connections over TLS only: name sslmode=require in the address"
        }
        sqlx::Error::Database(said) => said.code().map_or(UNKNOWN, |code| advice_of_code(&code)),
        _ => UNKNOWN,
    }
}

/// By Postgres's SQLSTATE, and by SQLite's primary code, the low byte of the extended one. Sources:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>, <https://www.sqlite.org/rescode.html>.
fn advice_of_code(code: &str) -> &'static str {
    if code.len() < 5 {
        return match code.parse::<u32>().map(|code| code & 0xff) {
            Ok(8) => "give the file and its folder to the user that runs Helpsync",
            Ok(11) => "the file is damaged: put it back from a backup",
            Ok(13) => "make room on its disk",
            Ok(14) => "its folder has to be there, and file and folder belong to the user that runs Helpsync",
            Ok(26) => "the file is none of SQLite: name another",
            _ => UNKNOWN,
        };
    }
    match code {
        "28P01" | "28000" => "correct user and password of the address, or let this user in (pg_hba.conf)",
        "3D000" => "create the database that the address names (createdb)",
        "42501" => "grant its user the schema and the tables",
        "53300" => "raise its max_connections, or lower HELPSYNC_STORE__CONNECTIONS_MAX",
        "53100" => "make room on its disk",
        "57P03" => "it starts or stops: try again",
        "25006" => "it is read-only: name the primary",
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_advice() {
        for (code, part) in [
            ("28P01", "password"),
            ("3D000", "createdb"),
            ("42501", "grant"),
            ("53300", "CONNECTIONS_MAX"),
            ("25006", "primary"),
            ("14", "folder"),
            ("1032", "give the file"),
            ("13", "room"),
            ("26", "none of SQLite"),
            ("42P01", UNKNOWN),
            ("1", UNKNOWN),
        ] {
            assert!(advice_of_code(code).contains(part), "{code}");
        }
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(StoreError::from(sqlx::Error::Io(refused)).advice().unwrap().contains("start it"));
        assert_eq!(StoreError::Fenced.advice(), None);
    }
}
