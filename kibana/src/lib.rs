//! Kibana's saved objects as files that people can read, and the import file that is made from them.
//!
//! Kibana keeps much of an object as JSON within strings. In the files it is plain JSON; [`pack`] and
//! [`unpack`] know which keys hold such strings.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value as Json};

/// The import file, beside the objects.
pub const IMPORT_FILE: &str = "tweets.ndjson";

/// Keys whose values are JSON within a string, besides all keys that end in `JSON`.
const NESTED: [&str; 7] = [
    "fieldAttrs",
    "fieldFormatMap",
    "fields",
    "runtimeFieldMap",
    "sourceFilters",
    "typeMeta",
    "visState",
];

/// The time range that dashboards open on if the import file is imported by hand.
const TIME_RANGE: [&str; 2] = ["now-5y", "now"];

/// The versions that Kibana 8.12 stamps objects with. It refuses later ones, and later ones migrate these.
pub const VERSIONS: [(&str, Option<&str>); 7] = [
    ("dashboard", Some("8.9.0")),
    ("index-pattern", Some("8.0.0")),
    ("lens", Some("8.9.0")),
    ("links", None),
    ("map", Some("8.4.0")),
    ("search", Some("8.0.0")),
    ("visualization", Some("8.5.0")),
];

/// Whether an object has the versions that Kibana 8.12 stamps it with ([`VERSIONS`]).
pub fn is_of_8_12(object: &Json) -> bool {
    let stamp = object["typeMigrationVersion"].as_str();
    let is_known =
        |(kind, version): &(&str, Option<&str>)| object["type"] == *kind && stamp == *version;
    object["coreMigrationVersion"] == "8.8.0" && VERSIONS.iter().any(is_known)
}

/// Keys of an exported object that say where it comes from and not what it is; the files leave them out.
const VOLATILE: [&str; 8] = [
    "created_at",
    "created_by",
    "managed",
    "namespaces",
    "originId",
    "updated_at",
    "updated_by",
    "version",
];

/// The objects below a folder, in the order of their types and ids.
///
/// # Errors
///
/// If a file cannot be read, or is not an object under its own type and id.
pub fn objects(folder: &Path) -> anyhow::Result<Vec<Json>> {
    let mut objects = Vec::new();
    for kind in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let kind = kind?.path();
        let name = kind.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !kind.is_dir() || matches!(name.as_str(), "src" | "tests" | "target") {
            continue;
        }
        for file in fs::read_dir(&kind)? {
            let file = file?.path();
            let read = || format!("cannot read {}", file.display());
            let object: Json =
                serde_json::from_slice(&fs::read(&file).with_context(read)?).with_context(read)?;
            let id = file.file_stem().unwrap_or_default().to_string_lossy();
            if object["type"] != *name || object["id"] != *id {
                bail!("{} should hold the object {id} of type {name}", file.display());
            }
            objects.push(object);
        }
    }
    let key = |object: &Json| {
        [&object["type"], &object["id"]].map(|key| key.as_str().unwrap_or_default().to_owned())
    };
    objects.sort_by_key(key);
    Ok(objects)
}

/// The import file: one object per line, in the form that Kibana expects.
///
/// # Errors
///
/// As [`objects`].
pub fn pack(folder: &Path) -> anyhow::Result<String> {
    let mut lines = String::new();
    for mut object in objects(folder)? {
        fold(&mut object);
        lines.push_str(&object.to_string());
        lines.push('\n');
    }
    Ok(lines)
}

/// Writes the objects of an export into a folder, each into its own file; files that are there already are replaced.
/// Returns how many objects there were.
///
/// # Errors
///
/// If a line is not an object of Kibana 8.12, or a file cannot be written.
pub fn unpack(export: &str, folder: &Path) -> anyhow::Result<usize> {
    let mut n_objects = 0;
    for (line, text) in (1..).zip(export.lines()) {
        let mut object: Map<String, Json> = serde_json::from_str(text)
            .with_context(|| format!("line {line} of the export is not a saved object"))?;
        let (Some(kind), Some(id)) = (object.get("type"), object.get("id")) else {
            // The last line of an export counts its objects.
            continue;
        };
        let name = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let (kind, id) = (name(kind), name(id));
        if [&kind, &id]
            .iter()
            .any(|name| name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']))
        {
            bail!("line {line} of the export: the {kind} {id} cannot be a file of that name");
        }
        object.retain(|key, _| !VOLATILE.contains(&key.as_str()));
        let mut object = Json::Object(object);
        if !is_of_8_12(&object) {
            bail!(
                "line {line} of the export: Kibana 8.12 would refuse the {kind} {id}; export it from an 8.12"
            );
        }
        unfold(&mut object);
        if object["type"] == "dashboard" {
            // `indexer setup` replaces it with the time range of the tweets.
            object["attributes"]["timeFrom"] = TIME_RANGE[0].into();
            object["attributes"]["timeTo"] = TIME_RANGE[1].into();
        }
        let folder = folder.join(&kind);
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{id}.json"));
        fs::write(&file, format!("{object:#}\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        n_objects += 1;
    }
    Ok(n_objects)
}

fn is_nested(key: &str) -> bool {
    key.ends_with("JSON") || NESTED.contains(&key)
}

/// Turns JSON into strings where Kibana expects strings, the innermost first.
fn fold(value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(fold),
        Json::Object(entries) => {
            for (key, value) in entries {
                fold(value);
                if is_nested(key) && !value.is_string() {
                    *value = Json::String(value.to_string());
                }
            }
        }
        _ => {}
    }
}

/// Turns strings into the JSON that they contain, where Kibana keeps it in strings.
fn unfold(value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(unfold),
        Json::Object(entries) => {
            for (key, value) in entries {
                if let Json::String(text) = &*value
                    && is_nested(key)
                    && let Ok(inner @ (Json::Array(_) | Json::Object(_))) =
                        serde_json::from_str(text)
                {
                    *value = inner;
                }
                unfold(value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_becomes_files_and_those_the_same_objects_again() {
        let export = concat!(
            r#"{"attributes":{"fieldFormatMap":"{\"id\":{\"id\":\"url\"}}","title":"tweets-*"},"coreMigrationVersion":"8.8.0","id":"tweets","type":"index-pattern","typeMigrationVersion":"8.0.0","updated_at":"2026-11-21"}"#,
            "\n",
            r#"{"attributes":{"panelsJSON":"[{\"embeddableConfig\":{\"uiStateJSON\":\"{}\"}}]","timeFrom":"now-7d","title":"Map"},"coreMigrationVersion":"8.8.0","id":"map","type":"dashboard","typeMigrationVersion":"8.9.0","version":"WzFd"}"#,
            "\n",
            r#"{"excludedObjects":[],"exportedCount":2}"#,
            "\n",
        );
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(unpack(export, folder.path()).unwrap(), 2);
        let file = fs::read_to_string(folder.path().join("dashboard/map.json")).unwrap();
        assert!(file.contains("\"panelsJSON\": [\n"), "{file}");
        let expected = concat!(
            r#"{"attributes":{"panelsJSON":"[{\"embeddableConfig\":{\"uiStateJSON\":\"{}\"}}]","timeFrom":"now-5y","timeTo":"now","title":"Map"},"coreMigrationVersion":"8.8.0","id":"map","type":"dashboard","typeMigrationVersion":"8.9.0"}"#,
            "\n",
            r#"{"attributes":{"fieldFormatMap":"{\"id\":{\"id\":\"url\"}}","title":"tweets-*"},"coreMigrationVersion":"8.8.0","id":"tweets","type":"index-pattern","typeMigrationVersion":"8.0.0"}"#,
            "\n",
        );
        assert_eq!(pack(folder.path()).unwrap(), expected);
    }

    #[test]
    fn an_export_of_a_later_kibana_is_refused() {
        let export = r#"{"attributes":{},"coreMigrationVersion":"8.8.0","id":"x","type":"lens","typeMigrationVersion":"10.1.0"}"#;
        let folder = tempfile::tempdir().unwrap();
        let error = unpack(export, folder.path()).unwrap_err().to_string();
        assert!(error.contains("export it from an 8.12"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
