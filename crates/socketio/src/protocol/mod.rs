//! Socket.IO over a session: packets, namespaces, rooms, and what an application uses. `server` imports from here.

pub(crate) mod client;
pub(crate) mod encode;
pub(crate) mod hand_over;
pub(crate) mod namespace;
pub(crate) mod packet;
pub(crate) mod recovery;
pub(crate) mod rooms;
pub(crate) mod socket;
