//! The recorded requests that this crate never makes, with reasons.

use std::ops::RangeInclusive;

/// Recording, lines, reason.
type NotSent = (&'static str, &'static [RangeInclusive<usize>], &'static str);

pub const NOT_SENT: &[NotSent] = &[
    ("config", &[1..=2, 4..=6], "no `Origin`, no preflight"),
    ("config", &[13..=13], "the statistics are counted from lists"),
    ("delete", &[4..=5], "an id is never empty"),
    ("delete", &[15..=15], "no query on deletion"),
    ("file", &[2..=2, 67..=67], "no HEAD"),
    ("file", &[6..=9, 11..=11], "no conditions, `Origin`, encodings"),
    ("file", &[24..=24], "no slash at the end"),
    ("file", &[25..=25, 62..=66], "only the names of `Variant`"),
    ("get", &[2..=2, 20..=22], "only GET"),
    ("get", &[5..=7], "a UUID has one spelling"),
    ("get", &[8..=8, 13..=15], "no such `MediaId`"),
    ("get", &[16..=17], "no slash at the end, no query"),
    ("get", &[23..=23], "no key is sent unless configured"),
    ("hash", &[3..=6, 8..=8], "no such `ContentHash`"),
    ("hash", &[9..=11], "no HEAD, no such route"),
    ("health", &[2..=4], "only GET, no `Origin`"),
    ("limits", &[9..=10], "the bodies were not recorded"),
    ("limits", &[11..=11, 15..=16], "no such `MediaId`, no such route"),
    ("limits", &[12..=12], "no other fields"),
    ("limits", &[13..=14], "names, owners and scopes have at most 255 bytes"),
    ("list", &[3..=4, 6..=7, 24..=24, 26..=26], "always one `Owner`"),
    ("list", &[11..=23, 31..=33], "limits are positive, the first is at most 500; no offset"),
    ("list", &[28..=29], "no slash at the end, no HEAD"),
    ("list-all", &[1..=2], "always one `Owner`"),
    ("list-all", &[8..=8, 10..=12], "scopes are not empty, have no spaces, and are in `apps`"),
    ("list-all", &[25..=27], "`hasLocation` is `true` or absent"),
    ("list-all", &[31..=32, 35..=42], "times are UTC with milliseconds"),
    ("list-all", &[44..=47, 80..=81], "limits are 1 to 500"),
    ("list-all", &[50..=51], "offsets are numbers"),
    ("list-all", &[55..=56, 59..=60, 63..=76], "only the values of `SortBy`, and `asc` or `desc`"),
    ("list-all", &[78..=78], "no query on a record"),
    ("metrics", &[1..=1], "metrics are for the operator"),
    ("misc", &[1..=5, 15..=16], "no such route"),
    ("misc", &[6..=14], "no `Origin`, no OPTIONS, TRACE, FOO"),
    ("misc", &[17..=17], "no encodings"),
    ("outage", &[54..=54], "always an owner and a scope"),
    ("stats", &[1..=1, 3..=3], "the statistics are counted from lists"),
    ("transform", &[76..=103], "only the names of `Format`"),
    ("transform", &[104..=107, 109..=128], "sides are numbers from 1 to 16,384, given once"),
    ("transform", &[129..=132, 134..=135, 150..=150], "only the names of `Fit`, nothing else"),
    ("transform", &[136..=140, 143..=149], "quality is a number from 1 to 100"),
    ("transform", &[224..=228], "only GET, no conditions, no slash at the end"),
    ("upload", &[7..=10], "always an owner and a scope"),
    ("upload", &[16..=16, 18..=18], "`skipProcessing` is `true` or absent"),
    ("upload", &[20..=30], "the form is complete and has a file"),
    ("upload", &[32..=33], "no PUT, no slash at the end"),
    ("upload", &[34..=34], "one file, one scope"),
    ("upload", &[35..=36], "no lists without an owner"),
    ("upload", &[78..=78, 80..=83, 85..=85, 87..=87, 89..=89], "names are plain ASCII, no paths"),
    ("upload-types", &[46..=46], "names are not paths"),
    ("upload-types", &[48..=54, 56..=57], "no such `Content-Disposition`"),
];

/// The lines of a recording that are not sent, in order.
pub fn not_sent(topic: &str) -> Vec<usize> {
    let lines = NOT_SENT.iter().filter(|(of, ..)| *of == topic).flat_map(|(_, lines, _)| *lines);
    let mut lines: Vec<usize> = lines.flat_map(Clone::clone).collect();
    lines.sort_unstable();
    lines
}
