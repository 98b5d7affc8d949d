//! Run with `MEDIA_URL=http://localhost:3015 cargo run --example remote -- PICTURE…`.
//!
//! Uploads pictures to a media service for a user (`MEDIA_USER`, else `demo`), verifies that the user
//! owns them and that another user does not, and lists the user's media. `MEDIA_KEY` sets a key.

use std::{env, error::Error, path::Path};

use tower_media::{
    ErrorKind, Media, MediaState, Owner, Remote, Scopes, UnverifiedId, Upload, media::ListOptions,
    remote::RemoteBuilder,
};

const SCOPE: &str = "tower-media-example";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("MEDIA_URL").unwrap_or("http://localhost:3015".to_owned());
    let user = Owner::new(env::var("MEDIA_USER").unwrap_or("demo".to_owned()))?;
    let mut remote = Remote::builder(url);
    if let Ok(key) = env::var("MEDIA_KEY") {
        remote = remote.bearer(key);
    }
    for item in run(remote, &user, env::args().skip(1)).await? {
        println!("{} {:>9} bytes  {}", item.id, item.size, item.mime_type);
    }
    Ok(())
}

/// Uploads `files`, verifies them, and returns the user's media.
pub async fn run(
    remote: RemoteBuilder,
    user: &Owner,
    files: impl Iterator<Item = String>,
) -> Result<Vec<Media>, Box<dyn Error>> {
    let media = MediaState::new(remote.build()?);
    let mut ids = Vec::new();
    for file in files {
        let name = Path::new(&file).file_name().unwrap_or_default().to_string_lossy();
        // The file is streamed, and read again for a retry.
        let upload = Upload::from_path(&file).file_name(name).scope(SCOPE);
        let stored = media.upload(user, upload).await?;
        println!("{file}: {} as {}, {:?}", stored.id, stored.mime_type, stored.status);
        ids.push(UnverifiedId::parse(stored.id)?);
    }

    let scopes = Scopes::of([SCOPE])?;
    let owned = media.verify(user, scopes.clone(), ids.clone()).await?;
    println!("{} owns {} of {}", user.subject(), owned.ids().len(), ids.len());
    if !ids.is_empty() {
        let other = Owner::new("another-user")?;
        let refused = media.verify(&other, scopes.clone(), ids).await.expect_err("not theirs");
        assert_eq!(refused.kind(), ErrorKind::NotOwned);
        println!("{} does not: {refused}", other.subject());
    }
    Ok(media.list(user, &ListOptions::new().with_scopes(scopes)).await?.items)
}
