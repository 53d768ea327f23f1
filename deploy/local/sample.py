"""Puts sample tweets into the stack's Firehose, once, and waits until they are in the index."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

import botocore.session

STACK = "tweets"
# A record of Firehose holds up to 1,000 KiB: many tweets, a line each.
TWEETS_PER_RECORD = 100
WAIT_SECONDS = 600
DONE = pathlib.Path("/secrets/sampled")


def main():
    wanted = int(os.environ["SAMPLE_TWEETS"])
    if DONE.exists() or wanted == 0:
        return
    session = botocore.session.get_session()
    stacks = session.create_client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    firehose = session.create_client("firehose")
    before = count()
    program = ["target/lambda/indexer/bootstrap", "sample", "--format", "ndjson", "--until", "now"]
    tweets = subprocess.run([*program, "--count", str(wanted)], check=True, capture_output=True)
    lines = tweets.stdout.splitlines(keepends=True)
    for at in range(0, len(lines), TWEETS_PER_RECORD):
        record = {"Data": b"".join(lines[at : at + TWEETS_PER_RECORD])}
        firehose.put_record(DeliveryStreamName=outputs["FirehoseName"], Record=record)
    print(f"put {wanted} tweets into {outputs['FirehoseName']}", flush=True)
    started = time.monotonic()
    while (there := count() - before) < wanted:
        if time.monotonic() - started > WAIT_SECONDS:
            sys.exit(f"only {there} of {wanted} tweets are in the index: docker compose logs aws")
        time.sleep(1)
    DONE.touch()
    print(f"{wanted} tweets are in the index", flush=True)


def count():
    """How many tweets are in the index."""
    password = pathlib.Path("/secrets/elastic").read_text()
    credentials = base64.b64encode(f"elastic:{password}".encode()).decode()
    url = "http://elasticsearch:9200/tweets-*/_count?ignore_unavailable=true"
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {credentials}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["count"]


main()
