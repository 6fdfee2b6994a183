//! `/api/admin`: the platform's API, and what admins look at. One file a resource; [`access`] says who is let in.

pub(super) mod access;
mod audit;
mod conversations;
mod export;
mod messages;
mod reports;
mod standing;
mod users;
mod webhooks;

use axum::Router;

use super::state::AppState;

/// The routes of the platform and of admins.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .merge(reports::router())
        .merge(audit::router())
        .merge(users::router())
        .merge(standing::router())
        .merge(export::router())
        .merge(conversations::router())
        .merge(messages::router())
        .merge(webhooks::router())
}
