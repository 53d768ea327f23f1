# Elasticsearch as its official image looks from outside, from a distribution that is mounted.
ARG DEBIAN=debian:bookworm-slim
# hadolint ignore=DL3006
FROM ${DEBIAN}
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --home-dir /usr/share/elasticsearch elasticsearch \
    && install -d -o elasticsearch /usr/share/elasticsearch/data
COPY elasticsearch-entrypoint /usr/local/bin/
USER 1000
ENTRYPOINT ["elasticsearch-entrypoint"]
