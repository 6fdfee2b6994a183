//! Makes the TypeScript declarations and the schemas of the documents from the types of the contract, and holds what is
//! committed against them. `make contract` writes them.

#![expect(clippy::format_push_string, reason = "it reads better than `write!`, and a test alone pays for it")]

mod definitions;
mod typescript;
mod yaml;

use std::path::Path;
use std::{env, fs};

use self::definitions::Definitions;

/// The repository's root.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Set by `make contract`: the files are written, not compared.
const WRITE: &str = "WRITE_CONTRACT";

#[test]
fn what_is_generated_is_current() {
    let definitions = Definitions::of_contract();
    let mut old = Vec::new();
    let mut generate = |path: &str, content: &dyn Fn(&str) -> String| {
        let file = Path::new(ROOT).join(path);
        let committed = fs::read_to_string(&file).unwrap();
        let current = content(&committed);
        if committed == current {
            return;
        }
        if env::var_os(WRITE).is_some() {
            fs::write(&file, current).unwrap();
        } else {
            old.push(path.to_owned());
        }
    };
    generate("packages/events/index.d.ts", &|_| typescript::declarations(&definitions));
    for document in ["docs/api/asyncapi.yaml", "docs/api/openapi.yaml"] {
        generate(document, &|committed| yaml::with_schemas(committed, &definitions));
    }
    assert!(
        old.is_empty(),
        "{old:?} are not what src/contract says: run `make contract`, and commit what it writes"
    );
}
