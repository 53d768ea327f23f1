# The project's commands; `just` lists them.
default:
    @just --list

# Index the example tweets and look at them
demo:
    cargo run --release -- backfill examples/tweets.csv
    cargo run --release -- search ''

# The whole pipeline in containers, with Kibana on port 5601
up:
    docker compose up --build --detach
    docker compose logs --follow setup

# Stop that; what it keeps stays
down:
    docker compose down

# Make Kibana's import file of the objects, with what is in EXPORT taken over
kibana EXPORT="":
    cargo run -p kibana -- {{EXPORT}}

# All tests
test:
    cargo test --workspace

# Let libFuzzer look for inputs that break one of the tests in fuzz/ (cargo install cargo-bolero)
fuzz TARGET SECONDS="600":
    cargo bolero test --package fuzz {{TARGET}} --rustc-bootstrap --sanitizer NONE --time {{SECONDS}}s --engine-args="-rss_limit_mb=512 -timeout=10 -len_control=0 -max_len=8192 {{justfile_directory()}}/crates/ingest/test_data"

# All that must hold before a change lands
ci:
    .ci/run

# VADER's implementations side by side
bench:
    cargo bench -p tests --bench vader

# Clients of Elasticsearch side by side
bench-bulk:
    tests/benches/bulk/run.py 100000 2

# Run a real Elasticsearch on port 9200 until Ctrl-C
elasticsearch:
    tests/servers/start elasticsearch-9.5.3 9200 /tmp/tweet-indexer-elasticsearch

# Write the examples anew
examples:
    cargo run --release -- sample --count 400 --seed 2026 --format csv > examples/tweets.csv
    cargo run --release -- sample --count 150 --seed 2026 --format ndjson > examples/geotagged.ndjson
