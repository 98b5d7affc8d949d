//! Who is asking, and in which parts of the product an ownership counts.

use std::{convert::Infallible, fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// The longest subject, tenant or scope, in bytes.
const MAX_LEN: usize = 255;

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_LEN && !text.chars().any(char::is_control)
}

/// A text that names nobody: a subject or tenant is 1 to 255 bytes without control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject or tenant is 1 to 255 bytes without control characters")]
pub struct InvalidOwner;

/// The authenticated subject that media belongs to, with an optional tenant.
///
/// Make it from what authentication established, never from what the request says of itself
/// (promise G9). Subject and tenant are compared byte by byte and stay apart in every key and every
/// query, so `("a", tenant "b")` and `"a:b"` are different owners.
///
/// An empty subject cannot be made into an owner: a token without a subject would otherwise make
/// all such callers one person.
///
/// A handler takes the owner that an authentication layer put into the request's extensions as an
/// argument; without one the answer is 401.
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
    /// Names the owner by the subject of an authenticated request.
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

    /// Places the owner in a tenant. The same subject in two tenants is two owners.
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

/// A text that is not a scope: 1 to 255 bytes, no control characters, no comma, no blank at either
/// end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope is 1 to 255 bytes without commas, control characters, or blanks at its ends, and a \
     list of scopes is not empty"
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
/// On the wire of the media service it is called `app`. The comma is excluded because that
/// protocol joins several with it; the empty one because there it would mean "all".
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Arc<str>);

impl Scope {
    /// Names a scope.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] if the text cannot be one.
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
    /// The scope `default`, in which an upload counts that names none.
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

/// The scopes in which an ownership counts: any at all, or those of a list that is never empty.
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
    /// Ownership in any scope counts.
    pub fn any() -> Self {
        Self(None)
    }

    /// Ownership in one of these counts. Order and repeats mean nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] if one of them is none, or if there are none: an empty list would count
    /// for nobody, and reading it as "any" would count for everybody.
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

    /// Returns the list, sorted and without repeats; `None` means that any scope counts.
    pub fn as_slice(&self) -> Option<&[Scope]> {
        self.0.as_deref()
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(Some([scope].into()))
    }
}
