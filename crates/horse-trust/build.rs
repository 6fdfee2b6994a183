//! Puts the bundles of the `socket.io-client` package into the binary, if the package is there.

use std::fmt::Write as _;
use std::path::Path;
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
    let package = Path::new(&manifest).join("../../web/node_modules/socket.io-client");
    println!("cargo::rerun-if-changed=build.rs");
    // A watched file that is not there makes cargo build anew each time; where there is no package yet, the
    // folder that it will come into is watched instead.
    let watched = Some(package.join("package.json")).filter(|file| file.exists());
    let watched = watched.unwrap_or_else(|| Path::new(&manifest).join("../../web"));
    println!("cargo::rerun-if-changed={}", watched.display());
    let version = fs::read_to_string(package.join("package.json")).ok().and_then(|text| version(&text));
    let mut source = String::from("const BUNDLE: &[(&str, &[u8])] = &[");
    if version.is_some() {
        for name in NAMES {
            let path = package.join("dist").join(name);
            if path.exists() {
                write!(source, "({name:?}, include_bytes!({:?})),", path.display().to_string())
                    .expect("writing to a string never fails");
            }
        }
    }
    let version = version.unwrap_or_default();
    write!(source, "];\nconst VERSION: &str = {version:?};\n").expect("writing to a string never fails");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("bundle.rs");
    fs::write(&out, source).expect("the build folder can be written to");
}

/// The `version` of a package.json.
fn version(package: &str) -> Option<String> {
    let rest = package.split_once("\"version\"")?.1.split_once('"')?.1;
    Some(rest.split_once('"')?.0.to_owned())
}
