//! `docs/configuration.md`: the settings as a table, made from what clap knows of them.

use clap::{Arg, Args as _, Command};

use super::settings::Config;

const BEGINNING: &str = "\
# Configuration

<!-- Made by crates/horse-trust/src/config/document.rs from the flags in settings.rs beside it. -->

Each setting is an environment variable, a line of a `.env` file in the working directory, or a flag of the same name
(`JWT_SECRET` is `--jwt-secret`): flag over environment over file. The commands `serve`, `check`, `demo`, `import` and
`token` read them all. A bad value stops the start with one line that names it.

| kind | written as | bounds |
|---|---|---|
| TIME | a whole number and `s`, `m`, `h`, `d` or `w`; seconds without one | 1 s to 100 years |
| BYTES | a whole number | from 1024 |
| COUNT | a whole number | from 1; threads to 1024 |
| RATE | a whole number, a second | from 0, which is no limit |
| BOOL | `true` or `false` | |
| FILE | a path | to 64 KiB; with the setting that it stands for, only one of the two |

";

/// The page. This file and `settings.rs` are its source.
fn document() -> String {
    let command = Config::augment_args(Command::new("horse-trust"));
    let rows = command.get_arguments().map(row);
    let table = "| name | default | kind | |\\n|---|---|---|---|\\n".replace("\\n", "\n");
    format!("{BEGINNING}{table}{}", rows.collect::<String>())
}

fn row(argument: &Arg) -> String {
    let name = argument.get_env().expect("each setting has a variable").to_string_lossy();
    let kind = argument.get_value_names().expect("each setting has a kind")[0].as_str();
    let help =
        argument.get_long_help().or(argument.get_help()).expect("each setting has a meaning").to_string();
    // What clap can't show by itself, the text of help says at its end.
    let (meaning, said) = match help.trim_end_matches(']').split_once(" [default: ") {
        Some((meaning, default)) => (meaning, Some(default)),
        None => (help.as_str(), None),
    };
    let default = said.map_or_else(
        || format!("`{}`", argument.get_default_values()[0].to_string_lossy()),
        |default| if default.contains("://") { format!("`{default}`") } else { default.to_owned() },
    );
    // A star alone would be read as emphasis, and URLs as links.
    let meaning = meaning
        .split(' ')
        .map(|word| {
            let text = word.trim_end_matches([',', ';', ':', ')']);
            let is_code = text == "*" || (text.contains("://") && !text.starts_with('`'));
            if is_code { format!("`{text}`{}", &word[text.len()..]) } else { word.to_owned() }
        })
        .collect::<Vec<_>>()
        .join(" ");
    format!("| `{name}` | {default} | {kind} | {meaning} |\n")
}

#[test]
fn the_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let document = document();
    if std::env::var_os("WRITE_DOCUMENTS").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, document, "write it with: WRITE_DOCUMENTS=1 cargo test -p horse-trust --lib config");
}
