//! Rows by name. The columns that a statement selects and the fields that take them are one list, so a column is added,
//! moved or taken away in one place; where each is in a row is known when this is compiled.

/// The lengths of texts together.
pub(super) const fn length(parts: &[&str]) -> usize {
    let mut sum = 0;
    let mut at = 0;
    while at < parts.len() {
        sum += parts[at].len();
        at += 1;
    }
    sum
}

/// The bytes of texts, one behind the other; `LENGTH` is [`length`].
pub(super) const fn joined<const LENGTH: usize>(parts: &[&str]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut index = 0;
        while index < parts[part].len() {
            bytes[at] = parts[part].as_bytes()[index];
            (index, at) = (index + 1, at + 1);
        }
        part += 1;
    }
    bytes
}

/// A statement of literals and constants, joined when this is compiled: `concat!` takes literals alone.
macro_rules! sql {
    ($($part:expr),+ $(,)?) => {{
        const PARTS: &[&str] = &[$($part),+];
        const BYTES: [u8; $crate::store::columns::length(PARTS)] = $crate::store::columns::joined(PARTS);
        const TEXT: &str = match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("texts that are joined are a text"),
        };
        TEXT
    }};
}

/// A struct with a field a column:
///
/// ```ignore
/// columns! {
///     /// A message.
///     struct MessageRow of sqlite "m" { id: MessageId, seq: i64, sent_at: Timestamp, has_text: bool = "m.text <> ''" }
/// }
/// ```
///
/// `MessageRow::COLUMNS` is `m.id, m.seq, …`, for a statement in which `m` is the table; what is not a column of that name
/// says what it is. `MessageRow::read` reads them from a place in the row on, and `COUNT` is how many they are.
macro_rules! columns {
    (
        $(#[$about:meta])*
        struct $row:ident of $engine:ident $table:literal {
            $first:ident: $first_type:ty $(= $first_sql:literal)?
            $(, $(#[$field_about:meta])* $name:ident: $type:ty $(= $sql:literal)?)* $(,)?
        }
    ) => {
        $(#[$about])*
        pub(super) struct $row {
            pub(super) $first: $first_type,
            $($(#[$field_about])* pub(super) $name: $type),*
        }

        impl $row {
            pub(super) const COLUMNS: &'static str = concat!(
                columns!(@column $table $first $($first_sql)?)
                $(, ", ", columns!(@column $table $name $($sql)?))*
            );
            #[allow(dead_code, reason = "nothing is read behind the last columns of a row")]
            pub(super) const COUNT: usize = [stringify!($first) $(, stringify!($name))*].len();

            /// Reads the columns, the first of which is at `from`.
            pub(super) fn read(row: columns!(@row $engine), from: usize) -> columns!(@result $engine) {
                #[allow(non_camel_case_types, reason = "named as the columns are")]
                enum At { $first $(, $name)* }
                Ok(Self {
                    $first: columns!(@get $engine row, from + At::$first as usize)?,
                    $($name: columns!(@get $engine row, from + At::$name as usize)?),*
                })
            }
        }
    };
    (@column $table:literal $name:ident) => { concat!($table, ".", stringify!($name)) };
    (@column $table:literal $name:ident $sql:literal) => { $sql };
    (@row sqlite) => { &rusqlite::Row<'_> };
    (@row postgres) => { &tokio_postgres::Row };
    (@result sqlite) => { rusqlite::Result<Self> };
    (@result postgres) => { std::result::Result<Self, tokio_postgres::Error> };
    (@get sqlite $row:ident, $at:expr) => { $row.get($at) };
    (@get postgres $row:ident, $at:expr) => { $row.try_get($at) };
}

pub(super) use {columns, sql};

#[cfg(test)]
mod tests {
    columns! {
        /// Of each kind one.
        struct Row of sqlite "t" { one: i64, two: String = "upper(t.text)", three: Option<i64> }
    }

    const SELECT: &str =
        sql!("SELECT 7, ", Row::COLUMNS, " FROM (SELECT 1 AS one, 'é' AS text, NULL AS three) t");

    #[test]
    fn columns_are_read_by_their_names() {
        assert_eq!(Row::COLUMNS, "t.one, upper(t.text), t.three");
        assert_eq!(Row::COUNT, 3);
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let Row { one, two, three } = connection.query_row(SELECT, [], |row| Row::read(row, 1)).unwrap();
        assert_eq!((one, &*two, three), (1, "é", None));
    }
}
