//! The rules of the architecture: the layers of `crates/indexer`, as in ARCHITECTURE.md, and the lengths of files.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/indexer/src");

/// The modules of each layer, from top to bottom: the first column of the table below `## Layers`.
fn layers() -> Vec<Vec<String>> {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let (_, section) = text.split_once("## Layers").expect("a section named Layers");
    let rows = section.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = rows.take_while(|line| line.starts_with("| `"));
    let layer = |row: &str| {
        let cell = row.split('|').nth(1).unwrap();
        cell.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect()
    };
    rows.map(layer).collect()
}

/// All Rust files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The module at the root of the crate that a file belongs to.
fn module(path: &Path) -> String {
    let path = path.strip_prefix(SOURCES).unwrap().with_extension("");
    path.components().next().unwrap().as_os_str().to_string_lossy().into_owned()
}

/// The modules at the root of the crate that code names, such as `a` and `b` in `use crate::{a, b::c}`, and `a` in
/// `crate::a::b`.
fn named(text: &str) -> Vec<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap().to_owned() + "\n").collect();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let first =
        |path: &str| -> String { path.trim_start().chars().take_while(|&c| is_part(c)).collect() };
    let mut names = Vec::new();
    for (at, root) in code.match_indices("crate::").chain(code.match_indices("indexer::")) {
        if code[..at].ends_with(is_part) {
            continue;
        }
        let rest = &code[at + root.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(first(rest));
            continue;
        };
        let mut depth = 0;
        let end_or_comma = |c: char| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth < 0 || depth == 0 && c == ','
        };
        let mut rest = group;
        let mut is_end = end_or_comma;
        while let Some(end) = rest.find(&mut is_end) {
            names.push(first(&rest[..end]));
            if rest[end..].starts_with('}') {
                break;
            }
            rest = &rest[end + 1..];
        }
    }
    names
}

/// The imports of a module that do not lead to a layer below its own, each with both names.
fn uphill(module: &str, text: &str, layers: &[Vec<String>]) -> Vec<String> {
    let layer_of =
        |name: &str| layers.iter().position(|layer| layer.iter().any(|other| other == name));
    let Some(own) = layer_of(module) else {
        return vec![format!("`{module}` is in no layer: give it a place in ARCHITECTURE.md")];
    };
    let mut wrong = Vec::new();
    for name in named(text).iter().filter(|name| *name != module) {
        if layer_of(name).is_some_and(|layer| layer <= own) {
            wrong.push(format!("`{module}` imports `{name}`, which is not below it"));
        }
    }
    wrong
}

#[test]
fn modules_import_only_from_layers_below_their_own() {
    let layers = layers();
    assert!(layers.len() > 5, "{layers:?}");
    let sources = files(Path::new(SOURCES));
    let mut wrong: Vec<String> = Vec::new();
    for path in sources.iter().filter(|path| !path.ends_with("src/lib.rs")) {
        let text = fs::read_to_string(path).unwrap();
        let shown = path.strip_prefix(SOURCES).unwrap().display().to_string();
        wrong.extend(uphill(&module(path), &text, &layers).iter().map(|w| format!("{shown}: {w}")));
    }
    for name in layers.iter().flatten() {
        if !Path::new(SOURCES).join(format!("{name}.rs")).exists() {
            wrong.push(format!("ARCHITECTURE.md has a layer for `{name}`, which is not there"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\nARCHITECTURE.md tells the layers.", wrong.join("\n"));
}

#[test]
fn an_import_that_runs_uphill_is_named() {
    let layers = [["run"], ["store"], ["failure"]].map(|layer| layer.map(str::to_owned).to_vec());
    for (module, text, named) in [
        ("store", "use crate::failure::Failure;", ""),
        ("run", "use crate::{failure, store::{Store, Writer}};", ""),
        ("store", "use crate::store::Keyword;", ""),
        ("store", "// as crate::run does", ""),
        ("failure", "use crate::store::StoreError;", "`failure` imports `store`"),
        (
            "failure",
            "use crate::{\n    failure,\n    store::{A, B},\n};",
            "`failure` imports `store`",
        ),
        ("store", "fn f() { crate::run::main() }", "`store` imports `run`"),
        ("collect", "", "`collect` is in no layer"),
    ] {
        let wrong = uphill(module, text, &layers).join("; ");
        assert!(
            wrong.starts_with(named) && wrong.is_empty() == named.is_empty(),
            "{text}: {wrong}"
        );
    }
}

/// The most lines of a file, about what a reader can keep in mind. A longer one should be split by topic.
const LONGEST_FILE: usize = 450;

#[test]
fn no_file_is_too_long_to_keep_in_mind() {
    let crates = files(&Path::new(ROOT).join("crates"));
    let tests = files(&Path::new(ROOT).join("tests"));
    for path in crates.iter().chain(&tests) {
        let lines = fs::read_to_string(path).unwrap().lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", path.display());
    }
}
