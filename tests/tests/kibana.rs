//! Sends the queries of each panel of each dashboard to a real Elasticsearch: none is refused, and all find something.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::path::Path;
use std::process::Stdio;

use serde_json::{Map, Value as Json, json};
use tests::{ELASTICSEARCH, Server, Workplace};

/// The sample's last day ends here: four weeks from 2 February 2026 on.
const END: &str = "2026-03-02T00:00:00Z";

#[test]
fn every_panel_of_every_dashboard_finds_tweets() {
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    fill(&server);
    let objects =
        kibana::objects(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../kibana")).unwrap();
    let find = |reference: &Json| {
        let is = |o: &&Json| o["type"] == reference["type"] && o["id"] == reference["id"];
        objects.iter().find(is).unwrap()
    };
    let mut searches = Vec::new();
    for dashboard in objects.iter().filter(|object| object["type"] == "dashboard") {
        let filter =
            &dashboard["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]["filter"];
        let filters: Vec<Json> =
            list(filter).iter().map(|filter| filter["query"].clone()).collect();
        let is_panel = |r: &&Json| matches!(r["type"].as_str(), Some("lens" | "map" | "search"));
        for panel in list(&dashboard["references"]).iter().filter(is_panel).map(find) {
            for search in searches_of(panel) {
                let name = format!("{} of {}", panel["id"], dashboard["id"]);
                searches.push((name, filtered(search, &filters)));
            }
        }
    }
    assert!(searches.len() > 80, "{}", searches.len());
    let lines = searches.iter().map(|(_, search)| format!("{{}}\n{search}\n"));
    let answer = server.ask("POST", "/tweets-*/_msearch", &lines.collect::<String>());
    assert_eq!(list(&answer["responses"]).len(), searches.len());
    let of = |name: &str| {
        let at = searches.iter().position(|(other, _)| other == name).unwrap();
        &answer["responses"][at]
    };
    for (id, marketplace) in [("aws", "AWS"), ("azure", "Azure"), ("gcp", "GCP")] {
        let count = server.ask("GET", &format!("/tweets-*/_count?q=marketplace:{marketplace}"), "");
        let tile = of(&format!("\"tweets-mentions-{id}\" of \"tweets-marketplaces\""));
        assert_eq!(tile["aggregations"]["m"]["doc_count"], count["count"], "{id}");
        let dashboard = of(&format!("\"tweets-count\" of \"tweets-{id}\""));
        assert_eq!(dashboard["hits"]["total"]["value"], count["count"], "{id}");
    }
    for ((name, search), answer) in searches.iter().zip(list(&answer["responses"])) {
        assert_eq!(answer["status"], 200, "{name}: {search} {answer}");
        assert!(answer["hits"]["total"]["value"].as_u64() > Some(0), "{name}: {search}");
        assert_found(&answer["aggregations"], name);
        if let Some(fields) = search["fields"].as_array() {
            let found = answer["hits"]["hits"].as_array().unwrap();
            let has = |field: &Json| found.iter().any(|h| !h["fields"][text(field)].is_null());
            let absent: Vec<&Json> = fields.iter().filter(|field| !has(field)).collect();
            assert!(absent.is_empty(), "{name}: no tweet has {absent:?}");
        }
    }
}

fn fill(server: &Server) {
    let workplace = Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"));
    let sample = ["sample", "--count", "4000", "--seed", "6", "--format", "ndjson"];
    let sample = workplace.command(sample).stdout(Stdio::piped()).output().unwrap();
    workplace.file("sample.ndjson", sample.stdout);
    let output = workplace.run(["backfill", "sample.ndjson", "--store", &server.url()]);
    assert!(output.status.success(), "{output:?}");
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Translates KQL, in the forms that the objects use, to a query of Elasticsearch.
fn query(kql: &str) -> Json {
    let lucene = kql.replace(" and ", " AND ").replace("not ", "NOT ").replace(": ", ":");
    match lucene.is_empty() {
        true => json!({ "match_all": {} }),
        false => json!({ "query_string": { "query": lucene } }),
    }
}

fn filtered(mut search: Json, filters: &[Json]) -> Json {
    let asked = search["query"].take();
    search["query"] = json!({ "bool": { "must": [asked], "filter": filters } });
    search
}

/// The searches that Kibana sends to draw an object.
fn searches_of(object: &Json) -> Vec<Json> {
    let attributes = &object["attributes"];
    match text(&object["type"]) {
        "lens" => vec![lens(&attributes["state"])],
        "search" => {
            let source = &attributes["kibanaSavedObjectMeta"]["searchSourceJSON"];
            let order = |sort: &Json| json!({ (text(&sort[0])): { "order": sort[1] } });
            let sort: Vec<Json> = list(&attributes["sort"]).iter().map(order).collect();
            vec![json!({
                "query": query(text(&source["query"]["query"])),
                "fields": attributes["columns"],
                "sort": sort,
                "size": 500,
            })]
        }
        _ => list(&attributes["layerListJSON"]).iter().filter_map(layer).collect(),
    }
}

/// The search of a map's layer; `None` for the base map, which needs none.
fn layer(layer: &Json) -> Option<Json> {
    let source = &layer["sourceDescriptor"];
    match text(&source["type"]) {
        "ES_GEO_GRID" => {
            let mut inner = Map::new();
            for metric in list(&source["metrics"]).iter().filter(|m| m["field"].is_string()) {
                let (kind, field) = (text(&metric["type"]), text(&metric["field"]));
                inner.insert(format!("{kind}_of_{field}"), json!({ kind: { "field": field } }));
            }
            let colored = &layer["style"]["properties"]["fillColor"]["options"]["field"]["name"];
            assert!(inner.contains_key(text(colored)), "{colored}");
            let grid = json!({ "field": source["geoField"], "precision": 5 });
            let cells = json!({ "geotile_grid": grid, "aggs": inner });
            Some(json!({ "query": query(""), "size": 0, "aggs": { "cells": cells } }))
        }
        "ES_SEARCH" => Some(json!({
            "query": { "exists": { "field": source["geoField"] } },
            "fields": source["tooltipProperties"],
            "sort": [{ (text(&source["sortField"])): { "order": source["sortOrder"] } }],
            "size": 1000,
        })),
        _ => None,
    }
}

/// The aggregations of a Lens visualization: its buckets, each within the one before, and its metrics within the last.
fn lens(state: &Json) -> Json {
    let layer = &state["datasourceStates"]["formBased"]["layers"]["layer1"];
    let columns = list(&layer["columnOrder"]).iter().map(|name| {
        let name = text(name);
        (name, &layer["columns"][name])
    });
    let (buckets, metrics): (Vec<_>, Vec<_>) =
        columns.partition(|(_, column)| column["isBucketed"] == true);
    let mut aggregations = Map::new();
    for (name, column) in metrics {
        if let Some(metric) = metric(column) {
            aggregations.insert(name.to_owned(), metric);
        }
    }
    for (name, column) in buckets.into_iter().rev() {
        let mut bucket = bucket(column);
        if !aggregations.is_empty() {
            bucket["aggs"] = Json::Object(std::mem::take(&mut aggregations));
        }
        aggregations = Map::from_iter([(name.to_owned(), bucket)]);
    }
    let query = query(text(&state["query"]["query"]));
    json!({ "query": query, "size": 0, "aggs": aggregations })
}

fn bucket(column: &Json) -> Json {
    let (field, params) = (&column["sourceField"], &column["params"]);
    match text(&column["operationType"]) {
        "terms" => {
            // The objects order terms only by the count of documents, or by the terms themselves.
            let by_value = params["orderBy"]["type"] == "alphabetical";
            let by = if by_value { "_key" } else { "_count" };
            let order = json!({ by: params["orderDirection"] });
            json!({ "terms": { "field": field, "size": params["size"], "order": order } })
        }
        "date_histogram" => {
            json!({ "date_histogram": { "field": field, "fixed_interval": "12h" } })
        }
        "filters" => {
            let named = list(&params["filters"]).iter().map(|filter| {
                (text(&filter["label"]).to_owned(), query(text(&filter["input"]["query"])))
            });
            json!({ "filters": { "filters": named.collect::<Map<_, _>>() } })
        }
        other => panic!("what does Kibana ask for {other}?"),
    }
}

/// The aggregation of a metric. `None` for what Kibana computes itself, and for the count, which each bucket has
/// anyway.
fn metric(column: &Json) -> Option<Json> {
    let field = &column["sourceField"];
    let of = |kind: &str| Some(json!({ kind: { "field": field } }));
    match text(&column["operationType"]) {
        "count" => match (column["filter"]["query"].as_str(), &column["reducedTimeRange"]) {
            (Some(kql), _) => Some(json!({ "filter": query(kql) })),
            (None, Json::String(range)) => {
                let range = json!({ "gte": format!("{END}||-{range}"), "lt": END });
                Some(json!({ "filter": { "range": { "@timestamp": range } } }))
            }
            _ => None,
        },
        "average" => of("avg"),
        "unique_count" => of("cardinality"),
        "median" => Some(json!({ "percentiles": { "field": field, "percents": [50] } })),
        "percentile" => {
            let percents = [&column["params"]["percentile"]];
            Some(json!({ "percentiles": { "field": field, "percents": percents } }))
        }
        kind @ ("sum" | "max") => of(kind),
        "formula" | "math" => None,
        other => panic!("what does Kibana ask for {other}?"),
    }
}

/// Asserts that each aggregation has found a bucket or a number.
fn assert_found(aggregations: &Json, name: &str) {
    for (column, answer) in aggregations.as_object().into_iter().flatten() {
        assert!(is_found(answer), "{name}: column {column} is empty: {answer}");
    }
}

/// Whether an aggregation has a number, or a bucket in which all inner aggregations have found something.
fn is_found(answer: &Json) -> bool {
    let is_full = |bucket: &Json| {
        let mut inner = bucket.as_object().into_iter().flatten().filter(|(_, a)| a.is_object());
        bucket["doc_count"] != 0 && inner.all(|(_, answer)| is_found(answer))
    };
    if let Some(values) = answer["values"].as_object() {
        return values.values().all(Json::is_number);
    }
    match &answer["buckets"] {
        Json::Array(buckets) => buckets.iter().any(is_full),
        Json::Object(buckets) => buckets.values().any(is_full),
        _ => answer["value"].is_number() || answer["doc_count"].as_u64() > Some(0),
    }
}
