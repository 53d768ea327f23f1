"""Puts sample tweets into the stack's Firehose, once, and waits until they are in the index."""

import base64
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

import botocore.session

STACK = "tweets"
# A record of Firehose holds up to 1,000 KiB: many tweets, a line each.
TWEETS_PER_RECORD = 100
WAIT_SECONDS = 600
# What was put, so that it is put once, and the same again if that was broken off. Beside what ministack keeps: where that
# is thrown away, samples are wanted again.
PLAN = pathlib.Path("/var/lib/ministack/sample.json")


def main():
    if os.environ["SAMPLE_TWEETS"] == "0":
        return
    if PLAN.exists():
        plan = json.loads(PLAN.read_text())
    else:
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        plan = {"count": int(os.environ["SAMPLE_TWEETS"]), "until": now, "done": False}
        PLAN.write_text(json.dumps(plan))
    if plan["done"]:
        return
    session = botocore.session.get_session()
    stacks = session.create_client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    firehose = session.create_client("firehose")
    program = ["target/lambda/indexer/bootstrap", "sample", "--format", "ndjson"]
    program += ["--count", str(plan["count"]), "--until", plan["until"]]
    tweets = subprocess.run(program, check=True, stdout=subprocess.PIPE)
    lines = tweets.stdout.splitlines(keepends=True)
    for at in range(0, len(lines), TWEETS_PER_RECORD):
        record = {"Data": b"".join(lines[at : at + TWEETS_PER_RECORD])}
        firehose.put_record(DeliveryStreamName=outputs["FirehoseName"], Record=record)
    print(f"put {plan['count']} tweets into {outputs['FirehoseName']}", flush=True)
    # Notices have no id of their own.
    ids = [tweet["id_str"] for tweet in map(json.loads, lines) if "id_str" in tweet]
    started = time.monotonic()
    while (there := count(ids)) < len(ids):
        if time.monotonic() - started > WAIT_SECONDS:
            sys.exit(f"only {there} of {len(ids)} tweets are in the index: docker compose logs aws")
        time.sleep(1)
    PLAN.write_text(json.dumps(plan | {"done": True}))
    print(f"{len(ids)} tweets are in the index", flush=True)


def count(ids):
    """How many of these tweets are in the index; none while it is being made."""
    password = pathlib.Path("/secrets/elastic").read_text().strip()
    credentials = base64.b64encode(f"elastic:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    query = json.dumps({"query": {"ids": {"values": ids}}}).encode()
    url = "http://elasticsearch:9200/tweets-*/_count"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, query, headers), timeout=30) as answer:
            return json.load(answer)["count"]
    except (urllib.error.URLError, TimeoutError):
        return 0


main()
