//! What must hold for Kibana to import the objects without an error and to draw every panel.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kibana::{IMPORT_FILE, is_of_8_12, objects, pack};
use serde_json::Value as Json;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn all() -> Vec<Json> {
    objects(folder()).unwrap()
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn entries(value: &Json) -> impl Iterator<Item = (&str, &Json)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// Calls `visit` with each key and value in it, at any depth.
fn walk<'j>(value: &'j Json, visit: &mut impl FnMut(&'j str, &'j Json)) {
    for (key, value) in entries(value) {
        visit(key, value);
        walk(value, visit);
    }
    list(value).iter().for_each(|item| walk(item, visit));
}

#[test]
fn the_import_file_is_made_of_the_objects() {
    let file = fs::read_to_string(folder().join(IMPORT_FILE)).unwrap();
    assert!(file == pack(folder()).unwrap(), "it is not current: cargo run -p kibana");
}

#[test]
fn files_are_written_as_an_export_would_write_them() {
    for object in all() {
        let name = format!("{}/{}.json", text(&object["type"]), text(&object["id"]));
        let file = fs::read_to_string(folder().join(&name)).unwrap();
        assert!(file == format!("{object:#}\n"), "{name}: sort its keys, indent by two");
    }
}

#[test]
fn objects_are_stamped_with_versions_that_kibana_8_12_knows() {
    for object in all() {
        assert!(
            is_of_8_12(&object),
            "{}: which version does Kibana 8.12 stamp it with?",
            object["id"]
        );
    }
}

#[test]
fn titles_and_descriptions_are_there_and_titles_tell_objects_apart() {
    let mut titles = BTreeSet::new();
    for object in all() {
        let attributes = &object["attributes"];
        assert!(titles.insert((object["type"].to_string(), attributes["title"].to_string())));
        if object["type"] != "index-pattern" {
            assert!(text(&attributes["description"]).ends_with('.'), "{}", object["id"]);
        }
    }
}

#[test]
fn every_reference_is_named_and_leads_to_an_object() {
    let all = all();
    let key = |object: &Json| (object["type"].to_string(), object["id"].to_string());
    let there: BTreeSet<_> = all.iter().map(key).collect();
    for object in &all {
        let mut named = BTreeSet::new();
        for reference in list(&object["references"]) {
            assert!(there.contains(&key(reference)), "{reference} in {}", object["id"]);
            assert!(named.insert(text(&reference["name"]).to_owned()), "{reference} comes twice");
        }
        assert_eq!(named, references_needed(object), "{}", object["id"]);
    }
    let mut used: BTreeSet<_> = all.iter().flat_map(|o| list(&o["references"])).map(key).collect();
    used.extend(all.iter().filter(|object| object["type"] == "dashboard").map(key));
    assert_eq!(used, there, "something is on no dashboard");
}

/// The names of references that an object's attributes ask for.
fn references_needed(object: &Json) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let attributes = &object["attributes"];
    walk(attributes, &mut |key, value| {
        if matches!(key, "indexRefName" | "indexPatternRefName" | "destinationRefName") {
            names.insert(text(value).to_owned());
        }
    });
    for (layer, _) in entries(&attributes["state"]["datasourceStates"]["formBased"]["layers"]) {
        names.insert(format!("indexpattern-datasource-layer-{layer}"));
    }
    for (control, _) in entries(&attributes["controlGroupInput"]["panelsJSON"]) {
        names.insert(format!("controlGroup_{control}:optionsListDataView"));
    }
    for panel in list(&attributes["panelsJSON"]) {
        let index = text(&panel["panelIndex"]);
        if let Some(name) = panel["panelRefName"].as_str() {
            names.insert(format!("{index}:{name}"));
        }
        for event in list(&panel["embeddableConfig"]["enhancements"]["dynamicActions"]["events"]) {
            let factory = text(&event["action"]["factoryId"]);
            let event = text(&event["eventId"]);
            names.insert(format!("{index}:drilldown:{factory}:{event}:dashboardId"));
        }
    }
    names
}

#[test]
fn every_field_is_in_the_mapping() {
    let template: Json = serde_json::from_str(include_str!(
        "../../crates/indexer/src/store/elasticsearch/template.json"
    ))
    .unwrap();
    let mut mapped = BTreeSet::new();
    add_fields(&template["template"]["mappings"]["properties"], "", &mut mapped);
    let mut n_fields = 0;
    for object in all() {
        for field in fields(&object["attributes"]) {
            n_fields += 1;
            assert!(mapped.contains(&field), "`{field}` of {} is not mapped", object["id"]);
        }
    }
    assert!(n_fields > 200, "{n_fields}");
}

fn add_fields(properties: &Json, prefix: &str, fields: &mut BTreeSet<String>) {
    for (name, field) in entries(properties) {
        match &field["properties"] {
            Json::Null => drop(fields.insert(format!("{prefix}{name}"))),
            inner => add_fields(inner, &format!("{prefix}{name}."), fields),
        }
    }
}

/// The fields that an object names, wherever it does.
fn fields(attributes: &Json) -> Vec<String> {
    let mut fields = Vec::new();
    walk(attributes, &mut |key, value| match key {
        "sourceField" | "fieldName" | "timeFieldName" | "geoField" | "sortField" | "field"
            if value.is_string() =>
        {
            fields.push(text(value).to_owned());
        }
        "field" => fields.push(text(&value["name"]).to_owned()),
        "tooltipProperties" => fields.extend(list(value).iter().map(|v| text(v).to_owned())),
        "fieldFormatMap" | "fieldAttrs" => fields.extend(entries(value).map(|(k, _)| k.to_owned())),
        "query" if value.is_string() => fields.extend(kql_fields(text(value))),
        "meta" => fields.push(text(&value["key"]).to_owned()),
        _ => {}
    });
    // Of a search, whose grid names columns too.
    fields.extend(list(&attributes["columns"]).iter().map(|v| text(v).to_owned()));
    fields.extend(list(&attributes["sort"]).iter().map(|sort| text(&sort[0]).to_owned()));
    fields.extend(entries(&attributes["grid"]["columns"]).map(|(key, _)| key.to_owned()));
    // A map's own names: of a cell's count, and of its mean.
    fields.retain(|field| field != "___records___" && field != "doc_count");
    fields.iter().map(|field| field.trim_start_matches("avg_of_").to_owned()).collect()
}

/// The fields in a query such as `marketplace: AWS and not geo_source: *`. In a filter's `params`, a query is a
/// value.
fn kql_fields(query: &str) -> impl Iterator<Item = String> {
    query.split_whitespace().filter_map(|word| word.strip_suffix(':').map(str::to_owned))
}

#[test]
fn lens_has_all_that_it_needs_to_draw() {
    for object in all().iter().filter(|object| object["type"] == "lens") {
        let id = &object["id"];
        let state = &object["attributes"]["state"];
        assert!(state["filters"].is_array(), "{id}");
        let visualization = &state["visualization"];
        let layers = &state["datasourceStates"]["formBased"]["layers"];
        let mut all_columns = BTreeSet::new();
        for (name, layer) in entries(layers) {
            let order: Vec<&str> = list(&layer["columnOrder"]).iter().map(text).collect();
            let columns: BTreeMap<&str, &Json> = entries(&layer["columns"]).collect();
            assert_eq!(order.len(), columns.len(), "{id}: each column once in columnOrder");
            let is_bucket = |column: &&&str| columns[**column]["isBucketed"] == true;
            let n_buckets = order.iter().filter(is_bucket).count();
            assert!(order[..n_buckets].iter().all(|c| is_bucket(&c)), "{id}: buckets first");
            for (column, spec) in &columns {
                assert!(!text(&spec["label"]).is_empty(), "{id} {column}");
                match text(&spec["operationType"]) {
                    "terms" => assert!(spec["params"]["orderBy"].is_object(), "{id} {column}"),
                    "formula" | "math" => assert!(!list(&spec["references"]).is_empty(), "{id}"),
                    "filters" => {}
                    _ => assert!(spec["sourceField"].is_string(), "{id} {column}"),
                }
                for reference in list(&spec["references"]) {
                    assert!(columns.contains_key(text(reference)), "{id} {column}");
                }
            }
            assert!(visualization.to_string().contains(&format!("\"layerId\":\"{name}\"")));
            all_columns.extend(order.into_iter().map(str::to_owned));
        }
        if object["attributes"]["visualizationType"] == "lnsXY" {
            assert!(visualization["legend"].is_object(), "{id}");
            assert!(visualization["layers"][0]["seriesType"].is_string(), "{id}");
        }
        walk(visualization, &mut |key, value| {
            let named: Vec<&Json> = match key {
                "accessors" | "metrics" | "primaryGroups" => list(value).iter().collect(),
                "columnId" | "forAccessor" => vec![value],
                _ if key.to_lowercase().ends_with("accessor") => vec![value],
                _ => vec![],
            };
            for column in named {
                assert!(all_columns.contains(text(column)), "{id} has no column {column}");
            }
        });
    }
}

#[test]
fn a_value_has_the_same_color_everywhere_and_no_other_value_has_it() {
    let mut colors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for object in all() {
        walk(&object["attributes"], &mut |key, value| match key {
            "assignments" => {
                for assignment in list(value) {
                    let value = text(&assignment["rule"]["values"][0]);
                    let color = text(&assignment["color"]["colorCode"]);
                    colors.entry(value.to_owned()).or_default().insert(color.to_owned());
                }
            }
            "customColorPalette" => {
                for stop in list(value) {
                    // What is no other is neutral.
                    let value = stop["stop"].as_str().unwrap_or("neutral");
                    let color = text(&stop["color"]);
                    colors.entry(value.to_owned()).or_default().insert(color.to_owned());
                }
            }
            _ => {}
        });
    }
    assert!(colors.values().all(|colors| colors.len() == 1), "{colors:#?}");
    let distinct: BTreeSet<_> = colors.values().flatten().collect();
    assert_eq!(distinct.len(), colors.len(), "{colors:#?}");
}

#[test]
fn panels_lie_side_by_side_on_48_columns_without_gaps() {
    for object in all().iter().filter(|object| object["type"] == "dashboard") {
        let mut cells = BTreeSet::new();
        let mut bottom = 0;
        for panel in list(&object["attributes"]["panelsJSON"]) {
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|key| panel["gridData"][key].as_u64().unwrap());
            assert_eq!(panel["gridData"]["i"], panel["panelIndex"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(
                    cell.0 < 48 && cells.insert(cell),
                    "{}: {}",
                    object["id"],
                    panel["gridData"]
                );
            }
            bottom = bottom.max(y + h);
        }
        assert_eq!(cells.len() as u64, 48 * bottom, "{} has a gap", object["id"]);
    }
}
