# indexer (the default), and with --target aws what stands in for AWS on a laptop.
# BUILD=prebuilt takes the program from bin/ instead of compiling it.
ARG BUILD=compile
ARG DEBIAN=debian:bookworm-slim
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

FROM rust:1.95.0-slim-bookworm AS compile
WORKDIR /src
COPY . .
# The caches keep what the dependencies compiled to, from build to build.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked && install -D target/release/indexer /out/indexer

# hadolint ignore=DL3006
FROM ${DEBIAN} AS prebuilt
COPY bin/indexer /out/indexer

# hadolint ignore=DL3006
FROM ${BUILD} AS program

# AWS on a laptop: S3, Firehose, Lambda and CloudFormation (ministack), AWS's command line to deploy with, and the
# Lambda to deploy.
# hadolint ignore=DL3006
FROM ${DEBIAN} AS aws
# Debian keeps only the latest patch of a version.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --user-group --no-create-home aws \
    && install -d -o aws -g aws /var/lib/ministack
COPY deploy/local/requirements.txt /opt/aws/
RUN python3 -m venv /opt/aws && /opt/aws/bin/pip install --no-cache-dir --requirement /opt/aws/requirements.txt
ENV PATH=/opt/aws/bin:$PATH
COPY LICENSE NOTICE /opt/tweets/
COPY --from=program /out/indexer /opt/tweets/target/lambda/indexer/bootstrap
COPY --chmod=755 deploy /opt/tweets/deploy
USER 1000
WORKDIR /opt/tweets
EXPOSE 4566
CMD ["bash", "deploy/local/aws.sh"]

# hadolint ignore=DL3006
FROM ${RUNTIME} AS indexer
COPY LICENSE NOTICE /usr/share/doc/tweet-indexer/
COPY --from=program /out/indexer /usr/local/bin/indexer
WORKDIR /data
ENTRYPOINT ["indexer"]
