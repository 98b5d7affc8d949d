//! Ids and scopes as text columns of the application's own database, through sqlx.

use sqlx::{Database, Decode, Encode, Type, encode::IsNull, error::BoxDynError};

use crate::{id::MediaId, owner::Scope};

/// Implements the traits of sqlx for a text type, for every database that stores `String`.
macro_rules! text_column {
    ($($text:ty: $decode:path;)*) => {$(
        impl<DB: Database> Type<DB> for $text
        where
            String: Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                String::type_info()
            }

            fn compatible(column: &DB::TypeInfo) -> bool {
                String::compatible(column)
            }
        }

        impl<'q, DB: Database> Encode<'q, DB> for $text
        where
            String: Encode<'q, DB>,
        {
            fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
                self.as_str().to_owned().encode(buffer)
            }
        }

        impl<'r, DB: Database> Decode<'r, DB> for $text
        where
            &'r str: Decode<'r, DB>,
        {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                Ok($decode(<&str>::decode(value)?)?)
            }
        }
    )*};
}

text_column! {
    // The application's own database is trusted, as in `from_trusted`.
    MediaId: MediaId::from_trusted;
    Scope: Scope::new;
}
