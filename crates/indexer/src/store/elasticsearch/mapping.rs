//! How tweets are mapped: the index template, and how the mapping of an existing index differs from it.

use std::fmt;

use serde_json::{Map, Value as Json, json};

use super::settings::IndexBy;

/// The index template, for indices that cover this period each.
pub fn template(index_by: IndexBy) -> Json {
    // The file is compiled into the program, and a test parses it, so parsing does not fail.
    let mut template: Json =
        serde_json::from_str(include_str!("template.json")).unwrap_or_default();
    template["_meta"]["index_by"] = json!(index_by.as_str());
    template
}

/// How a mapping differs from the template's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It lacks these fields.
    Lacks(Vec<String>),
    /// A field is mapped in another way, which this text describes. The mapping of an existing field cannot be changed.
    Other(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Lacks(fields) => write!(f, "`{}` is not mapped", fields.join("`, `")),
            Difference::Other(words) => f.write_str(words),
        }
    }
}

/// How a mapping differs from the template's: by the first field that is mapped in another way, or else by all fields
/// that it lacks.
pub(super) fn difference(mapping: &Json) -> Option<Difference> {
    let ours = template(IndexBy::default());
    let ours = flat(&ours["template"]["mappings"]["properties"]);
    let theirs = flat(&mapping["properties"]);
    let other = ours.iter().find_map(|(field, our)| {
        let their = theirs.get(field)?;
        if their["type"] != our["type"] {
            let name = |field: &Json| field["type"].as_str().unwrap_or("object").to_owned();
            Some(format!("`{field}` is {}, not {}", name(their), name(our)))
        } else if their["normalizer"] != our["normalizer"] {
            Some(format!("`{field}` has another normalizer"))
        } else {
            None
        }
    });
    let lacking = ours.keys().filter(|field| !theirs.contains_key(*field));
    let lacking: Vec<String> = lacking.cloned().collect();
    match other {
        Some(words) => Some(Difference::Other(words)),
        None if lacking.is_empty() => None,
        None => Some(Difference::Lacks(lacking)),
    }
}

/// The part of the template's mapping that defines these fields.
pub(super) fn part(fields: &[String]) -> Json {
    let mut ours = template(IndexBy::default())["template"]["mappings"].take();
    let all = flat(&ours["properties"]);
    let mut part = json!({ "_meta": ours["_meta"].take() });
    for field in fields {
        let names = field.split('.');
        let place = names.fold(&mut part, |place, name| &mut place["properties"][name]);
        *place = all.get(field).cloned().unwrap_or_default();
    }
    part
}

/// Flattens nested fields, so that each is listed under its full, dotted name.
fn flat(properties: &Json) -> Map<String, Json> {
    let mut fields = Map::new();
    for (name, field) in properties.as_object().into_iter().flatten() {
        match field.get("properties") {
            None => {
                fields.insert(name.clone(), field.clone());
            }
            Some(inner) => fields.extend(
                flat(inner).into_iter().map(|(inner, field)| (format!("{name}.{inner}"), field)),
            ),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Keyword;

    #[test]
    fn every_keyword_is_in_the_mapping_and_folds_case_as_it_should() {
        let template = template(IndexBy::Year);
        let fields = flat(&template["template"]["mappings"]["properties"]);
        for keyword in Keyword::ALL {
            let field = &fields[keyword.name()];
            assert_eq!(field["type"], "keyword", "{}", keyword.name());
            assert_eq!(field["normalizer"] == "lowercase", keyword.folds_case(), "{field}");
        }
    }

    #[test]
    fn a_mapping_differs_where_a_field_has_another_type_or_none() {
        let ours = template(IndexBy::Year)["template"]["mappings"].take();
        assert_eq!(difference(&ours), None);
        let mut dynamic = ours.clone();
        let words = |mapping: &Json| difference(mapping).map(|difference| difference.to_string());
        dynamic["properties"]["location"] = json!({ "type": "float" });
        assert_eq!(words(&dynamic).as_deref(), Some("`location` is float, not geo_point"));
        dynamic["properties"]["lang"] = json!(null);
        assert_eq!(words(&dynamic).as_deref(), Some("`lang` is object, not keyword"));
        assert!(difference(&json!({})).is_some());
    }

    #[test]
    fn an_earlier_mapping_lacks_fields_and_is_given_those_alone() {
        let mut earlier = template(IndexBy::Year)["template"]["mappings"].take();
        let properties = earlier["properties"].as_object_mut().unwrap();
        properties.remove("hour");
        properties["user"]["properties"].as_object_mut().unwrap().remove("followers");
        let Some(Difference::Lacks(fields)) = difference(&earlier) else { panic!("it fits") };
        assert_eq!(fields, ["hour", "user.followers"]);
        let user = json!({ "properties": { "followers": { "type": "long" } } });
        let expected = json!({ "hour": { "type": "byte" }, "user": user });
        assert_eq!(part(&fields)["properties"], expected);
    }
}
