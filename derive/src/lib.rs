//! The derive macro of [tower-media]. Use it from there: `tower_media::MediaIds`.
//!
//! [tower-media]: https://docs.rs/tower-media

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Generics, Ident, Path, Result, Token, parse_quote,
    spanned::Spanned as _,
};

/// Derives `MediaIds`: **every** field is asked for the media ids it carries.
///
/// For structs, tuple structs and enums, with or without type parameters (each of which then has to
/// be `MediaIds` itself).
///
/// # Attributes
///
/// - `#[media(skip)]` on a field: its type is of another crate and carries no media ids. On a field
///   that does carry some, they are not verified, and a handler that opens one panics.
/// - `#[media(crate = "path")]` on the type: where `tower_media` is, if it was renamed.
#[proc_macro_derive(MediaIds, attributes(media))]
pub fn derive_media_ids(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: DeriveInput) -> Result<Tokens> {
    let krate = crate_path(&input.attrs)?;
    let name = &input.ident;
    let body = match &input.data {
        Data::Struct(data) => {
            let (pattern, visits) = fields(&data.fields, &krate)?;
            quote! { let Self #pattern = self; #visits }
        }
        Data::Enum(data) if data.variants.is_empty() => quote! { match *self {} },
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let name = &variant.ident;
                let (pattern, visits) = fields(&variant.fields, &krate)?;
                Ok(quote! { Self::#name #pattern => { #visits } })
            });
            let arms = arms.collect::<Result<Vec<_>>>()?;
            quote! { match self { #(#arms)* } }
        }
        Data::Union(union) => {
            return Err(Error::new(
                union.union_token.span(),
                "`MediaIds` cannot be derived for a union: which of its fields holds ids is unknown",
            ));
        }
    };
    let generics = bounded(input.generics, &krate);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::MediaIds for #name #type_generics #where_clause {
            fn media_ids(&self, __ids: &mut #krate::IdCollector) {
                let _ = &__ids;
                #body
            }
        }
    })
}

/// A pattern that binds every field that is not skipped, and the calls that ask each of them.
fn fields(fields: &Fields, krate: &Path) -> Result<(Tokens, Tokens)> {
    let mut bindings = Vec::new();
    let mut visits = Tokens::new();
    for (number, field) in fields.iter().enumerate() {
        let binding = match &field.ident {
            Some(name) => format_ident!("__{}", name_of(name)),
            None => format_ident!("__{}", number),
        };
        let skipped = is_skipped(&field.attrs)?;
        let shown = if skipped {
            quote! { _ }
        } else {
            quote! { #binding }
        };
        bindings.push(match &field.ident {
            Some(name) => quote! { #name: #shown },
            None => shown,
        });
        if !skipped {
            // At the span of the type, so that a type without `MediaIds` is what gets underlined.
            let ty = &field.ty;
            visits.extend(quote_spanned! { ty.span() =>
                <#ty as #krate::MediaIds>::media_ids(#binding, __ids);
            });
        }
    }
    let pattern = match fields {
        Fields::Named(_) => quote! { { #(#bindings),* } },
        Fields::Unnamed(_) => quote! { ( #(#bindings),* ) },
        Fields::Unit => Tokens::new(),
    };
    Ok((pattern, visits))
}

/// The name without the `r#` of a raw identifier.
fn name_of(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}

fn bounded(mut generics: Generics, krate: &Path) -> Generics {
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#krate::MediaIds));
    }
    generics
}

fn is_skipped(attributes: &[Attribute]) -> Result<bool> {
    let mut skipped = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("media")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                skipped = true;
                return Ok(());
            }
            Err(meta.error("on a field there is only `#[media(skip)]`"))
        })?;
    }
    Ok(skipped)
}

fn crate_path(attributes: &[Attribute]) -> Result<Path> {
    let mut path = parse_quote!(::tower_media);
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("media")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                meta.input.parse::<Token![=]>()?;
                path = meta.input.parse::<syn::LitStr>()?.parse()?;
                return Ok(());
            }
            Err(meta.error("on a type there is only `#[media(crate = \"path\")]`"))
        })?;
    }
    Ok(path)
}
