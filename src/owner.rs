//! The owner of media, and the scopes in which an ownership counts.

use std::{convert::Infallible, fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// The longest subject, tenant or scope, in bytes.
const MAX_LEN: usize = 255;

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_LEN && !text.chars().any(char::is_control)
}

/// The error for an invalid subject or tenant, which are 1 to 255 bytes without control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject or tenant is 1 to 255 bytes without control characters")]
pub struct InvalidOwner;

/// The authenticated subject that media belongs to, with an optional tenant.
///
/// Make it from the result of authentication, never from other parts of a request (promise G9). Subject and tenant are compared byte by byte and are separate in every key and every
/// query, so `("a", tenant "b")` and `"a:b"` are different owners.
///
/// An empty subject is an error: otherwise all callers whose token lacks a subject would be one owner.
///
/// It is an extractor of the owner that an authentication layer inserted into the request's extensions.
/// A request without an owner is answered 401.
///
/// ```
/// use tower_media::Owner;
///
/// let ana = Owner::new("ana")?.with_tenant("acme")?;
/// assert_eq!((ana.subject(), ana.tenant()), ("ana", Some("acme")));
/// assert_ne!(ana, Owner::new("ana")?);
/// assert!(Owner::new("").is_err());
/// # Ok::<_, tower_media::error::InvalidOwner>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    tenant: Option<Arc<str>>,
    subject: Arc<str>,
}

impl Owner {
    /// Creates an owner from the subject of an authenticated request.
    ///
    /// # Errors
    ///
    /// [`InvalidOwner`] unless `subject` is 1 to 255 bytes without control characters.
    pub fn new(subject: impl AsRef<str>) -> Result<Self, InvalidOwner> {
        let subject = subject.as_ref();
        if !is_name(subject) {
            return Err(InvalidOwner);
        }
        Ok(Self { tenant: None, subject: subject.into() })
    }

    /// Sets the tenant. The same subject in two tenants is two owners.
    ///
    /// # Errors
    ///
    /// [`InvalidOwner`] unless `tenant` is 1 to 255 bytes without control characters.
    pub fn with_tenant(self, tenant: impl AsRef<str>) -> Result<Self, InvalidOwner> {
        let tenant = tenant.as_ref();
        if !is_name(tenant) {
            return Err(InvalidOwner);
        }
        Ok(Self { tenant: Some(tenant.into()), ..self })
    }

    /// Returns the subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the tenant, if there is one.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut owner = f.debug_struct("Owner");
        owner.field("subject", &self.subject);
        if let Some(tenant) = &self.tenant {
            owner.field("tenant", tenant);
        }
        owner.finish()
    }
}

/// The error for an invalid scope, which is 1 to 255 bytes without control characters, commas, or white
/// space at either end; or for an empty list of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope is 1 to 255 bytes without commas, control characters, or white space at its ends, \
     and a list of scopes is not empty"
)]
#[non_exhaustive]
pub struct InvalidScope;

impl From<Infallible> for InvalidScope {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The part of the product that an upload was made for, such as `me` or `wardrobe`.
///
/// The media protocol calls it `app`. A scope has no comma because the protocol separates scopes with
/// commas, and is not empty because there an empty list means all scopes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Arc<str>);

impl Scope {
    /// Creates a scope.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] unless `name` is 1 to 255 bytes without control characters, commas, or white space
    /// at either end.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidScope> {
        let name = name.as_ref();
        if !is_name(name) || name.contains(',') || name.trim() != name {
            return Err(InvalidScope);
        }
        Ok(Self(name.into()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Scope {
    /// Returns the scope `default`, which uploads without a scope get.
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.0).finish()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl TryFrom<&str> for Scope {
    type Error = InvalidScope;

    fn try_from(name: &str) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

/// The scopes in which an ownership counts: any scope, or those of a list that is never empty.
///
/// ```
/// use tower_media::{Scope, Scopes};
///
/// let scopes = Scopes::of(["me", "wardrobe"])?;
/// assert!(scopes.contains(&Scope::new("me")?));
/// assert!(!scopes.contains(&Scope::new("comic")?));
/// assert!(Scopes::any().contains(&Scope::new("comic")?));
/// assert!(Scopes::of(Vec::<Scope>::new()).is_err());
/// # Ok::<_, tower_media::error::InvalidScope>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scopes(Option<Arc<[Scope]>>);

impl Scopes {
    /// Accepts ownership in any scope.
    pub fn any() -> Self {
        Self(None)
    }

    /// Accepts ownership in one of these scopes. Order and duplicates do not matter.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] if one of them is invalid, or if the list is empty: an empty list would deny all
    /// owners, and treating it as "any" would widen the check.
    pub fn of<I>(scopes: I) -> Result<Self, InvalidScope>
    where
        I: IntoIterator,
        I::Item: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        let mut scopes = scopes
            .into_iter()
            .map(|scope| scope.try_into().map_err(Into::into))
            .collect::<Result<Vec<_>, _>>()?;
        scopes.sort();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(InvalidScope);
        }
        Ok(Self(Some(scopes.into())))
    }

    /// Returns whether ownership in `scope` counts.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }

    /// Returns the list, sorted and without duplicates; `None` means that any scope counts.
    pub fn as_slice(&self) -> Option<&[Scope]> {
        self.0.as_deref()
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(Some([scope].into()))
    }
}
