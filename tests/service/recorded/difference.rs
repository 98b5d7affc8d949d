//! One thing that is not as it was, and what can be said of it.

use std::fmt;

#[derive(Debug, Clone, Default)]
pub struct Difference {
    pub topic: &'static str,
    pub seq: usize,
    pub name: String,
    pub method: String,
    pub path: String,
    pub query: String,
    /// `status` and `type` of the answer, `allows`, `length`, `bytes`, `picture`, or where in its JSON.
    pub field: String,
    pub was: String,
    pub is: String,
    /// Whether our store makes variants when they are asked for, and not ahead.
    pub in_memory: bool,
    /// Of which record, if it is in one.
    pub record: Option<Compared>,
}

/// Two records of the same file.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    pub file_name: String,
    pub mime_type: String,
    /// What the recorded status was.
    pub was: String,
}

impl Difference {
    /// Whether it is in this field of a record or of the answer, which was this and is that. `*` at an end
    /// stands for anything.
    pub fn is(&self, field: &str, was: &str, is: &str) -> bool {
        fits(self.leaf(), field) && fits(&self.was, was) && fits(&self.is, is)
    }

    /// The field without the record that it is in.
    pub fn leaf(&self) -> &str {
        self.field.rsplit("].").next().unwrap()
    }

    /// Whether something of a record that there was not is there.
    pub fn adds(&self, part: &str) -> bool {
        self.was.is_empty() && !self.is.is_empty() && fits(self.leaf(), part)
    }

    pub fn at(&self, topic: &str, lines: &[usize]) -> bool {
        self.topic == topic && lines.contains(&self.seq)
    }

    pub fn is_upload(&self) -> bool {
        self.method == "POST" && self.path == "/api/v1/media/upload"
    }

    /// Whether it is about a file of such a name: that of the record, or else that in what the recording
    /// says of the line.
    pub fn is_of(&self, file: &str) -> bool {
        match &self.record {
            Some(record) => record.file_name.to_lowercase().ends_with(file),
            None => self.name.split([' ', '?', '\'']).any(|word| word.ends_with(file)),
        }
    }

    /// Whether the recorded record was of a picture that had not been processed.
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
