//! Run with `cargo run -p jwt`: the owner comes from a signed token, with the crate `jsonwebtoken`.
//!
//! In another terminal (`--json` needs curl 7.82):
//!
//! ```sh
//! # 2000000000 is a day in 2033.
//! ANA=$(curl -s localhost:3000/demo/tokens --json '{"sub":"ana","aud":"pictures","exp":2000000000}')
//! BOB=$(curl -s localhost:3000/demo/tokens --json '{"sub":"bob","aud":"pictures","exp":2000000000}')
//! OLD=$(curl -s localhost:3000/demo/tokens --json '{"sub":"ana","aud":"pictures","exp":1000000000}')
//! ELSEWHERE=$(curl -s localhost:3000/demo/tokens --json '{"sub":"ana","aud":"news","exp":2000000000}')
//! ID=$(curl -s localhost:3000/pictures -H "authorization: Bearer $ANA" -d 'stands for a picture')
//! curl -i localhost:3000/pictures/$ID -H "authorization: Bearer $ANA"        # 200
//! curl -i localhost:3000/pictures/$ID -H "authorization: Bearer $BOB"        # 404
//! curl -i localhost:3000/pictures/$ID                                        # 401: no token
//! curl -i localhost:3000/pictures/$ID -H "authorization: Bearer $OLD"        # 401: expired
//! curl -i localhost:3000/pictures/$ID -H "authorization: Bearer $ELSEWHERE"  # 401: other audience
//! curl -i localhost:3000/pictures/$ID -H "authorization: Bearer ${ANA}x"     # 401: wrong signature
//! ```
//!
//! The address is the argument. Default: `127.0.0.1:3000`.

use axum::{
    Json, RequestPartsExt as _, Router,
    body::Bytes,
    extract::{FromRequestParts, Path, State},
    http::{HeaderName, StatusCode, header::WWW_AUTHENTICATE, request::Parts},
    routing::{get, post},
};
use axum_extra::{
    TypedHeader,
    headers::{Authorization, authorization::Bearer},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors,
};
use serde_json::Value;
use tower_media::{
    MediaState, Owner, Rendition, Result, UnverifiedId, Upload, VerifiedMedia, VerifyMediaLayer,
    media::Download,
};

/// This application's name in tokens.
const AUDIENCE: &str = "pictures";

/// The claims that the application reads. If tokens name an organisation as well, the owner is
/// `Owner::new(claims.sub)?.with_tenant(claims.org)`.
#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
}

#[derive(Clone)]
struct Keys {
    verify: DecodingKey,
    /// For the demonstration only. An identity provider signs tokens, and the application has the key
    /// that verifies them, which with `RS256`, `ES256` or `EdDSA` cannot sign.
    sign: EncodingKey,
}

impl Keys {
    fn read(&self, token: &str) -> errors::Result<Claims> {
        // The application chooses the algorithm. Never take it from the token's header, and never allow
        // several families of algorithms: the client would choose.
        let mut validation = Validation::new(Algorithm::HS256);
        // A token for another application is invalid. `set_audience` alone accepts a token without an
        // audience, so the claim is required.
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        // Seconds after the expiry, for clocks that differ. Default: 60.
        validation.leeway = 5;
        // Never `jsonwebtoken::dangerous::insecure_decode`, which does not verify the signature.
        Ok(decode::<Claims>(token, &self.verify, &validation)?.claims)
    }
}

/// The caller, from a valid token.
struct Caller(Owner);

/// One response for every invalid token, so that the reason is not revealed.
type Unauthorized = (StatusCode, [(HeaderName, &'static str); 1]);

impl FromRequestParts<Keys> for Caller {
    type Rejection = Unauthorized;

    async fn from_request_parts(parts: &mut Parts, keys: &Keys) -> Result<Self, Unauthorized> {
        let unauthorized = || (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]);
        let header = parts.extract::<TypedHeader<Authorization<Bearer>>>().await;
        let TypedHeader(Authorization(bearer)) = header.map_err(|_| unauthorized())?;
        let claims = keys.read(bearer.token()).map_err(|_| unauthorized())?;
        // The subject must never be assigned to another user, also not later.
        Ok(Self(Owner::new(claims.sub).map_err(|_| unauthorized())?))
    }
}

/// Delivers a picture to its owner.
async fn picture(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<Download> {
    media.download(&owned[&id], Rendition::Original).await
}

/// Stores the body of the request and returns its id.
async fn upload(
    Caller(owner): Caller,
    media: MediaState,
    body: Bytes,
) -> Result<(StatusCode, String)> {
    let stored = media.upload(&owner, Upload::new(body).scope("me")).await?;
    Ok((StatusCode::CREATED, stored.id.to_string()))
}

/// In place of the identity provider: it signs any claims. An application has no such route.
async fn demo_token(
    State(keys): State<Keys>,
    Json(claims): Json<Value>,
) -> Result<String, StatusCode> {
    let token = encode(&Header::new(Algorithm::HS256), &claims, &keys.sign);
    token.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn app(media: &MediaState, keys: Keys) -> Router {
    // `Caller` needs the keys, so the layer gets the state that the router gets.
    let guard =
        VerifyMediaLayer::<Path<UnverifiedId>, Keys>::new_with_state(media.clone(), keys.clone())
            .owner_from::<Caller>(|Caller(owner)| Ok(owner));
    Router::new()
        .route("/pictures/{id}", get(picture).layer(guard))
        .route("/pictures", post(upload))
        .route("/demo/tokens", post(demo_token))
        .with_state(keys)
        .layer(media.layer())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    // A new secret per start, so tokens are valid until the process ends. An application reads 32 or more
    // random bytes from its configuration.
    let secret = rand::random::<[u8; 32]>();
    let keys =
        Keys { verify: DecodingKey::from_secret(&secret), sign: EncodingKey::from_secret(&secret) };
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; pictures are kept in memory only", listener.local_addr()?);
    Ok(axum::serve(listener, app(&MediaState::in_memory(), keys)).await?)
}
