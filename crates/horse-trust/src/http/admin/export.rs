//! `GET /api/admin/users/:id/export`: everything that is kept of a user, a JSON object a line.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use tokio::sync::mpsc;

use super::access::Admin;
use super::users::known_id;
use crate::admin::ExportError;
use crate::http::error::ApiError;
use crate::http::extract::PathId;
use crate::http::state::AppState;

/// Chunks that wait for the client, beside the one that is being made.
const CHUNKS_WAITING: usize = 1;

/// The route of exports.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/admin/users/{id}/export", get(export))
}

async fn export(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let export = state.people.export(&known_id(&id)?, actor).await?;
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let work = tokio::spawn(async move { export.run(&sender).await });
    let body = stream::unfold(Some((receiver, work)), async |state| {
        let (mut receiver, work) = state?;
        if let Some(chunk) = receiver.recv().await {
            return Some((Ok(chunk), Some((receiver, work))));
        }
        // An answer that ends with an error ends without its last chunk, so that it is not taken for a whole one.
        let result = work.await.unwrap_or_else(|error| Err(ExportError::Broken(error.to_string())));
        let error = result.err()?;
        tracing::warn!(%error, "an export was broken off");
        Some((Err(error), None))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response())
}
