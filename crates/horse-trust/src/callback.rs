//! Completion callbacks.

/// Called once, with the result of what was asked for. It runs on the thread that has the result, so it must not block.
pub type Callback<T> = Box<dyn FnOnce(T) + Send>;
