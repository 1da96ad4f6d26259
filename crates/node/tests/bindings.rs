//! The Api's TypeScript types are committed; this fails when they are stale, and `UPDATE=1` writes them anew.

use std::{collections::BTreeMap, fs, path::Path};

use node::api::{ApiError, Event, Request, Response};
use ts_rs::{Config, TS, TypeVisitor};

struct Declarations {
    config: Config,
    text: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only types of our own have a file; strings and numbers have none.
        if T::output_path().is_none() || self.text.contains_key(&T::ident(&self.config)) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        let text = format!("{docs}export {}", T::decl(&self.config));
        self.text.insert(T::ident(&self.config), text);
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

#[test]
fn the_committed_types_are_those_of_the_api() {
    let config = Config::new().with_large_int("number");
    let mut declarations = Declarations { config, text: BTreeMap::new() };
    declarations.visit::<Request>();
    declarations.visit::<Response>();
    declarations.visit::<Event>();
    declarations.visit::<ApiError>();
    let text: Vec<String> = declarations.text.into_values().collect();
    let text = format!(
        "// Generated from crates/node/src/api.rs by `UPDATE=1 cargo test -p node --test bindings`.\n\n{}\n",
        text.join("\n\n")
    );

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("bindings/api.ts");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "bindings/api.ts is stale: run UPDATE=1 cargo test -p node --test bindings");
}
