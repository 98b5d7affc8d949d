//! Ids in the shapes that HTML forms and query strings have.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer as _},
};

use super::MediaIds;
use crate::{
    id::{InvalidMediaId, UnverifiedId},
    ownership::IdCollector,
};

/// Deserialises an empty text as `None`: an optional field that an HTML form sends although the user left
/// it empty.
///
/// # Example
///
/// ```
/// use axum::{Form, Router, routing::post};
/// use tower_media::{
///     extract::empty_as_none,
///     MediaIds,
///     MediaState,
///     UnverifiedId,
///     VerifiedMedia,
///     VerifyMediaLayer,
/// };
///
/// #[derive(serde::Deserialize, MediaIds)]
/// struct Profile {
///     name: String,
///     #[serde(default, deserialize_with = "empty_as_none")]
///     cover: Option<UnverifiedId>,
/// }
///
/// async fn save(VerifiedMedia(Form(profile), owned): VerifiedMedia<Form<Profile>>) -> String {
///     format!("{}: {:?}", profile.name, profile.cover.map(|cover| owned[&cover].clone()))
/// }
///
/// let guard = VerifyMediaLayer::<Form<Profile>>::new(MediaState::in_memory()).id_count(0..=1);
/// let app: Router = Router::new().route("/profile", post(save).layer(guard));
/// # let form = "name=Ana&cover=";
/// # assert_eq!(serde_html_form::from_str::<Profile>(form).unwrap().cover, None);
/// ```
///
/// # Errors
///
/// Those of `T` for any other text.
pub fn empty_as_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    match Option::<Cow<'de, str>>::deserialize(deserializer)? {
        Some(text) if !text.is_empty() => T::deserialize(text.into_deserializer()).map(Some),
        _ => Ok(None),
    }
}

/// Media ids in one comma-separated text, such as the value of `?ids=a,b,c`.
///
/// It deserialises from a string. Each id must be valid (see [`InvalidMediaId`]): blanks around a comma are
/// not trimmed, and an empty element is an error. The empty string is the empty list.
///
/// # Example
///
/// ```
/// use axum::{Router, extract::Query, routing::get};
/// use tower_media::{extract::IdList, MediaIds, MediaState, VerifiedMedia, VerifyMediaLayer};
///
/// #[derive(serde::Deserialize, MediaIds)]
/// struct Selection {
///     ids: IdList,
/// }
///
/// async fn show(VerifiedMedia(Query(selected), owned): VerifiedMedia<Query<Selection>>) -> String {
///     let ids = selected.ids.iter().map(|id| owned[id].as_str());
///     ids.collect::<Vec<_>>().join(" ")
/// }
///
/// let guard = VerifyMediaLayer::<Query<Selection>>::new(MediaState::in_memory()).id_count(1..=20);
/// let app: Router = Router::new().route("/pictures", get(show).layer(guard));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdList(Vec<UnverifiedId>);

impl IdList {
    /// Returns the ids in the order of the text, repeats included.
    pub fn as_slice(&self) -> &[UnverifiedId] {
        &self.0
    }

    /// Returns an iterator over the ids in the order of the text, repeats included.
    pub fn iter(&self) -> std::slice::Iter<'_, UnverifiedId> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a IdList {
    type Item = &'a UnverifiedId;
    type IntoIter = std::slice::Iter<'a, UnverifiedId>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for IdList {
    type Item = UnverifiedId;
    type IntoIter = std::vec::IntoIter<UnverifiedId>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl MediaIds for IdList {
    fn media_ids(&self, ids: &mut IdCollector) {
        self.0.media_ids(ids);
    }
}

impl FromStr for IdList {
    type Err = InvalidMediaId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split(',').map(UnverifiedId::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl<'de> Deserialize<'de> for IdList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;

        impl de::Visitor<'_> for ListVisitor {
            type Value = IdList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("media ids separated by commas")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(ListVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Optional {
        #[serde(default, deserialize_with = "empty_as_none")]
        cover: Option<UnverifiedId>,
    }

    fn id(text: &str) -> UnverifiedId {
        UnverifiedId::parse(text).expect("an id")
    }

    #[test]
    fn empty_as_none_reads_missing_empty_and_valid_ids() {
        for (form, cover) in [("", None), ("cover=", None), ("cover=m-1", Some(id("m-1")))] {
            let read: Optional = serde_html_form::from_str(form).expect(form);
            assert_eq!(read.cover, cover, "{form}");
        }
        for (json, cover) in [
            ("{}", None),
            (r#"{"cover": null}"#, None),
            (r#"{"cover": ""}"#, None),
            (r#"{"cover": "m\u002d1"}"#, Some(id("m-1"))),
        ] {
            let read: Optional = serde_json::from_str(json).expect(json);
            assert_eq!(read.cover, cover, "{json}");
        }
    }

    #[test]
    fn g10_empty_as_none_accepts_no_other_spelling() {
        for form in ["cover=+", "cover=..", "cover=%20m-1", "cover=null%00"] {
            assert!(serde_html_form::from_str::<Optional>(form).is_err(), "{form}");
        }
        assert!(serde_json::from_str::<Optional>(r#"{"cover": 1}"#).is_err());
    }

    #[test]
    fn g10_each_element_of_an_id_list_is_judged() {
        let list = |text: &str| text.parse::<IdList>().map(|list| list.0);
        assert_eq!(list(""), Ok(vec![]));
        assert_eq!(list("a"), Ok(vec![id("a")]));
        assert_eq!(list("a,b,a"), Ok(vec![id("a"), id("b"), id("a")]));
        for text in [",", "a,", ",a", "a,,b", "a, b", " a", "a;b", "a,..", "a,b\0"] {
            assert_eq!(list(text), Err(InvalidMediaId), "{text:?}");
        }
        assert!(serde_json::from_str::<IdList>(r#"["a"]"#).is_err());
    }
}
