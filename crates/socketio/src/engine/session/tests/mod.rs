//! - `orders`: random orders of all that can happen, through `world`, a session with its client and its driver, of whom
//!   each is a `waiter`; `random`: numbers that a seed decides
//! - `cases`: orders that are known to be hard, one by one

mod cases;
mod orders;
mod random;
mod waiter;
mod world;
