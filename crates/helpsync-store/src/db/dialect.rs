//! Where the two databases differ: locks, and rows made of JSON.

/// Which database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One file, one process; writers take turns.
    Sqlite,
    /// A server shared by many processes.
    Postgres,
}

impl Dialect {
    /// As OpenTelemetry names it: <https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/>.
    pub(crate) const fn system(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }

    /// Appended to a select whose rows this transaction will change. `no key`: keys never change, and a row that is
    /// written twice in one transaction locks the rows that it refers to against a lock of the keys too, which would
    /// be a deadlock between two shards of one run that end at once.
    pub(crate) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "", // `begin immediate` already keeps every other writer out
            Self::Postgres => " for no key update",
        }
    }

    /// As [`Dialect::for_update`], passing over rows that another transaction holds.
    pub(crate) const fn for_update_skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " for no key update skip locked",
        }
    }

    /// Appended to a select whose rows must not change until this transaction ends.
    pub(crate) const fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " for share",
        }
    }

    /// A row source named `incoming`, made from the JSON array of objects that is bound as `placeholder`: many rows in
    /// one statement. Texts must hold no NUL.
    pub(crate) fn json_rows(self, placeholder: &str, columns: &[Column]) -> String {
        let mut list = String::new();
        for Column(name, kind) in columns {
            let separator = if list.is_empty() { "" } else { ", " };
            list.push_str(separator);
            list.push_str(&match (self, kind) {
                (Self::Sqlite, _) => format!("json_extract(value, '$.{name}') as {name}"),
                (Self::Postgres, ColumnKind::Integer) => format!("{name} bigint"),
                (Self::Postgres, ColumnKind::Text) => format!("{name} text"),
            });
        }
        match self {
            Self::Sqlite => format!("(select {list} from json_each({placeholder})) as incoming"),
            Self::Postgres => {
                format!("json_to_recordset(cast({placeholder} as json)) as incoming({list})")
            }
        }
    }

    /// An aggregate: the integers of `column` as the text of a JSON array, in the order in which they come.
    pub(crate) fn json_array(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("json_group_array({column})"),
            Self::Postgres => format!("cast(coalesce(json_agg({column}), '[]') as text)"),
        }
    }

    /// A condition: the indexed `column` is one of the integers in the JSON array that is bound as `placeholder`. Of a
    /// subselect Postgres believes that a hundred rows come, and reads a table of some thousands to its end instead, or
    /// compares each of its rows with each of the array; an array it looks up in the index.
    pub(crate) fn among(self, column: &str, placeholder: &str) -> String {
        let integers = self.json_integers(placeholder);
        match self {
            Self::Sqlite => format!("{column} in {integers}"),
            Self::Postgres => format!("{column} = any (array{integers})"),
        }
    }

    /// A row source named as `table`: `columns` of those rows whose article is one of a connection's in a JSON array; both
    /// placeholders. Each is looked up by itself: whether a connection has ten articles or a hundred thousand, Postgres
    /// does not know, least of all while they come in, and else may compare all of them with the array. No other index of
    /// the table may begin with the connection. Rows that are locked are locked in the order of the array.
    pub(crate) fn articles_of(self, table: &str, columns: &str, [connection, articles]: [&str; 2]) -> String {
        let of_connection = format!("select {columns} from {table} where connection_id = {connection}");
        match self {
            Self::Sqlite => {
                format!("({of_connection} and {}) as {table}", self.among("article_id", articles))
            }
            Self::Postgres => format!(
                "json_array_elements_text(cast({articles} as json)) as wanted cross join lateral
                   ({of_connection} and article_id = cast(wanted.value as bigint) offset 0) as {table}"
            ),
        }
    }

    /// A subselect of the integers in the JSON array that is bound as `placeholder`.
    pub(crate) fn json_integers(self, placeholder: &str) -> String {
        match self {
            Self::Sqlite => format!("(select value from json_each({placeholder}))"),
            Self::Postgres => {
                format!(
                    "(select cast(value as bigint) from json_array_elements_text(cast({placeholder} as json)))"
                )
            }
        }
    }

    /// A subselect of the texts in the JSON array that is bound as `placeholder`.
    pub(crate) fn json_texts(self, placeholder: &str) -> String {
        match self {
            Self::Sqlite => format!("(select value from json_each({placeholder}))"),
            Self::Postgres => {
                format!("(select value from json_array_elements_text(cast({placeholder} as json)))")
            }
        }
    }
}

/// A column of [`Dialect::json_rows`]: its name, which is also the member's, and its type.
pub(crate) struct Column(pub(crate) &'static str, pub(crate) ColumnKind);

/// The types that rows made of JSON have.
#[derive(Clone, Copy)]
pub(crate) enum ColumnKind {
    Integer,
    Text,
}

pub(crate) const fn integer(name: &'static str) -> Column {
    Column(name, ColumnKind::Integer)
}

pub(crate) const fn text(name: &'static str) -> Column {
    Column(name, ColumnKind::Text)
}
