//! Lists conversations, and opens new ones.

use std::collections::HashSet;

use super::access::store_failed;
use super::service::Chat;
use crate::contract::Refusal;
use crate::id::Id;
use crate::store::{ConversationSummary, ListPlace, ListQuery, NewConversation};

impl Chat {
    /// The places of the user's conversations, newest first. What they show is read by [`Chat::summaries`], for as many
    /// at once as the caller wants to hold.
    pub async fn list(&self, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>, Refusal> {
        let _turn = self.reads.take(user).await?;
        self.store.conversation_list(user, query).await.map_err(store_failed("conversation_list"))
    }

    /// What the user's list shows of the conversations at these places, and who of the two in each is online.
    pub async fn summaries(
        &self,
        user: &Id,
        places: &[ListPlace],
    ) -> Result<(Vec<ConversationSummary>, HashSet<Id>), Refusal> {
        let _turn = self.reads.take(user).await?;
        let keys: Vec<_> = places.iter().map(|place| place.key).collect();
        let summaries = self.store.conversation_summaries(&keys, user).await;
        let summaries = summaries.map_err(store_failed("conversation_summaries"))?;
        let online = self.online_in(&summaries).await;
        Ok((summaries, online))
    }

    /// Which of the users in these conversations have a device connected, to whatever node.
    pub async fn online_in(&self, conversations: &[ConversationSummary]) -> HashSet<Id> {
        let participants = conversations.iter().flat_map(|summary| &summary.conversation.participants);
        self.online_among(participants.cloned().collect()).await
    }

    /// Which of these users have a device connected, to whatever node.
    pub async fn online_among(&self, users: HashSet<Id>) -> HashSet<Id> {
        let (mut online, away): (HashSet<Id>, HashSet<Id>) =
            users.into_iter().partition(|user| self.presence.lock().is_present(user));
        let away = Vec::from_iter(away);
        let elsewhere = self.bus.present_elsewhere(&away).await;
        online
            .extend(away.into_iter().zip(elsewhere).filter(|(_, is_there)| *is_there).map(|(user, _)| user));
        online
    }

    /// The one conversation of `user` and `recipient` about that horse, opened if there is none. The recipient does not see
    /// it before it has a message. The caller has counted it ([`Chat::count_opening`]).
    pub async fn open_conversation(
        &self,
        user: &Id,
        recipient: &str,
        horse: Option<&str>,
    ) -> Result<ConversationSummary, Refusal> {
        let recipient = Id::parse(recipient).map_err(|_| Refusal::InvalidRecipient)?;
        let horse_id = horse.map(Id::parse).transpose().map_err(|_| Refusal::InvalidHorse)?;
        if recipient == *user {
            return Err(Refusal::MessageToSelf);
        }
        if self.store.user(&recipient).await.map_err(store_failed("user"))?.is_none() {
            return Err(Refusal::UserNotFound);
        }
        self.blocks_between(user, &recipient).await?.check()?;
        let new = NewConversation { participants: [user.clone(), recipient], horse_id };
        let opened = self.store.open_conversation(new).await.map_err(store_failed("open_conversation"))?;
        let summary = self.store.conversation_summary(opened.key, user).await;
        summary.map_err(store_failed("conversation_summary"))?.ok_or(Refusal::StoreFailed)
    }

    /// Counts a conversation that `user` opens, over all nodes, for whatever recipient. It costs the server as much as a
    /// message.
    pub async fn count_opening(&self, user: &Id) -> Result<(), Refusal> {
        self.take_from_all_nodes(user, self.limits.opening(user)?).await
    }
}
