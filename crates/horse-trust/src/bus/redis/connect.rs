//! Connects to one Redis server; its errors name the server and hide the password.

use std::io;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, FromRedisValue, RedisError, RedisResult, Value};

use super::limits::RESPONSE;

/// The settings of a connection, from those of its URL.
pub(super) type Settings<'a> = dyn Fn(&ConnectionInfo) -> (ConnectionInfo, AsyncConnectionConfig) + Sync + 'a;

/// The timeouts of a connection.
pub(super) fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(RESPONSE)).set_response_timeout(Some(RESPONSE))
}

/// Connects; errors name the server.
pub(super) async fn open(
    info: &ConnectionInfo,
    settings: &Settings<'_>,
) -> RedisResult<MultiplexedConnection> {
    let (changed, config) = settings(info);
    let connection =
        async { Client::open(changed)?.get_multiplexed_async_connection_with_config(&config).await };
    connection.await.map_err(|error| match error.to_string() {
        // Its answer repeats what it was sent, which may be a password.
        text if text.to_lowercase().contains("unknown command") => {
            naming(info, "it does not know HELLO or AUTH; version 6 or later of Redis does, or Valkey")
        }
        text => naming(info, text),
    })
}

/// An error that names its server.
pub(super) fn naming(info: &ConnectionInfo, error: impl std::fmt::Display) -> RedisError {
    failure(format!("{}: {error}", info.addr()))
}

pub(super) fn failure(message: String) -> RedisError {
    io::Error::other(message).into()
}

pub(super) fn decode<T: FromRedisValue>(value: &Value) -> RedisResult<T> {
    Ok(redis::from_redis_value(value.clone())?)
}
