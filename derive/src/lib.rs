//! The derive macro of [tower-media]. Use it from there: `tower_media::MediaIds`.
//!
//! [tower-media]: https://docs.rs/tower-media

use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as Tokens, TokenTree};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Generics, Path, Result, Type,
    meta::ParseNestedMeta, parse_quote, spanned::Spanned as _,
};

/// Derives `MediaIds`, which collects the media ids of **every** field, in the order of declaration.
///
/// Supports structs, tuple structs and enums, recursive ones included. If a field names a type parameter
/// `T`, the implementation requires `T: MediaIds`; if it names only `T::Item`, `T::Item: MediaIds`.
///
/// A struct that is an extractor can contain other extractors, such as `Path`. A recursive struct must
/// name its pointer (`Box<Self>`, not an alias of it): the search for a `Path` ends at a `Box`, `Rc`, `Arc`
/// or `&`, and would not end elsewhere.
///
/// # Attributes
///
/// - `#[media(skip)]` on a field whose type is of another crate and carries no media ids. Ids in such a
///   field are not verified, and a handler that indexes the proof with one panics.
/// - `#[media(crate = "path")]` on the type: the path of `tower_media`, if the dependency was renamed.
#[proc_macro_derive(MediaIds, attributes(media))]
pub fn derive_media_ids(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: DeriveInput) -> Result<Tokens> {
    let krate = crate_path(&input.attrs)?;
    let mut asked = Asked { krate, types: Vec::new() };
    let body = match &input.data {
        Data::Struct(data) => {
            let (pattern, visits) = asked.fields(&data.fields)?;
            quote! { let Self #pattern = self; #visits }
        }
        Data::Enum(data) if data.variants.is_empty() => quote! { match *self {} },
        Data::Enum(data) => {
            let mut arms = Tokens::new();
            for variant in &data.variants {
                no_attributes(&variant.attrs)?;
                let name = &variant.ident;
                let (pattern, visits) = asked.fields(&variant.fields)?;
                arms.extend(quote! { Self::#name #pattern => { #visits } });
            }
            quote! { match self { #arms } }
        }
        Data::Union(union) => {
            return Err(Error::new(
                union.union_token.span(),
                "`MediaIds` cannot be derived for a union, because its active field is unknown",
            ));
        }
    };
    let Asked { krate, types } = asked;
    let reads_path = types.iter().filter(|ty| !names_pointer(ty)).map(|ty| {
        quote_spanned! { ty.span() => | <#ty as #krate::MediaIds>::READS_PATH }
    });
    let reads_path = quote! { false #(#reads_path)* };
    let name = &input.ident;
    let generics = bounded(input.generics, &krate, &types);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::MediaIds for #name #type_generics #where_clause {
            const READS_PATH: bool = #reads_path;

            fn media_ids(&self, __ids: &mut #krate::extract::IdCollector) {
                #body
            }
        }
    })
}

/// The types of the fields without `#[media(skip)]`.
struct Asked {
    krate: Path,
    types: Vec<Type>,
}

impl Asked {
    /// Returns a pattern that binds every field that is not skipped, and the calls that collect from them.
    fn fields(&mut self, fields: &Fields) -> Result<(Tokens, Tokens)> {
        let krate = &self.krate;
        let mut bindings = Vec::new();
        let mut visits = Tokens::new();
        for (number, field) in fields.iter().enumerate() {
            // Numbered, because the name of a field may be that of the collector.
            let binding = format_ident!("__field{number}", span = Span::mixed_site());
            let mut shown = quote! { _ };
            if !is_skipped(&field.attrs)? {
                // At the span of the type, which the compiler underlines if it lacks `MediaIds`.
                let ty = &field.ty;
                visits.extend(quote_spanned! { ty.span() =>
                    <#ty as #krate::MediaIds>::media_ids(#binding, __ids);
                });
                self.types.push(ty.clone());
                shown = quote! { #binding };
            }
            bindings.push(match &field.ident {
                Some(name) => quote! { #name: #shown },
                None => shown,
            });
        }
        let pattern = match fields {
            Fields::Named(_) => quote! { { #(#bindings),* } },
            Fields::Unnamed(_) => quote! { ( #(#bindings),* ) },
            Fields::Unit => Tokens::new(),
        };
        Ok((pattern, visits))
    }
}

/// Returns whether the type names a pointer. A type can contain itself only through one, and the constant
/// `READS_PATH` would then depend on itself; no extractor is behind a pointer.
fn names_pointer(ty: &Type) -> bool {
    words(ty).iter().any(|word| match word {
        TokenTree::Punct(punct) => punct.as_char() == '&',
        TokenTree::Ident(ident) => ["Box", "Rc", "Arc"].iter().any(|name| ident == name),
        _ => false,
    })
}

/// Adds bounds for the type parameters that the collected types name: `T`, or `T::Item` instead.
fn bounded(mut generics: Generics, krate: &Path, types: &[Type]) -> Generics {
    let parameters: Vec<_> = generics.type_params().map(|param| param.ident.clone()).collect();
    for ty in types.iter().filter(|ty| !is_phantom(ty)) {
        let words = words(ty);
        for at in 0..words.len() {
            let bound: Type = match &words[at..] {
                [TokenTree::Ident(name), ..] if !parameters.contains(name) => continue,
                [TokenTree::Ident(name), TokenTree::Punct(a), TokenTree::Punct(b), item, ..]
                    if a.as_char() == ':' && b.as_char() == ':' =>
                {
                    parse_quote!(#name::#item)
                }
                [TokenTree::Ident(name), ..] => parse_quote!(#name),
                _ => continue,
            };
            let predicate = parse_quote!(#bound: #krate::MediaIds);
            generics.make_where_clause().predicates.push(predicate);
        }
    }
    generics
}

/// Returns the tokens of a type, including those inside of brackets.
fn words(ty: &Type) -> Vec<TokenTree> {
    fn open(tokens: Tokens) -> Vec<TokenTree> {
        let each = tokens.into_iter().flat_map(|token| match token {
            TokenTree::Group(group) => open(group.stream()),
            token => vec![token],
        });
        each.collect()
    }
    open(ty.to_token_stream())
}

fn is_phantom(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    ty.path.segments.last().is_some_and(|segment| segment.ident == "PhantomData")
}

fn is_skipped(attributes: &[Attribute]) -> Result<bool> {
    let mut skipped = false;
    each_meta(attributes, |meta| {
        if meta.path.is_ident("skip") {
            skipped = true;
            return Ok(());
        }
        Err(meta.error("unknown attribute: a field supports `#[media(skip)]`"))
    })?;
    Ok(skipped)
}

fn no_attributes(attributes: &[Attribute]) -> Result<()> {
    each_meta(attributes, |meta| {
        Err(meta.error("a variant supports no attribute: write `#[media(skip)]` on its fields"))
    })
}

fn crate_path(attributes: &[Attribute]) -> Result<Path> {
    let mut path = parse_quote!(::tower_media);
    each_meta(attributes, |meta| {
        if meta.path.is_ident("crate") {
            path = meta.value()?.parse::<syn::LitStr>()?.parse()?;
            return Ok(());
        }
        Err(meta.error("unknown attribute: a type supports `#[media(crate = \"path\")]`"))
    })?;
    Ok(path)
}

fn each_meta(
    attributes: &[Attribute],
    mut read: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("media"))
        .try_for_each(|attribute| attribute.parse_nested_meta(&mut read))
}
