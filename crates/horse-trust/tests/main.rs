//! The integration tests, one binary: a module a subject.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod http;
mod import;
mod postgres;
mod postgres_server;
mod postgres_tls;
mod server;
mod store;
mod store_delivery;
mod store_model;
