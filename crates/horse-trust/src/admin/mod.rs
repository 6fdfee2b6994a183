//! The rules of the admin API: what the platform and admins change, over the chat and the store. The routes are in
//! `http/admin`.

pub mod view;
