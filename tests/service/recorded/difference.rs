//! One difference between a response and its recording.

use std::fmt;

#[derive(Debug, Clone, Default)]
pub struct Difference {
    pub topic: &'static str,
    pub seq: usize,
    pub name: String,
    pub method: String,
    pub path: String,
    pub query: String,
    /// `status`, `type`, `allows`, `length`, `bytes`, `picture`, or a path in the JSON.
    pub field: String,
    pub was: String,
    pub is: String,
    /// True if the store makes variants on request, not ahead.
    pub in_memory: bool,
    /// The record that contains the field.
    pub record: Option<Compared>,
}

/// Two records of the same file.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    pub file_name: String,
    pub mime_type: String,
    /// The recorded status.
    pub was: String,
}

impl Difference {
    /// Returns true if this field changed from `was` to `is`. `*` at an end of a pattern matches any text.
    pub fn is(&self, field: &str, was: &str, is: &str) -> bool {
        fits(self.leaf(), field) && fits(&self.was, was) && fits(&self.is, is)
    }

    /// The field without the path of its record.
    pub fn leaf(&self) -> &str {
        self.field.rsplit("].").next().unwrap()
    }

    /// Returns true if our record has a field that the recorded one lacks.
    pub fn adds(&self, part: &str) -> bool {
        self.was.is_empty() && !self.is.is_empty() && fits(self.leaf(), part)
    }

    pub fn at(&self, topic: &str, lines: &[usize]) -> bool {
        self.topic == topic && lines.contains(&self.seq)
    }

    pub fn is_upload(&self) -> bool {
        self.method == "POST" && self.path == "/api/v1/media/upload"
    }

    /// Returns true if the file has this name or extension, by its record, or else by the name of the exchange.
    pub fn is_of(&self, file: &str) -> bool {
        match &self.record {
            Some(record) => record.file_name.to_lowercase().ends_with(file),
            None => self.name.split([' ', '?', '\'']).any(|word| word.ends_with(file)),
        }
    }

    /// Returns true if the recorded image had not been processed.
    pub fn was_not_processed(&self) -> bool {
        self.record.as_ref().is_some_and(|record| matches!(&*record.was, "processing" | "failed"))
    }

    pub fn names_user(&self) -> bool {
        self.query.contains("userId=") && !self.query.contains("userId=&")
    }
}

fn fits(text: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => text.ends_with(end),
        (_, Some(begin)) => text.starts_with(begin),
        _ => text == pattern,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(120).collect::<String>();
        let Self { topic, seq, method, query, field, was, is, .. } = self;
        let (path, name) = (short(&self.path), short(&self.name));
        let memory = if self.in_memory { ", in memory" } else { "" };
        write!(f, "{topic} {seq} ({name}{memory}) {method} {path}?{query} {field}: {was} -> {is}")
    }
}
