//! - `orders`: random orders of all that can happen, through `world`, a session with its client and its driver
//! - `cases`: orders that are known to be hard, one by one

mod cases;
mod orders;
mod random;
mod world;
