//! A duration that travels as text: `45s`, `90m`, `1h30m`. Reading and writing are the engine's.

use crate::engine::time::{DurationError, format_duration, parse_duration};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// A duration that travels as text. What is less than a second is left out when written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = String, example = "1h30m", pattern = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$")]
pub struct DurationText(pub Duration);

impl std::fmt::Display for DurationText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format_duration(self.0))
    }
}

impl std::str::FromStr for DurationText {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<DurationText, DurationError> {
        parse_duration(text).map(DurationText)
    }
}

impl Serialize for DurationText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DurationText, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format_args!("{text:?} is {error}")))
    }
}
