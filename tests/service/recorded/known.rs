//! Translation of recorded ids, hashes and dates into ours.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::exchange::Exchange;

/// Recorded ids, hashes and dates, with ours.
#[derive(Debug, Default)]
pub struct Known {
    texts: BTreeMap<String, String>,
    /// The recorded day, our day, and the exact distance.
    later: Option<(String, String, jiff::SignedDuration)>,
}

impl Known {
    /// Translates a recorded text into ours.
    pub fn means(&mut self, was: impl Into<String>, is: impl Into<String>) {
        self.texts.insert(was.into(), is.into());
    }

    pub fn translate(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (was, is) in &self.texts {
            text = text.replace(was, is);
        }
        let Some((day, today, later)) = &self.later else { return text };
        // Dates of the recording are shifted by the distance.
        let mut shifted = String::new();
        for part in text.split_inclusive(['=', '&']) {
            let (bare, end) = match part.strip_suffix(['=', '&']) {
                Some(bare) => (bare, &part[bare.len()..]),
                None => (part, ""),
            };
            let recorded =
                bare.starts_with("2026-11-") && !self.texts.values().any(|is| is == bare);
            shifted += &match bare.parse::<Timestamp>() {
                Ok(time) if recorded => format!("{:.3}", time + *later),
                _ if bare == day => today.clone(),
                _ => bare.to_owned(),
            };
            shifted += end;
        }
        shifted
    }

    pub fn translate_json(&self, json: Value) -> Value {
        serde_json::from_str(&self.translate(&json.to_string())).unwrap()
    }

    /// Learns the hash of an uploaded file whose bytes differ from the recorded ones.
    pub fn learn_hash(&mut self, exchange: &Exchange) {
        if let Some((was, is)) = exchange.file_hashes().filter(|(was, is)| was != is) {
            self.means(was, is);
        }
    }

    /// Learns from two records of the same file.
    pub fn learn(&mut self, was: &Value, is: &Value) {
        for field in ["id", "createdAt"] {
            let (was, is) = (was[field].as_str().unwrap(), is[field].as_str().unwrap());
            if was != is {
                self.texts.entry(was.to_owned()).or_insert(is.to_owned());
            }
        }
        if self.later.is_none() {
            let time =
                |json: &Value| json["createdAt"].as_str().unwrap().parse::<Timestamp>().unwrap();
            let day = |json: &Value| json["createdAt"].as_str().unwrap()[..10].to_owned();
            self.later = Some((day(was), day(is), time(is).duration_since(time(was))));
        }
    }
}
