//! What only PostgreSQL can show: nodes that share a database, and a database that is away.

mod cost;
mod node;
mod nodes;
mod outages;
mod schema;
mod silence;
mod tls;

pub(crate) use self::node::sums_are_right;
