//! Puts the chat page and the bundles of the `socket.io-client` package into the binary, if they are there.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

const NAMES: [&str; 6] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
];

fn main() {
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let web = Path::new(&manifest).join("../../web");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=build.rs");
    let package = web.join("node_modules/socket.io-client");
    watch(&package.join("package.json"), &web);
    fs::write(out.join("bundle.rs"), bundle(&package)).expect("the build folder can be written to");
    let dist = web.join("dist");
    watch(&dist, &web);
    fs::write(out.join("page.rs"), page(&dist)).expect("the build folder can be written to");
}

/// A watched file that is not there makes cargo build anew each time; where it is not there yet, the folder
/// that it will come into is watched instead.
fn watch(path: &Path, folder: &Path) {
    let watched = if path.exists() { path } else { folder };
    println!("cargo::rerun-if-changed={}", watched.display());
}

/// The client bundles as constants.
fn bundle(package: &Path) -> String {
    let version = fs::read_to_string(package.join("package.json")).ok().and_then(|text| version(&text));
    let names = NAMES.iter().filter(|_| version.is_some());
    let files = names.map(|name| ((*name).to_owned(), package.join("dist").join(name)));
    let table = table(files.filter(|(_, path)| path.exists()));
    let version = version.unwrap_or_default();
    format!("const BUNDLE: &[(&str, &[u8])] = &[{table}];\nconst VERSION: &str = {version:?};\n")
}

/// The chat page and the moderation page as constants: their files, and a tag that changes with the two documents, which
/// name the others by their content.
fn page(dist: &Path) -> String {
    let mut files = Vec::new();
    let mut hasher = DefaultHasher::new();
    for name in ["index.html", "admin.html"] {
        if let Ok(document) = fs::read(dist.join(name)) {
            document.hash(&mut hasher);
            files.push((name.to_owned(), dist.join(name)));
        }
    }
    if !files.is_empty() {
        let assets = fs::read_dir(dist.join("assets")).into_iter().flatten().flatten();
        files.extend(assets.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())));
        files.sort();
    }
    let (table, tag) = (table(files), hasher.finish());
    format!("const FILES: &[(&str, &[u8])] = &[{table}];\nconst TAG: &str = \"\\\"{tag:016x}\\\"\";\n")
}

/// The rows of a table of names and contents.
fn table(files: impl IntoIterator<Item = (String, PathBuf)>) -> String {
    files.into_iter().fold(String::new(), |mut rows, (name, path)| {
        write!(rows, "({name:?}, include_bytes!({:?})),", path.display().to_string())
            .expect("writing to a string never fails");
        rows
    })
}

/// The `version` of a package.json.
fn version(package: &str) -> Option<String> {
    let rest = package.split_once("\"version\"")?.1.split_once('"')?.1;
    Some(rest.split_once('"')?.0.to_owned())
}
