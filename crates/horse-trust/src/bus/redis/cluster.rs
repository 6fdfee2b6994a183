//! A Redis Cluster: which shard has which keys and channels, and a connection to each.

use std::collections::HashMap;

use futures_util::future::{join_all, try_join_all};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    Arg, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult, Value,
};

use super::connect::{Settings, decode, failure, naming, open};

/// How many slots there are; each key and each channel is in one.
const SLOTS: usize = 16_384;
const CRC: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_XMODEM);

/// Connections to the masters of all shards; clones share them.
#[derive(Clone)]
pub(super) struct Cluster {
    shards: Vec<Shard>,
    map: std::sync::Arc<SlotMap>,
}

#[derive(Clone)]
struct Shard {
    info: ConnectionInfo,
    connection: MultiplexedConnection,
}

impl Cluster {
    /// Connects to the cluster that one of `known` belongs to: the first whose map of the slots all masters agree with.
    pub(super) async fn find(known: &[ConnectionInfo], settings: &Settings<'_>) -> RedisResult<Self> {
        let mut failures = Vec::new();
        for info in known {
            match Self::connect(info, settings).await {
                Ok(cluster) => return Ok(cluster),
                Err(error) => failures.push(error.to_string()),
            }
        }
        // Two of them may have failed alike.
        failures.dedup();
        Err(failure(failures.join("; ")))
    }

    async fn connect(info: &ConnectionInfo, settings: &Settings<'_>) -> RedisResult<Self> {
        let connection = open(info, settings).await?;
        let map = Shard { info: info.clone(), connection }.map().await?;
        let shards = map.masters.iter().map(async |(host, port)| {
            let info = info.clone().set_addr(beside(info.addr(), host, *port));
            let connection = open(&info, settings).await?;
            Ok::<_, RedisError>(Shard { info, connection })
        });
        let cluster = Self { shards: try_join_all(shards).await?, map: map.into() };
        cluster.check().await?;
        Ok(cluster)
    }

    /// Fails if a shard does not answer, or has another map of the slots.
    pub(super) async fn check(&self) -> RedisResult<()> {
        let maps = try_join_all(self.shards.iter().map(Shard::map)).await?;
        match maps.iter().position(|map| *map != *self.map) {
            Some(shard) => Err(failure(format!("{}: the slots have moved", self.shards[shard].info.addr()))),
            None => Ok(()),
        }
    }

    /// Where the masters are.
    pub(super) fn addresses(&self) -> Vec<ConnectionInfo> {
        self.shards.iter().map(|shard| shard.info.clone()).collect()
    }

    fn shard_of(&self, command: &Cmd) -> usize {
        // A script's first key comes after its text and the count of keys.
        let key = if argument(command, 0) == b"EVAL" { 3 } else { 1 };
        self.map.shard_of(argument(command, key))
    }
}

impl Shard {
    async fn map(&self) -> RedisResult<SlotMap> {
        let slots = redis::cmd("CLUSTER").arg("SLOTS").to_owned();
        let answer = slots.query_async(&mut self.connection.clone()).await;
        answer
            .and_then(|ranges: Vec<Vec<Value>>| SlotMap::new(&ranges, host_of(self.info.addr())))
            .map_err(|error| naming(&self.info, error))
    }
}

impl ConnectionLike for Cluster {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let shard = self.shard_of(command);
        self.shards[shard].connection.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        _: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let mut parts: HashMap<usize, (Pipeline, Vec<usize>)> = HashMap::new();
        for (place, command) in pipeline.cmd_iter().enumerate() {
            let (part, places) = parts.entry(self.shard_of(command)).or_default();
            part.add_command(command.clone());
            places.push(place);
        }
        Box::pin(async move {
            let answers = join_all(parts.into_iter().map(async |(shard, (part, places))| {
                let Shard { info, connection } = &self.shards[shard];
                let answers = part.query_async::<Vec<Value>>(&mut connection.clone()).await;
                (places, answers.map_err(|error| naming(info, error)))
            }));
            let mut all = vec![Value::Nil; count];
            // All shards have answered before the first error is returned.
            for (places, answers) in answers.await {
                for (place, answer) in places.into_iter().zip(answers?) {
                    all[place] = answer;
                }
            }
            Ok(all)
        })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

fn argument(command: &Cmd, index: usize) -> &[u8] {
    match command.args_iter().nth(index) {
        Some(Arg::Simple(argument)) => argument,
        _ => b"",
    }
}

/// Which shard has which slot.
#[derive(Debug, PartialEq, Eq)]
struct SlotMap {
    /// Host and port, in ascending order.
    masters: Vec<(String, u16)>,
    /// For each slot the index of its master.
    slots: Box<[usize]>,
}

impl SlotMap {
    /// As `CLUSTER SLOTS` says, asked at `host`: ranges, each with its first and last slot, its master and replicas.
    fn new(ranges: &[Vec<Value>], host: &str) -> RedisResult<Self> {
        let mut parsed = Vec::with_capacity(ranges.len());
        for range in ranges {
            let [first, last, master, ..] = &range[..] else {
                return Err(failure("CLUSTER SLOTS names a range without a master".to_owned()));
            };
            let master: Vec<Value> = decode(master)?;
            let [name, port, ..] = &master[..] else {
                return Err(failure("CLUSTER SLOTS names a master without an address".to_owned()));
            };
            let name = match decode::<Option<String>>(name)?.as_deref() {
                Some("?") => {
                    let message = "a shard does not know its own name: set its cluster-announce-hostname";
                    return Err(failure(message.to_owned()));
                }
                // An empty name means the server that was asked.
                None | Some("" | "0.0.0.0" | "::") => host.to_owned(),
                Some(name) => name.to_owned(),
            };
            parsed.push((decode::<usize>(first)?, decode::<usize>(last)?, (name, decode::<u16>(port)?)));
        }
        let mut masters: Vec<(String, u16)> = parsed.iter().map(|(_, _, master)| master.clone()).collect();
        masters.sort();
        masters.dedup();
        let mut slots = vec![usize::MAX; SLOTS].into_boxed_slice();
        for (first, last, master) in parsed {
            let Some(range) = slots.get_mut(first..=last) else {
                return Err(failure(format!("CLUSTER SLOTS names the slots {first} to {last}")));
            };
            range.fill(masters.partition_point(|other| *other < master));
        }
        match slots.iter().position(|shard| *shard == usize::MAX) {
            Some(slot) => Err(failure(format!("slot {slot} of the cluster is on no shard"))),
            None => Ok(Self { masters, slots }),
        }
    }

    /// The shard of a key or a channel. None of ours has a `{`, so all of it is hashed.
    fn shard_of(&self, key: &[u8]) -> usize {
        self.slots[usize::from(CRC.checksum(key)) % SLOTS]
    }
}

/// The same kind of address at another place.
fn beside(address: &ConnectionAddr, host: &str, port: u16) -> ConnectionAddr {
    match address.clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    }
}

fn host_of(address: &ConnectionAddr) -> &str {
    match address {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: usize, last: usize, host: Value, port: i64) -> Vec<Value> {
        let replica = Value::Array(vec![Value::BulkString(b"10.0.0.9".to_vec()), Value::Int(1)]);
        let number = |number| Value::Int(i64::try_from(number).unwrap());
        vec![number(first), number(last), Value::Array(vec![host, Value::Int(port)]), replica]
    }

    fn host(name: &str) -> Value {
        Value::BulkString(name.as_bytes().to_vec())
    }

    #[test]
    fn keys_are_where_the_specification_says() {
        // Its own example, and what `CLUSTER KEYSLOT` answers.
        assert_eq!(CRC.checksum(b"123456789"), 0x31C3);
        let map = SlotMap { masters: Vec::new(), slots: (0..SLOTS).collect() };
        assert_eq!(map.shard_of(b"foo"), 12_182);
        assert_eq!(map.shard_of(b"horse-trust:nodes"), 12_500);
    }

    #[test]
    fn slots_are_where_the_cluster_says() {
        let ranges = || {
            vec![
                range(10_000, 16_383, host("10.0.0.1"), 7),
                range(0, 4_999, host(""), 7),
                range(5_000, 9_999, Value::Nil, 8),
            ]
        };
        let map = SlotMap::new(&ranges(), "asked").unwrap();
        let masters: Vec<(&str, u16)> = map.masters.iter().map(|(host, port)| (&**host, *port)).collect();
        assert_eq!(masters, [("10.0.0.1", 7), ("asked", 7), ("asked", 8)]);
        let shards = [0, 4_999, 5_000, 9_999, 10_000, 16_383].map(|slot| map.slots[slot]);
        assert_eq!(shards, [1, 1, 2, 2, 0, 0]);
        let mut others = ranges();
        others.rotate_left(1);
        assert_eq!(map, SlotMap::new(&others, "asked").unwrap(), "in whatever order");
        assert_ne!(map, SlotMap::new(&ranges(), "elsewhere").unwrap());
    }

    #[test]
    fn what_is_no_whole_cluster_is_refused() {
        let refused = |ranges: Vec<Vec<Value>>| SlotMap::new(&ranges, "asked").unwrap_err().to_string();
        assert!(refused(Vec::new()).contains("slot 0 of the cluster is on no shard"));
        let hole = vec![range(0, 99, host("a"), 1), range(101, 16_383, host("b"), 1)];
        assert!(refused(hole).contains("slot 100 "));
        assert!(refused(vec![range(0, 16_384, host("a"), 1)]).contains("0 to 16384"));
        assert!(refused(vec![range(9, 3, host("a"), 1)]).contains("9 to 3"));
        assert!(refused(vec![range(0, 16_383, host("?"), 1)]).contains("cluster-announce-hostname"));
        assert!(refused(vec![vec![Value::Int(0), Value::Int(1)]]).contains("without a master"));
    }
}
