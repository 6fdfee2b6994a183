//! Who is there, on whatever node; which nodes are there; and who no longer is on this one.
//!
//! A user's presence names the nodes on which the user has a device, and holds for as long as those nodes say, each
//! second, that they are there. Nothing is renewed by user. When a node has said nothing for a while, another takes its
//! users over, as if they had gone from there a moment ago: who does not come back within the grace is told of.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{ChannelRequest, HEARTBEAT, PIPELINE, PREFIX, RESPONSE, RedisBus, SILENCE};
use crate::id::Id;
use crate::timestamp::Timestamp;

/// For how many seconds a node's word holds, by the clock of Redis.
const LEASE_SECONDS: u64 = 5;
/// How often users who are gone are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// For how long one node may take over a part of another's users, in milliseconds, before a third one helps.
const ADOPTION_MILLISECONDS: u64 = 5_000;

/// A node is there. `ARGV`: node, seconds. Answers 1 if it was not known, and the nodes that are no longer there, each
/// with the second of its last word.
const ALIVE: &str = r"
local now = tonumber(redis.call('TIME')[1])
local is_new = redis.call('ZADD', KEYS[1], now, ARGV[1])
return {is_new, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - ARGV[2]), 'WITHSCORES')}";

/// Whoever is noted as present is on a node that is there, also if that ends before it has said so for the first time, or
/// has too much to note to say so in between.
/// `ARGV`: node. Answers with the node if it was not known.
const KNOWN: &str = r"
local is_new = redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
if is_new == 1 then return {ARGV[1]} end
return {}";

/// A node ends in order: its word no longer holds. `ARGV`: node, seconds.
const GONE: &str = r"
redis.call('ZADD', KEYS[1], redis.call('TIME')[1] - ARGV[2] - 1, ARGV[1])
return 0";

/// A user has a device on a node, or no longer. `ARGV`: `SADD` or `SREM`, node. Answers the nodes that there are then.
const CHANGE: &str = r"
redis.call(ARGV[1], KEYS[1], ARGV[2])
return redis.call('SMEMBERS', KEYS[1])";

/// A node whose word no longer holds, and when it was last there.
type Gone = (String, u64);

impl RedisBus {
    /// Says that this node is there, takes over the users of nodes that are not, and gives up the channels of users who
    /// are gone.
    pub(super) async fn look_after(self: Arc<Self>) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_word = None;
        // When Redis was away, no node could say that it is there: each has its time to.
        let mut trusted_from = Instant::now();
        loop {
            tokio::select! {
                _ = sweep.tick() => {
                    // The listener is there for as long as the bus is.
                    self.sequencer.sweep(|user| drop(self.channel_requests.send(ChannelRequest::Remove(user))));
                }
                _ = beat.tick() => {
                    if last_word.is_some_and(|last: Instant| last.elapsed() > SILENCE) {
                        trusted_from = Instant::now() + Duration::from_secs(LEASE_SECONDS);
                    }
                    // What was away comes with the next beat.
                    let begin = Instant::now();
                    if self.beat(begin >= trusted_from).await.is_some() {
                        last_word = Some(begin);
                    }
                }
            }
        }
    }

    /// Tells Redis that this node is there; `None` if Redis does not answer. Whoever has not said so is gone, if
    /// `are_trusted` is what Redis knows of the others.
    async fn beat(&self, are_trusted: bool) -> Option<()> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(ALIVE).arg(1).arg(nodes_key()).arg(&self.node).arg(LEASE_SECONDS);
        let [(is_new, mut gone)]: [(bool, Vec<Gone>); 1] = self.ask(&pipeline).await?;
        if !are_trusted {
            gone.clear();
        }
        *self.gone.lock() = gone.iter().map(|(node, _)| node.clone()).collect();
        // Redis was away, or has lost what was said, or the others have taken this node for dead.
        let must_announce = self.must_announce.swap(false, Ordering::AcqRel);
        if (is_new || must_announce) && self.announce().await.is_none() {
            self.must_announce.store(true, Ordering::Release);
            return None;
        }
        for (node, last_word) in gone {
            self.adopt_users_of(&node, last_word).await?;
        }
        Some(())
    }

    /// Says of all users who are present here that they are, and of those who went while Redis was away that they aren't.
    async fn announce(&self) -> Option<()> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SMEMBERS").arg(users_key(&self.node));
        let [noted]: [Vec<String>; 1] = self.ask(&pipeline).await?;
        // Who is within the grace, and comes back, is not noted again.
        let source = self.sequencer.source()?;
        let here = source.present();
        let is_here: HashSet<&Id> = here.iter().collect();
        let noted = noted.iter().filter_map(|name| Id::parse(name).ok());
        let gone: Vec<Id> = noted.filter(|user| !is_here.contains(user)).collect();
        for users in here.chunks(PIPELINE).chain(gone.chunks(PIPELINE)) {
            // They may have come and gone since; who notes that waits.
            let turn = self.presence_turn.lock().await;
            let (here, gone): (Vec<Id>, Vec<Id>) =
                users.iter().cloned().partition(|user| source.is_present(user));
            self.change_noted(&here, true).await?;
            self.change_noted(&gone, false).await?;
            drop(turn);
        }
        Some(())
    }

    /// Takes over the users of a node that is gone; several nodes may, it is the same.
    async fn adopt_users_of(&self, node: &str, last_word: u64) -> Option<()> {
        let mut lock = redis::pipe();
        let key = format!("{PREFIX}adopting:{node}");
        lock.cmd("SET").arg(key).arg(&self.node).arg("NX").arg("PX").arg(ADOPTION_MILLISECONDS);
        let [is_mine]: [bool; 1] = self.ask(&lock).await?;
        if !is_mine {
            return Some(());
        }
        let mut count = 0;
        loop {
            let mut pipeline = redis::pipe();
            pipeline.cmd("SRANDMEMBER").arg(users_key(node)).arg(PIPELINE);
            let [names]: [Vec<String>; 1] = self.ask(&pipeline).await?;
            if names.is_empty() {
                break;
            }
            let users: Vec<Id> = names.iter().filter_map(|name| Id::parse(name).ok()).collect();
            self.change_presence(&users, true).await?;
            let last_seen = i64::try_from(last_word).unwrap_or(0).saturating_mul(1000);
            if let Some(source) = self.sequencer.source() {
                source.users_adopted(&users, Timestamp(last_seen));
            }
            let mut forget = redis::pipe();
            for name in &names {
                forget.cmd("SREM").arg(presence_key(name)).arg(node).ignore();
            }
            self.ask::<()>(&forget).await?;
            // On another shard, and last: as long as they are in this list somebody looks after them.
            let mut forget = redis::pipe();
            forget.cmd("SREM").arg(users_key(node)).arg(&names).ignore();
            self.ask::<()>(&forget).await?;
            count += names.len();
        }
        let mut forget = redis::pipe();
        forget.cmd("ZREM").arg(nodes_key()).arg(node).ignore();
        self.ask::<()>(&forget).await?;
        tracing::warn!(node, users = count, "a node is gone: its users were taken over");
        Some(())
    }

    /// Notes whether users have a device here; answers for each whether another node has one. `None` if Redis does
    /// not answer.
    pub(super) async fn change_presence(&self, users: &[Id], are_present: bool) -> Option<Vec<bool>> {
        let turn = self.presence_turn.lock().await;
        let changed = self.change_noted(users, are_present).await;
        drop(turn);
        if changed.is_none() {
            // A part of it may have been done.
            self.must_announce.store(true, Ordering::Release);
        }
        changed
    }

    /// As [`RedisBus::change_presence`], for who has the turn.
    async fn change_noted(&self, users: &[Id], are_present: bool) -> Option<Vec<bool>> {
        if users.is_empty() {
            return Some(Vec::new());
        }
        let names: Vec<&str> = users.iter().map(Id::as_str).collect();
        // Whoever is noted as present is in the node's list, from before to after, so that nobody is forgotten when it
        // dies. The shards of a cluster keep no order in what is asked at once.
        if are_present {
            let mut list = redis::pipe();
            list.cmd("SADD").arg(users_key(&self.node)).arg(&names).ignore();
            list.cmd("EVAL").arg(KNOWN).arg(1).arg(nodes_key()).arg(&self.node);
            let [were_forgotten]: [Vec<String>; 1] = self.ask(&list).await?;
            // What others said of this node may be gone with it.
            if !were_forgotten.is_empty() {
                self.must_announce.store(true, Ordering::Release);
            }
        }
        let mut changes = redis::pipe();
        let change = if are_present { "SADD" } else { "SREM" };
        for name in &names {
            changes.cmd("EVAL").arg(CHANGE).arg(1).arg(presence_key(name)).arg(change).arg(&self.node);
        }
        let nodes: Vec<Vec<String>> = self.ask(&changes).await?;
        if !are_present {
            let mut list = redis::pipe();
            list.cmd("SREM").arg(users_key(&self.node)).arg(&names).ignore();
            if self.ask::<()>(&list).await.is_none() {
                // They are in the list still, so the next round finds them.
                self.must_announce.store(true, Ordering::Release);
            }
        }
        Some(self.are_elsewhere(&nodes))
    }

    /// For each of the users whether another node has a device. `None` if Redis does not answer.
    pub(super) async fn look_elsewhere(&self, users: &[Id]) -> Option<Vec<bool>> {
        let mut pipeline = redis::pipe();
        for user in users {
            pipeline.cmd("SMEMBERS").arg(presence_key(user.as_str()));
        }
        let answers: Vec<Vec<String>> = self.ask(&pipeline).await?;
        Some(self.are_elsewhere(&answers))
    }

    fn are_elsewhere(&self, answers: &[Vec<String>]) -> Vec<bool> {
        let gone = self.gone.lock();
        let is_elsewhere = |node: &String| *node != self.node && !gone.contains(node);
        answers.iter().map(|nodes| nodes.iter().any(is_elsewhere)).collect()
    }

    /// The others need not wait until they miss this node.
    pub(super) async fn end_lease(&self) {
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(GONE).arg(1).arg(nodes_key()).arg(&self.node).arg(LEASE_SECONDS).ignore();
        // Else they notice by themselves.
        _ = self.ask::<()>(&pipeline).await;
    }

    /// Asks Redis; `None` if it does not answer.
    pub(super) async fn ask<T: redis::FromRedisValue>(&self, pipeline: &redis::Pipeline) -> Option<T> {
        let link = self.questions.lock().clone()?;
        match timeout(RESPONSE, link.query(pipeline)).await {
            Ok(Ok(answers)) => Some(answers),
            Ok(Err(error)) => {
                tracing::warn!(%error, "Redis did not answer a question");
                None
            }
            Err(_) => {
                tracing::warn!("Redis did not answer a question in time");
                None
            }
        }
    }
}

/// The nodes whose word no longer holds.
pub(super) type GoneNodes = HashSet<String>;

/// When each node was last there.
fn nodes_key() -> String {
    format!("{PREFIX}nodes")
}

/// The users of a node.
fn users_key(node: &str) -> String {
    format!("{PREFIX}users-of:{node}")
}

/// The nodes of a user.
fn presence_key(user: &str) -> String {
    format!("{PREFIX}nodes-of:{user}")
}
