//! Objects where objects are meant: what is derived for a body would read an array of its fields as
//! well, which has no names that could be unknown, and is in no document.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// Something that is read of an object, and of nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_map(Reader(PhantomData)).map(Object)
    }
}

/// For a field that may be left out.
pub(super) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Object<T>>::deserialize(deserializer).map(|found| found.map(|found| found.0))
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CancelBody, CodeBody, RequestBody};
    use super::*;

    #[test]
    fn a_body_is_an_object_and_so_is_what_is_in_it() {
        fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<(), String> {
            serde_json::from_str::<Object<T>>(text).map(|_| ()).map_err(|error| error.to_string())
        }
        assert_eq!(read::<CodeBody>("{\"code\": \"1\"}"), Ok(()));
        let wish = |narrow: &str| format!("{{\"role\": \"a\", \"reason\": \"b\", \"narrow\": {narrow}}}");
        for good in ["null", "{}", "{\"operations\": [\"search\"]}"] {
            assert_eq!(read::<RequestBody>(&wish(good)), Ok(()), "{good}");
        }
        for bad in ["[]", "[null, [\"search\"]]", "\"\"", "{\"base\": null, \"base\": null}", "{\"bsae\": null}"] {
            assert!(read::<RequestBody>(&wish(bad)).is_err(), "{bad}");
        }
        for bad in ["[\"1\"]", "null", "\"1\"", "{\"code\": \"1\", \"code\": \"1\"}", "{\"code\": \"1\"} {}"] {
            assert!(read::<CodeBody>(bad).is_err(), "{bad}");
        }
        assert!(read::<CancelBody>("[]").is_err());
    }
}
