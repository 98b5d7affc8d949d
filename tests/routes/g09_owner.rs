//! G9: owner and scope come from the application, not from fields of the request.

use axum::{
    extract::{FromRequestParts, Request},
    http::{StatusCode, request::Parts},
};
use tower_media::{
    Owner, Rendition, Scopes,
    media::ListOptions,
    routes::{DeliveryRoutes, UploadPolicy, UploadRoutes},
};

use super::support::{Form, World, file, get, owner, png, send, signed_in, text};

#[tokio::test]
async fn g09_form_fields_change_neither_owner_nor_scope() {
    let world = World::new();
    let policy = UploadPolicy::images().scope("me");
    let app = signed_in(world.media.upload_routes("/up", policy));
    let form = Form::new()
        .with(text("userId", "bob"))
        .with(text("app", "wardrobe"))
        .with(file("a.png", &png(200)))
        .with(text("owner", "bob"));
    let mut request = form.by("ana");
    *request.uri_mut() = "/up?userId=bob&app=wardrobe&scope=wardrobe".parse().unwrap();
    request.headers_mut().insert("x-owner", "bob".parse().unwrap());
    assert_eq!(send(&app, request).await.status, StatusCode::CREATED);

    let count = async |owner: &Owner, scope: &str| {
        let options = ListOptions::new().with_scopes(Scopes::of([scope]).unwrap());
        world.media.list(owner, &options).await.unwrap().items.len()
    };
    assert_eq!(count(&world.ana, "me").await, 1);
    assert_eq!(count(&world.ana, "wardrobe").await, 0);
    assert_eq!(world.media.stats(&world.bob).await.unwrap().count, 0);
}

/// Claims of an application with its own authentication.
struct Claims(String);

impl FromRequestParts<&'static str> for Claims {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        issuer: &&'static str,
    ) -> Result<Self, StatusCode> {
        let token = parts.headers.get("authorization").ok_or(StatusCode::PAYMENT_REQUIRED)?;
        let subject = token.to_str().unwrap().strip_prefix(*issuer);
        Ok(Self(subject.unwrap_or_default().to_owned()))
    }
}

#[tokio::test]
async fn g09_owner_from_replaces_the_owner_of_the_extensions() {
    let world = World::new();
    let policy = UploadPolicy::images().scope("me");
    let uploads = UploadRoutes::new_with_state(world.media.clone(), "/up", policy, "idp:")
        .owner_from::<Claims>(|claims| Owner::new(claims.0));
    let delivery = DeliveryRoutes::new_with_state(world.media.clone(), "idp:")
        .owner_from::<Claims>(|claims| Owner::new(claims.0));
    let app = signed_in(uploads.into_router().merge(delivery.into_router()));
    let form = |token: Option<&str>| {
        let mut request = Form::new().with(file("a.png", &png(200))).by("bob");
        if let Some(token) = token {
            request.headers_mut().insert("authorization", token.parse().unwrap());
        }
        request
    };
    // A rejection of the extractor is passed through; an invalid owner is 401.
    assert_eq!(send(&app, form(None)).await.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(send(&app, form(Some("idp:"))).await.status, StatusCode::UNAUTHORIZED);
    let stored = send(&app, form(Some("idp:ana"))).await;
    assert_eq!(stored.status, StatusCode::CREATED);
    assert_eq!(world.media.stats(&owner("ana")).await.unwrap().count, 1);
    assert_eq!(world.media.stats(&world.bob).await.unwrap().count, 0);

    let path = stored.header("location");
    let by = |token| Request::get(path).header("x-user", "ana").header("authorization", token);
    assert_eq!(get(&app, by("idp:ana")).await.status, StatusCode::OK);
    assert_eq!(get(&app, by("idp:bob")).await.status, StatusCode::NOT_FOUND);
    let without = Request::get(path).header("x-user", "ana");
    assert_eq!(get(&app, without).await.status, StatusCode::PAYMENT_REQUIRED);
    let id = tower_media::MediaId::from_trusted(path.split('/').nth(2).unwrap()).unwrap();
    let linked = Request::get(world.link(&id, Rendition::Original));
    assert_eq!(get(&app, linked).await.status, StatusCode::OK);
}
