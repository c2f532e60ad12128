//! Which type crosses for which.

use syn::{Type, parse_quote};

use super::{Argument, Passing, owned_return};
use crate::object::text::text;

fn argument(written: Type) -> (String, Passing) {
    let argument = Argument::read(&written).expect("it has an owned form");
    (text(&argument.owned), argument.passing)
}

fn arrives(written: Type) -> String {
    text(&owned_return(&written).expect("it has an owned form"))
}

fn refusals(error: Option<syn::Error>) -> Vec<String> {
    error.into_iter().flatten().map(|refusal| refusal.to_string()).collect()
}

fn refused_argument(written: Type) -> Vec<String> {
    refusals(Argument::read(&written).err())
}

#[test]
fn owned_argument_stays() {
    assert_eq!(argument(parse_quote!(i64)), ("i64".into(), Passing::Owned));
    assert_eq!(argument(parse_quote!((Vec<u8>))), ("Vec<u8>".into(), Passing::Owned));
    assert_eq!(argument(parse_quote!(Option<String>)), ("Option<String>".into(), Passing::Owned));
    assert_eq!(argument(parse_quote!(Cow<'_, str>)), ("Cow<'static, str>".into(), Passing::Owned));
}

#[test]
fn lent_argument_is_read_owned() {
    for (written, owned) in [
        (parse_quote!(&str), "::std::string::String"),
        (parse_quote!(&'a (str)), "::std::string::String"),
        (parse_quote!(&[(u8, A)]), "::std::vec::Vec<(u8, A)>"),
        (parse_quote!(&std::path::Path), "::std::path::PathBuf"),
        (parse_quote!(&OsStr), "::std::ffi::OsString"),
        (parse_quote!(&CStr), "::std::ffi::CString"),
        (parse_quote!(&String), "String"),
        (parse_quote!(&[u8; 4]), "[u8; 4]"),
        (parse_quote!(&Cow<'_, str>), "Cow<'static, str>"),
    ] {
        assert_eq!(argument(written), (owned.into(), Passing::Reference));
    }
}

#[test]
fn option_of_lent_argument_is_read_owned() {
    for (written, owned, passing) in [
        (parse_quote!(Option<&str>), "Option<::std::string::String>", Passing::OptionDeref),
        (
            parse_quote!(std::option::Option<&'a [u8]>),
            "std::option::Option<::std::vec::Vec<u8>>",
            Passing::OptionDeref,
        ),
        (parse_quote!(Option<&Path>), "Option<::std::path::PathBuf>", Passing::OptionDeref),
        (parse_quote!(Option<&String>), "Option<String>", Passing::OptionReference),
    ] {
        assert_eq!(argument(written), (owned.into(), passing));
    }
}

#[test]
fn argument_without_owned_form_is_refused() {
    for (written, beginning) in [
        (parse_quote!(&mut Vec<u8>), "a `&mut` argument would change only the daemon's copy"),
        (parse_quote!(Option<&mut u8>), "a `&mut` argument would change only the daemon's copy"),
        (parse_quote!(Vec<&mut u8>), "a `&mut` argument would change only the daemon's copy"),
        (parse_quote!(&'static str), "an argument cannot be borrowed for `'static`"),
        (parse_quote!(&[&str]), "a reference inside a parameter's type"),
        (parse_quote!(&&str), "a reference inside a parameter's type"),
        (parse_quote!(Cow<'a, str>), "a reference inside a parameter's type"),
        (parse_quote!(Vec<impl Send>), "the proxy has to name this type"),
        (parse_quote!(&dyn Send), "a `dyn Trait` cannot be sent"),
        (parse_quote!(Box<dyn Send>), "a `dyn Trait` cannot be sent"),
    ] {
        let refusals = refused_argument(written);
        assert!(refusals.len() == 1 && refusals[0].starts_with(beginning), "{refusals:?}");
    }
}

#[test]
fn every_refusal_in_a_type_is_reported() {
    assert_eq!(refused_argument(parse_quote!((&str, Box<dyn Send>, impl Send))).len(), 3);
}

#[test]
fn returned_value_arrives_owned_at_any_depth() {
    for (written, owned) in [
        (parse_quote!(()), "()"),
        (parse_quote!(&str), "::std::string::String"),
        (parse_quote!(&&'a [&str]), "::std::vec::Vec<::std::string::String>"),
        (parse_quote!((&T, Option<&Path>)), "(T, Option<::std::path::PathBuf>)"),
        (parse_quote!(Cow<'a, str>), "Cow<'static, str>"),
        (parse_quote!(Vec<Row<'_>>), "Vec<Row<'static>>"),
        (parse_quote!(io::Result<&str>), "io::Result<::std::string::String>"),
        (parse_quote!(Result<&T, Bad<'_>>), "Result<T, Bad<'static>>"),
    ] {
        assert_eq!(arrives(written), owned);
    }
}

#[test]
fn only_the_error_of_a_result_may_be_a_trait_object() {
    assert_eq!(arrives(parse_quote!(Result<u8, Box<dyn Error>>)), "Result<u8, Box<dyn Error>>");
    for written in [parse_quote!(Box<dyn Error>), parse_quote!(Result<Box<dyn Error>, u8>)] {
        let refusals = refusals(owned_return(&written).err());
        assert!(
            refusals.len() == 1 && refusals[0].starts_with("a `dyn Trait` cannot be sent"),
            "{refusals:?}"
        );
    }
}

#[test]
fn returned_type_without_owned_form_is_refused() {
    for (written, beginning) in [
        (parse_quote!(&mut u8), "a returned `&mut` would change only the caller's copy"),
        (parse_quote!(Result<u8, impl Error>), "the proxy has to name this type"),
        (parse_quote!(!), "a method that never returns"),
    ] {
        let refusals = refusals(owned_return(&written).err());
        assert!(refusals.len() == 1 && refusals[0].starts_with(beginning), "{refusals:?}");
    }
}
