//! The media ids of a payload.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque},
    marker::PhantomData,
    rc::Rc,
    sync::Arc,
};

use axum::{
    Form, Json,
    extract::{Path, Query},
};

use crate::{
    id::{MediaId, UnverifiedId},
    ownership::IdCollector,
};

/// Lists the media ids of a payload.
///
/// Derive it. The derive collects from **every** field, so the ids of a new field are verified without
/// another line of code, and a field of a type without `MediaIds` does not compile until
/// `#[media(skip)]` declares that it carries no ids.
///
/// An id is an [`UnverifiedId`]. Text, numbers and the other leaf types of the standard library carry no
/// ids, even a `String` with the text of one; containers carry the ids of their elements, maps those of
/// keys and values; axum's `Json`, `Form`, `Query` and `Path` carry those of their content; tuples carry
/// those of all their members (promise G11).
///
/// # Example
///
/// ```
/// use std::collections::HashMap;
/// use tower_media::{MediaIds, UnverifiedId};
///
/// #[derive(serde::Deserialize, MediaIds)]
/// struct Post {
///     text: String,
///     pictures: Vec<Picture>,
///     by_language: HashMap<String, UnverifiedId>,
///     #[media(skip)] // of another crate, without media ids
///     extra: serde_json::Value,
/// }
///
/// #[derive(serde::Deserialize, MediaIds)]
/// enum Picture {
///     Stored { id: UnverifiedId, alt: Option<String> },
///     Elsewhere(String),
/// }
/// # fn carries_ids<T: MediaIds>() {}
/// # carries_ids::<Post>();
/// ```
///
/// Implemented by hand, it is one line per id:
///
/// ```
/// use tower_media::{extract::IdCollector, MediaIds, UnverifiedId};
///
/// struct Crop(UnverifiedId, [u32; 4]);
///
/// impl MediaIds for Crop {
///     fn media_ids(&self, ids: &mut IdCollector) {
///         ids.add(&self.0);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` may carry media ids, and does not list them for verification",
    label = "does not implement `MediaIds`",
    note = "if `{Self}` is your type, write `#[derive(MediaIds)]` on it",
    note = "if it is a foreign type without media ids in a field, write `#[media(skip)]` on the field",
    note = "if it is a foreign type without media ids in an extractor, wrap the extractor in the guard and in \
            the handler: `Skip<Path<{Self}>>` for `Path<{Self}>`",
    note = "if it is a foreign type with media ids, create the layer with \
            `VerifyMediaLayer::with_ids(media, |payload| ..)`",
    note = "for a multipart form use `MultipartForm<T>`"
)]
pub trait MediaIds {
    /// `true` if ids come from path parameters, which only a layer inside of the routing can see.
    #[doc(hidden)]
    const READS_PATH: bool = false;

    /// Adds each id that `self` carries to `ids`.
    fn media_ids(&self, ids: &mut IdCollector);
}

impl MediaIds for UnverifiedId {
    fn media_ids(&self, ids: &mut IdCollector) {
        ids.add(self);
    }
}

macro_rules! carries_none {
    ($($leaf:ty),* $(,)?) => {
        $(impl MediaIds for $leaf {
            fn media_ids(&self, _: &mut IdCollector) {}
        })*
    };
}

carries_none! {
    (), bool, char, str, String,
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64,
    std::num::NonZeroU8, std::num::NonZeroU16, std::num::NonZeroU32, std::num::NonZeroU64,
    std::num::NonZeroUsize, std::num::NonZeroI32, std::num::NonZeroI64,
    std::time::Duration, std::time::SystemTime,
    std::net::IpAddr, std::net::Ipv4Addr, std::net::Ipv6Addr, std::net::SocketAddr,
    std::path::Path, std::path::PathBuf, bytes::Bytes,
    // Verified already: it does not deserialise, so no client can have sent it.
    MediaId,
}

// A UUID of another entity, such as an order, like a `String`. A media id is an `UnverifiedId`, also if the
// application's ids are UUIDs: `Uuid` reads five spellings of one.
#[cfg(feature = "uuid")]
carries_none!(uuid::Uuid);

impl<T: ?Sized> MediaIds for PhantomData<T> {
    fn media_ids(&self, _: &mut IdCollector) {}
}

macro_rules! carries_what_it_points_to {
    ($($pointer:ty),*) => {
        $(impl<T: MediaIds + ?Sized> MediaIds for $pointer {
            const READS_PATH: bool = T::READS_PATH;

            fn media_ids(&self, ids: &mut IdCollector) {
                (**self).media_ids(ids);
            }
        })*
    };
}

carries_what_it_points_to!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: MediaIds + ToOwned + ?Sized> MediaIds for Cow<'_, T> {
    fn media_ids(&self, ids: &mut IdCollector) {
        (**self).media_ids(ids);
    }
}

fn each<'a, T: MediaIds + 'a>(items: impl IntoIterator<Item = &'a T>, ids: &mut IdCollector) {
    for item in items {
        // The request is refused already: skip the remaining elements (promise G6).
        if ids.is_overflowed() {
            return;
        }
        item.media_ids(ids);
    }
}

macro_rules! carries_its_elements {
    ($($(#[$meta:meta])* ($($generics:tt)*) $list:ty),* $(,)?) => {
        $($(#[$meta])*
        impl<T: MediaIds, $($generics)*> MediaIds for $list {
            fn media_ids(&self, ids: &mut IdCollector) {
                each(self, ids);
            }
        })*
    };
}

carries_its_elements! {
    () [T], (const N: usize) [T; N], () Vec<T>, () VecDeque<T>, () LinkedList<T>, () BinaryHeap<T>,
    () BTreeSet<T>, (S) HashSet<T, S>,
}

impl<K: MediaIds, V: MediaIds> MediaIds for BTreeMap<K, V> {
    fn media_ids(&self, ids: &mut IdCollector) {
        each(self.keys(), ids);
        each(self.values(), ids);
    }
}

impl<K: MediaIds, V: MediaIds, S> MediaIds for HashMap<K, V, S> {
    fn media_ids(&self, ids: &mut IdCollector) {
        each(self.keys(), ids);
        each(self.values(), ids);
    }
}

impl<T: MediaIds> MediaIds for Option<T> {
    const READS_PATH: bool = T::READS_PATH;

    fn media_ids(&self, ids: &mut IdCollector) {
        each(self, ids);
    }
}

/// An extraction that may have failed. The error carries no ids.
impl<T: MediaIds, E> MediaIds for Result<T, E> {
    const READS_PATH: bool = T::READS_PATH;

    fn media_ids(&self, ids: &mut IdCollector) {
        each(self, ids);
    }
}

macro_rules! carries_what_it_wraps {
    ($($(#[$meta:meta])* $wrapper:ident: $reads_path:expr),* $(,)?) => {
        $($(#[$meta])*
        impl<T: MediaIds> MediaIds for $wrapper<T> {
            const READS_PATH: bool = $reads_path;

            fn media_ids(&self, ids: &mut IdCollector) {
                self.0.media_ids(ids);
            }
        })*
    };
}

carries_what_it_wraps!(Json: false, Form: false, Query: false, Path: true);

#[cfg(feature = "axum-extra")]
mod axum_extra {
    use ::axum_extra::extract::{Cached, Form, Query};

    use super::{IdCollector, MediaIds};

    carries_what_it_wraps!(Form: false, Query: false, Cached: T::READS_PATH);
}

macro_rules! carries_what_its_members_do {
    ($($member:ident)*) => {
        impl<$($member: MediaIds),*> MediaIds for ($($member,)*) {
            const READS_PATH: bool = $($member::READS_PATH)||*;

            #[allow(non_snake_case, reason = "members are named by their types")]
            fn media_ids(&self, ids: &mut IdCollector) {
                let ($($member,)*) = self;
                $($member.media_ids(ids);)*
            }
        }
    };
}

carries_what_its_members_do!(T1);
carries_what_its_members_do!(T1 T2);
carries_what_its_members_do!(T1 T2 T3);
carries_what_its_members_do!(T1 T2 T3 T4);
carries_what_its_members_do!(T1 T2 T3 T4 T5);
carries_what_its_members_do!(T1 T2 T3 T4 T5 T6);
carries_what_its_members_do!(T1 T2 T3 T4 T5 T6 T7);
carries_what_its_members_do!(T1 T2 T3 T4 T5 T6 T7 T8);
