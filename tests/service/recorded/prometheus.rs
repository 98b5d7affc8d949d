//! The names and labels of metrics in Prometheus' text format.

use std::collections::BTreeSet;

use super::compare::Fields;

/// Returns the type of each family, the names of its labels, and the bounds of its buckets. Values differ each time.
pub fn flat(text: &str) -> Fields {
    let mut all = Fields::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            all.insert(format!("{name} type"), kind.to_owned());
        } else if let Some((name, labels)) = line.split_once('{') {
            let labels = labels.rsplit_once('}').unwrap().0;
            let pairs = labels.split("\",").map(|pair| pair.split_once("=\"").unwrap());
            for (label, value) in pairs {
                // The values of other labels depend on the requests.
                let value = if label == "le" { value.trim_end_matches('"') } else { "…" };
                let seen = all.entry(format!("{name} {label}")).or_default();
                let mut values: BTreeSet<&str> = seen.split_whitespace().collect();
                values.insert(value);
                *seen = Vec::from_iter(values).join(" ");
            }
        }
    }
    all
}
