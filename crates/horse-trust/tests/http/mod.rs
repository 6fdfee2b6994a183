//! The contract's routes, each with its answers and its errors, on a real server.

mod accounts;
mod admin;
mod bad_weather;
mod beside_the_chat;
mod broken_store;
mod chat;
mod lists;
mod people;
mod person;
