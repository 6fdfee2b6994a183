//! A value that is cached most of the time.

use std::pin::Pin;
use std::sync::Arc;

use crate::contract::Refusal;
use crate::id::Id;

/// What was asked for: at hand if it is cached, so that a message in a conversation that is known needs no future.
pub enum Lookup<T> {
    /// It is cached.
    Cached(T),
    /// It is being read from the store.
    Loading(Pin<Box<dyn Future<Output = T> + Send>>),
}

/// A lookup for a user that needs the value of another.
type Next<C, T, U> = fn(&Arc<C>, &Id, T) -> Lookup<Result<U, Refusal>>;

impl<T: Send + 'static> Lookup<T> {
    /// Waits for the store if it has to.
    pub async fn get(self) -> T {
        match self {
            Self::Cached(value) => value,
            Self::Loading(value) => value.await,
        }
    }

    /// What `change` makes of it.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Lookup<U> {
        match self {
            Self::Cached(value) => Lookup::Cached(change(value)),
            Self::Loading(value) => Lookup::Loading(Box::pin(async move { change(value.await) })),
        }
    }
}

impl<T: Send + 'static> Lookup<Result<T, Refusal>> {
    /// What `next` looks up with it. `chat` and `user` are passed on to `next`, and cloned only if it has to wait.
    pub(super) fn and_then<C: Send + Sync + 'static, U: Send + 'static>(
        self,
        chat: &Arc<C>,
        user: &Id,
        next: Next<C, T, U>,
    ) -> Lookup<Result<U, Refusal>> {
        match self {
            Self::Cached(Ok(value)) => next(chat, user, value),
            Self::Cached(Err(refusal)) => Lookup::Cached(Err(refusal)),
            Self::Loading(value) => {
                let (chat, user) = (Arc::clone(chat), user.clone());
                Lookup::Loading(Box::pin(async move { next(&chat, &user, value.await?).get().await }))
            }
        }
    }
}
