//! The settings, as flags, environment variables or lines of the `.env` file. Above it is what is set; it imports the
//! engine alone.

mod base_path;
mod check;
#[cfg(test)]
mod document;
mod error;
mod origins;
mod parse;
mod secret_files;
mod settings;
mod values;
mod webhooks;

pub use self::base_path::BasePath;
pub use self::error::{ConfigError, explain};
pub use self::origins::{CorsOrigins, OriginList};
pub use self::parse::parse_duration;
pub use self::settings::Config;
pub use self::values::{Database, KeySetting, LogFormat, Secret, all_cores_but_one};
pub use self::webhooks::{WebhookUrl, new_webhook_secret};
