//! The contract of a backend as runnable checks.
//!
//! [`run`] checks what stands under *Behavior* at [`MediaBackend`] and [`Ownership`], and panics with
//! the name of the first check that the backend fails; [`run_one`] runs one check by its name.
//!
//! Every check creates its own owners, so the backend may be in use and hold other media, and checks may
//! run in any order and concurrently. They leave some thousand tiny images behind: only checks of
//! deletion delete. One check writes a file to the system's temporary folder, and deletes it.
//!
//! A backend that does not support renditions, tenants, deletion from one scope, lookup by hash,
//! deletion for any owner or explanations passes if those calls fail with
//! [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
//!
//! # Example
//!
//! ```
//! use tower_media::{testkit::conformance, InMemory};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! conformance::run(&InMemory::new()).await;
//! # }
//! ```
//!
//! [`Ownership`]: crate::Ownership

mod checker;
mod deletion;
mod delivery;
mod list;
mod owned;
mod owners;
mod search;
mod upload;

use self::checker::Checker;
use crate::backend::MediaBackend;

macro_rules! checks {
    ($($module:ident { $($check:ident)* })*) => {
        /// The names of all checks, in the order of [`run`].
        const NAMES: &[&str] = &[$($(stringify!($check),)*)*];

        /// Runs all checks, one after the other.
        ///
        /// # Panics
        ///
        /// If the backend fails a check. The message names the check and the difference.
        pub async fn run(backend: &impl MediaBackend) {
            $($($module::$check(&Checker::new(backend, stringify!($check))).await;)*)*
        }

        /// Runs the check of this name.
        ///
        /// # Panics
        ///
        /// If the backend fails the check, or if the name is unknown: the message then lists all
        /// names.
        ///
        /// # Example
        ///
        /// ```
        /// use tower_media::{testkit::conformance, InMemory};
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() {
        /// conformance::run_one(&InMemory::new(), "equal_bytes_are_one_record").await;
        /// # }
        /// ```
        pub async fn run_one(backend: &impl MediaBackend, name: &str) {
            $($(if name == stringify!($check) {
                return $module::$check(&Checker::new(backend, stringify!($check))).await;
            })*)*
            panic!("unknown conformance check `{name}`; the checks are {}", NAMES.join(", "));
        }
    };
}

checks! {
    upload {
        upload_is_owned_and_listed_at_once
        record_describes_the_upload
        chunked_upload_is_whole
        upload_from_path_is_whole
        empty_upload_is_kept_or_refused
        equal_bytes_are_one_record
        concurrent_equal_uploads_are_one_record
        invalid_scope_is_refused
        failed_upload_leaves_nothing
        dropped_upload_leaves_nothing
    }
    delivery {
        original_is_returned_unchanged
        range_returns_its_bytes_or_the_whole
        range_beyond_the_end_is_refused_or_the_whole
        rendition_is_never_the_original
        unknown_media_is_not_found
        urls_reveal_only_the_id
    }
    deletion {
        deleted_media_is_unknown
        another_owner_cannot_delete
        upload_after_deletion_is_new
    }
    list {
        pages_list_each_record_once
        list_is_newest_first
        list_filters_by_scope
        pages_are_stable_under_changes
        unknown_page_token_is_refused
        stats_agree_with_list
    }
    search {
        search_agrees_with_list
    }
    owned {
        ownership_answer_is_exact
        ownership_in_any_scope_counts
        repeated_ids_change_nothing
        ids_are_compared_by_bytes
        explanation_is_true
    }
    owners {
        equal_bytes_of_two_owners_stay_apart
        deletion_leaves_other_owners_records
        similar_owners_stay_apart
        similar_scopes_stay_apart
    }
    deletion {
        deletion_from_scope_keeps_other_scopes
        deletion_from_scope_leaves_other_owners
    }
    search {
        record_is_found_by_hash_until_deleted
        admin_deletion_deletes_one_record
        health_check_passes
    }
}
