//! Which users are present on whatever node, which nodes are alive, and which users have left this one.
//!
//! A user's presence is the set of nodes on which the user has a device. An entry is valid while its node renews its lease,
//! each second; nothing is renewed for each user. When the lease of a node has run out, another adopts its users, as if
//! they had left it a moment ago: the partners of those who do not reconnect within the grace period are notified.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};

use super::limits::{HEARTBEAT, PIPELINE, RESPONSE, SILENCE};
use super::names::{adoption_key, nodes_key, presence_key, user_channel, users_key};
use super::node::{ChannelRequest, Outgoing, RedisBus};
use crate::bus::api::{Presence, PresenceEvent, PresenceVersion};
use crate::bus::wire::WireEvent;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// For how many seconds a lease is valid, by the clock of Redis.
const LEASE_SECONDS: u64 = 5;
/// How often users who have left are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// For how long one node may adopt users of a dead one, in milliseconds, before a third one helps.
const ADOPTION_MILLISECONDS: u64 = 5_000;

/// Renews a node's lease. `ARGV`: node, seconds. Answers 1 if the node was not known, and the nodes whose lease has run
/// out, each with the second of its last heartbeat.
const ALIVE: &str = r"
local now = tonumber(redis.call('TIME')[1])
local is_new = redis.call('ZADD', KEYS[1], now, ARGV[1])
return {is_new, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - ARGV[2]), 'WITHSCORES')}";

/// Makes a node known before users are noted as present on it: otherwise nobody would adopt them if the node died before
/// its first heartbeat, or while it notes many. `ARGV`: node. Answers with the node if it was not known.
const KNOWN: &str = r"
local is_new = redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
if is_new == 1 then return {ARGV[1]} end
return {}";

/// Ends the lease of a node that shuts down. `ARGV`: node, seconds.
const GONE: &str = r"
redis.call('ZADD', KEYS[1], redis.call('TIME')[1] - ARGV[2] - 1, ARGV[1])
return 0";

/// Adds a node to those of a user, or removes it. `ARGV`: `SADD` or `SREM`, node. Answers the version of the change, which
/// is the time in microseconds, and which nodes there are then.
const CHANGE: &str = r"
redis.call(ARGV[1], KEYS[1], ARGV[2])
local time = redis.call('TIME')
return {time[1] * 1000000 + time[2], redis.call('SMEMBERS', KEYS[1])}";

/// The version of a change, and the nodes on which the user is present then.
type Change = (PresenceVersion, Vec<String>);

/// A node whose lease has run out, and the second of its last heartbeat.
type Dead = (String, u64);

#[async_trait]
impl Presence for RedisBus {
    async fn set_present(&self, users: &[Id], are_present: bool) -> Vec<Option<PresenceVersion>> {
        match self.change_presence(users, are_present).await {
            // A dead node counts: its users are present until the node that adopts them notifies their partners.
            Some(changes) => {
                let is_other = |node: &String| *node != self.node;
                let version = |(version, nodes): Change| (!nodes.iter().any(is_other)).then_some(version);
                changes.into_iter().map(version).collect()
            }
            // While Redis is away each node decides by itself.
            None => vec![Some(PresenceVersion::UNKNOWN); users.len()],
        }
    }

    async fn publish_presence(&self, event: &PresenceEvent, users: &[Id]) {
        let PresenceEvent { user: subject, version, name, argument } = event;
        self.hub
            .publish_presence_if(event, users, |user| self.admits_presence(user, subject, *version, argument))
            .await;
        // While Redis is away nobody waits for it.
        if self.link.lock().is_none() {
            return;
        }
        let Ok(argument) = serde_json::from_str::<&RawValue>(argument) else { return };
        for user in users {
            let event = WireEvent::Event {
                name: (*name).into(),
                argument,
                conversation: None,
                // One event a user: a list of all users would be sent to each of them.
                users: vec![user.clone()],
                presence: Some((subject.clone(), *version)),
            };
            let outgoing = Outgoing { channels: vec![user_channel(user)], payload: self.envelope(event) };
            // When Redis is slower than what is published, the event is out of date by the time that it arrives.
            if !matches!(timeout(RESPONSE, self.low_priority.send(outgoing)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    async fn present_elsewhere(&self, users: &[Id]) -> Vec<bool> {
        if users.is_empty() {
            return Vec::new();
        }
        self.nodes_of(users).await.unwrap_or_else(|| vec![false; users.len()])
    }
}

impl RedisBus {
    /// Renews this node's lease, adopts the users of dead nodes, and unsubscribes from the channels of users who have left,
    /// for as long as the bus is there.
    pub(super) async fn keep_lease(self: Arc<Self>) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_beat = None;
        // While Redis was away no node could renew its lease: each gets the time to.
        let mut trusted_from = Instant::now();
        loop {
            tokio::select! {
                _ = sweep.tick() => {
                    // The listener runs for as long as the bus is there.
                    self.sequencer.sweep(|user| drop(self.channel_requests.send(ChannelRequest::Remove(user))));
                }
                _ = beat.tick() => {
                    if last_beat.is_some_and(|last: Instant| last.elapsed() > SILENCE) {
                        trusted_from = Instant::now() + Duration::from_secs(LEASE_SECONDS);
                    }
                    // A beat that fails is repeated with the next one.
                    let begin = Instant::now();
                    if self.beat(begin >= trusted_from).await.is_some() {
                        last_beat = Some(begin);
                    }
                }
            }
        }
    }

    /// Renews the lease; `None` if Redis does not answer. Nodes whose lease has run out count as dead if
    /// `are_leases_trusted`.
    async fn beat(&self, are_leases_trusted: bool) -> Option<()> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(ALIVE).arg(1).arg(nodes_key()).arg(&self.node).arg(LEASE_SECONDS);
        let [(is_new, mut dead)]: [(bool, Vec<Dead>); 1] = self.query(&pipeline).await?;
        if !are_leases_trusted {
            dead.clear();
        }
        *self.dead_nodes.lock() = dead.iter().map(|(node, _)| node.clone()).collect();
        // Redis was away, or has lost its data, or other nodes have taken this one for dead.
        let must_announce = self.must_announce.swap(false, Ordering::AcqRel);
        if (is_new || must_announce) && self.announce().await.is_none() {
            self.must_announce.store(true, Ordering::Release);
            return None;
        }
        for (node, last_beat) in dead {
            self.adopt_users_of(&node, last_beat).await?;
        }
        Some(())
    }

    /// Notes all users who are present here, and removes those who left while Redis was away.
    async fn announce(&self) -> Option<()> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SMEMBERS").arg(users_key(&self.node));
        let [noted]: [Vec<String>; 1] = self.query(&pipeline).await?;
        // Users within the grace period are included: if they reconnect they are not noted again.
        let delegate = self.sequencer.delegate()?;
        let here = delegate.present();
        let is_here: HashSet<&Id> = here.iter().collect();
        let noted = noted.iter().filter_map(|name| Id::parse(name).ok());
        let left: Vec<Id> = noted.filter(|user| !is_here.contains(user)).collect();
        for users in here.chunks(PIPELINE).chain(left.chunks(PIPELINE)) {
            // They may have connected and left since; `set_present` waits meanwhile.
            let turn = self.presence_turn.lock().await;
            let (here, left): (Vec<Id>, Vec<Id>) =
                users.iter().cloned().partition(|user| delegate.is_present(user));
            self.change_noted(&here, true).await?;
            self.change_noted(&left, false).await?;
            drop(turn);
        }
        Some(())
    }

    /// Adopts the users of a dead node. It does no harm if several nodes do.
    async fn adopt_users_of(&self, node: &str, last_beat: u64) -> Option<()> {
        let mut lock = redis::pipe();
        lock.cmd("SET")
            .arg(adoption_key(node))
            .arg(&self.node)
            .arg("NX")
            .arg("PX")
            .arg(ADOPTION_MILLISECONDS);
        let [is_mine]: [bool; 1] = self.query(&lock).await?;
        if !is_mine {
            return Some(());
        }
        let mut count = 0;
        loop {
            let mut pipeline = redis::pipe();
            pipeline.cmd("SRANDMEMBER").arg(users_key(node)).arg(PIPELINE);
            let [names]: [Vec<String>; 1] = self.query(&pipeline).await?;
            if names.is_empty() {
                break;
            }
            let users: Vec<Id> = names.iter().filter_map(|name| Id::parse(name).ok()).collect();
            self.change_presence(&users, true).await?;
            let last_seen = i64::try_from(last_beat).unwrap_or(0).saturating_mul(1000);
            if let Some(delegate) = self.sequencer.delegate() {
                delegate.users_adopted(&users, Timestamp(last_seen));
            }
            let mut forget = redis::pipe();
            for name in &names {
                forget.cmd("SREM").arg(presence_key(name)).arg(node).ignore();
            }
            self.query::<()>(&forget).await?;
            // Last, and on another shard: while they are in this list, some node will adopt them.
            let mut forget = redis::pipe();
            forget.cmd("SREM").arg(users_key(node)).arg(&names).ignore();
            self.query::<()>(&forget).await?;
            count += names.len();
        }
        let mut forget = redis::pipe();
        forget.cmd("ZREM").arg(nodes_key()).arg(node).ignore();
        self.query::<()>(&forget).await?;
        tracing::warn!(node, users = count, "a node died: its users were adopted");
        Some(())
    }

    /// Notes whether users have a device here. `None` if Redis does not answer.
    async fn change_presence(&self, users: &[Id], are_present: bool) -> Option<Vec<Change>> {
        let turn = self.presence_turn.lock().await;
        let changed = self.change_noted(users, are_present).await;
        drop(turn);
        if changed.is_none() {
            // A part of it may be done.
            self.must_announce.store(true, Ordering::Release);
        }
        changed
    }

    /// As [`RedisBus::change_presence`], for a caller that has the turn.
    async fn change_noted(&self, users: &[Id], are_present: bool) -> Option<Vec<Change>> {
        if users.is_empty() {
            return Some(Vec::new());
        }
        let names: Vec<&str> = users.iter().map(Id::as_str).collect();
        // While a user has this node, the node's list has the user: otherwise nobody would adopt that user if this node
        // died. The shards of a cluster run one pipeline in no common order, hence several.
        if are_present {
            let mut list = redis::pipe();
            list.cmd("SADD").arg(users_key(&self.node)).arg(&names).ignore();
            list.cmd("EVAL").arg(KNOWN).arg(1).arg(nodes_key()).arg(&self.node);
            let [were_forgotten]: [Vec<String>; 1] = self.query(&list).await?;
            // The users that were noted before may be forgotten with it.
            if !were_forgotten.is_empty() {
                self.must_announce.store(true, Ordering::Release);
            }
        }
        let mut changes = redis::pipe();
        let change = if are_present { "SADD" } else { "SREM" };
        for name in &names {
            changes.cmd("EVAL").arg(CHANGE).arg(1).arg(presence_key(name)).arg(change).arg(&self.node);
        }
        let changes: Vec<(u64, Vec<String>)> = self.query(&changes).await?;
        if !are_present {
            let mut list = redis::pipe();
            list.cmd("SREM").arg(users_key(&self.node)).arg(&names).ignore();
            if self.query::<()>(&list).await.is_none() {
                // They are still in the list, so the next announcement finds them.
                self.must_announce.store(true, Ordering::Release);
            }
        }
        Some(changes.into_iter().map(|(version, nodes)| (PresenceVersion(version), nodes)).collect())
    }

    /// Whether `receiver` is to be notified of the presence of `user`.
    pub(super) fn admits_presence(
        &self,
        receiver: &Id,
        user: &Id,
        version: PresenceVersion,
        argument: &str,
    ) -> bool {
        self.presence.lock().admits(receiver, user, version, argument, Instant::now())
    }

    /// For each of the users whether another node has a device. `None` if Redis does not answer.
    async fn nodes_of(&self, users: &[Id]) -> Option<Vec<bool>> {
        let mut pipeline = redis::pipe();
        for user in users {
            pipeline.cmd("SMEMBERS").arg(presence_key(user.as_str()));
        }
        let answers: Vec<Vec<String>> = self.query(&pipeline).await?;
        Some(self.present_on_others(&answers))
    }

    fn present_on_others(&self, answers: &[Vec<String>]) -> Vec<bool> {
        let dead = self.dead_nodes.lock();
        let is_elsewhere = |node: &String| *node != self.node && !dead.contains(node);
        answers.iter().map(|nodes| nodes.iter().any(is_elsewhere)).collect()
    }

    /// Ends this node's lease, so that the others need not wait until it runs out.
    pub(super) async fn end_lease(&self) {
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(GONE).arg(1).arg(nodes_key()).arg(&self.node).arg(LEASE_SECONDS).ignore();
        // If it fails, the lease runs out by itself.
        _ = self.query::<()>(&pipeline).await;
    }
}
