//! The page's files in `assets/`, compiled into the program so that there is nothing to install.

use std::sync::LazyLock;

use super::content::Content;

macro_rules! assets {
    ($($path:literal $content_type:expr;)*) => {
        /// The static files, by their paths below `/assets/`.
        pub(super) static ASSETS: LazyLock<Vec<(&'static str, Content)>> = LazyLock::new(|| {
            vec![$(($path, Content::lasting($content_type, include_bytes!(concat!("assets/", $path)))),)*]
        });
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const JSON: &str = "application/json";

assets! {
    "main.js" SCRIPT;
    "api.js" SCRIPT;
    "state.js" SCRIPT;
    "elements.js" SCRIPT;
    "words.js" SCRIPT;
    "filters.js" SCRIPT;
    "headline.js" SCRIPT;
    "map.js" SCRIPT;
    "clusters.js" SCRIPT;
    "marketplaces.js" SCRIPT;
    "timeline.js" SCRIPT;
    "lists.js" SCRIPT;
    "hours.js" SCRIPT;
    "tweets.js" SCRIPT;
    "style.css" STYLE;
    "vendor/world.json" JSON;
    "vendor/leaflet.js" SCRIPT;
    "vendor/leaflet.css" STYLE;
}

/// The dashboard's HTML page.
pub(super) static PAGE: LazyLock<Content> = LazyLock::new(|| {
    Content::lasting("text/html; charset=utf-8", include_bytes!("assets/index.html"))
});

/// The login page; `{message}` and `{back}` in it are filled in for each request.
pub(super) const LOGIN: &str = include_str!("assets/login.html");

/// The description of the API in OpenAPI 3.1.
pub(super) static OPENAPI: LazyLock<Content> =
    LazyLock::new(|| Content::lasting(JSON, include_bytes!("openapi.json")));

/// Compresses the static files now instead of when they are first requested.
pub(super) fn prepare() {
    LazyLock::force(&PAGE);
    LazyLock::force(&OPENAPI);
    LazyLock::force(&ASSETS);
}
