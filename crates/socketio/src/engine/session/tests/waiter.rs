//! Who waits for a session.

/// One who waits, and whether what it waits for was announced.
#[derive(Default, PartialEq)]
pub(super) enum Waiter {
    #[default]
    None,
    Waits,
    Woken,
}

impl Waiter {
    /// What it waits for is announced.
    pub(super) fn wake(&mut self) {
        if *self == Self::Waits {
            *self = Self::Woken;
        }
    }
}
