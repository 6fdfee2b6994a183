//! Writes that one engine alone knows.

use std::convert::Infallible;

use crate::store::error::StoreError;

/// A write that only one engine knows.
pub(in crate::store) trait Custom: Send + 'static {
    /// How many bytes it holds, beyond a small struct.
    fn bytes(&self) -> usize;

    /// Makes `error` its outcome.
    fn fail(&mut self, error: &StoreError);

    /// Calls its callback with its outcome.
    fn call_back(self);
}

impl Custom for Infallible {
    fn bytes(&self) -> usize {
        match *self {}
    }

    fn fail(&mut self, _: &StoreError) {
        match *self {}
    }

    fn call_back(self) {
        match self {}
    }
}
