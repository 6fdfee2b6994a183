//! What only this engine can show: a full disk, a panic, a file in use, a file that is none of ours.

mod batches;
mod buffer;
mod clock;
mod files;
mod fixture;
