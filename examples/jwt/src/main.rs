//! Run with `cargo run -p jwt`: a signed token of the crate `jsonwebtoken` says who is asking.
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
//! curl -i localhost:3000/pictures/$ID -H "authorization: Bearer $ELSEWHERE"  # 401: for others
//! curl -i localhost:3000/pictures/$ID -H "authorization: Bearer ${ANA}x"     # 401: not as signed
//! ```
//!
//! Another address than `127.0.0.1:3000` can be given as an argument.

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

/// What the application reads of a token. Where tokens name an organisation as well, the owner is
/// `Owner::new(claims.sub)?.with_tenant(claims.org)`.
#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
}

#[derive(Clone)]
struct Keys {
    verify: DecodingKey,
    /// Only for the demonstration: tokens come from an identity provider, and its application has
    /// the key to verify them. With a public one (`RS256`, `ES256`, `EdDSA`) it could not sign any.
    sign: EncodingKey,
}

impl Keys {
    fn read(&self, token: &str) -> errors::Result<Claims> {
        // The algorithm is the application's choice. Never take it from the token's own header, and
        // never allow those of several families: whoever sends the token would choose.
        let mut validation = Validation::new(Algorithm::HS256);
        // A token that was made for another application is none here. The audience alone would be
        // compared only where there is one; hence it is required.
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        // How long a token outlives its end, for clocks that differ, in seconds. It would be 60.
        validation.leeway = 5;
        // Never `jsonwebtoken::dangerous::insecure_decode`: what it reads, anybody can have written.
        Ok(decode::<Claims>(token, &self.verify, &validation)?.claims)
    }
}

/// The caller, if the token holds.
struct Caller(Owner);

/// One answer for every token that does not hold: the caller need not learn why.
type Unauthorized = (StatusCode, [(HeaderName, &'static str); 1]);

impl FromRequestParts<Keys> for Caller {
    type Rejection = Unauthorized;

    async fn from_request_parts(parts: &mut Parts, keys: &Keys) -> Result<Self, Unauthorized> {
        let unauthorized = || (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]);
        let header = parts.extract::<TypedHeader<Authorization<Bearer>>>().await;
        let TypedHeader(Authorization(bearer)) = header.map_err(|_| unauthorized())?;
        let claims = keys.read(bearer.token()).map_err(|_| unauthorized())?;
        // A subject is a number or name that is never given to anybody else, also not later.
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

/// Stores the body of the request and answers its id.
async fn upload(
    Caller(owner): Caller,
    media: MediaState,
    body: Bytes,
) -> Result<(StatusCode, String)> {
    let stored = media.upload(&owner, Upload::new(body).scope("me")).await?;
    Ok((StatusCode::CREATED, stored.id.to_string()))
}

/// Stands for the identity provider and signs whatever it is asked to. No real application has it.
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
    // A new secret with each start, so tokens end with it. A real one is 32 random bytes or more from
    // the configuration, never from the source.
    let secret = rand::random::<[u8; 32]>();
    let keys =
        Keys { verify: DecodingKey::from_secret(&secret), sign: EncodingKey::from_secret(&secret) };
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; pictures are forgotten at the end", listener.local_addr()?);
    Ok(axum::serve(listener, app(&MediaState::in_memory(), keys)).await?)
}
