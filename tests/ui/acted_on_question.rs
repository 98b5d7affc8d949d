use tower_media::{MediaId, MediaState, Ownership, OwnershipQuestion, Result};

#[derive(Debug)]
struct Curious(MediaState);

impl Ownership for Curious {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        for id in question.ids() {
            self.0.get(id).await?;
        }
        Ok(question.ids().collect())
    }
}

fn main() {}
