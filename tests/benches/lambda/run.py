#!/usr/bin/env python3
"""What a function costs: the same gzip object out of S3 into the same Elasticsearch, by `indexer lambda` under Lambda's
runtime emulator, and by a handler in Python that does the same job with the usual libraries.

    .ci/parts && tests/benches/lambda/run.py [TWEETS] [ROUNDS]

Needs Python with the packages boto3, elasticsearch and vaderSentiment, a JDK and Maven. CPU seconds carry over: a function's
share of a core grows with its memory (1,769 MB are one), so that GB-seconds are about 1.73 times the CPU seconds,
as long as it is the CPU that it waits for.
"""
import glob, gzip, json, os, platform, socket, statistics, subprocess, sys, tempfile, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PARTS = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "tweet-indexer")
INDEXER = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "indexer")
GB_PER_CORE = 1769 / 1024


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url):
    for _ in range(600):
        try:
            return urllib.request.urlopen(url).read()
        except Exception:
            time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


def handler(event, store):
    """Origin of the idea: emoticons aside, what a Python Lambda for this job looks like."""
    import boto3
    from elasticsearch import Elasticsearch, helpers
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer, client = SentimentIntensityAnalyzer(), Elasticsearch(store, request_timeout=120)
    s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])

    def actions():
        for record in event["Records"]:
            where = record["s3"]
            body = s3.get_object(Bucket=where["bucket"]["name"], Key=where["object"]["key"])["Body"]
            for line in gzip.GzipFile(fileobj=body):
                tweet = json.loads(line)
                if "id_str" not in tweet:
                    continue
                text = tweet.get("full_text") or tweet["text"]
                scores = analyzer.polarity_scores(text)
                entities = tweet.get("entities", {})
                yield {
                    "_index": "peer",
                    "_id": tweet["id_str"],
                    "text": text,
                    "created_at": tweet["created_at"],
                    "hashtags": [tag["text"].lower() for tag in entities.get("hashtags", [])],
                    "mentions": [user["screen_name"].lower() for user in entities.get("user_mentions", [])],
                    "location": (tweet.get("coordinates") or {}).get("coordinates"),
                    "sentiment": scores,
                }

    for _ in helpers.streaming_bulk(client, actions(), chunk_size=1000, max_retries=5, raise_on_error=False):
        pass


def function(event, environment):
    """CPU seconds, wall seconds and peak memory of our function, under the emulator."""
    machine = "arm64" if platform.machine() == "aarch64" else "x86_64"
    [emulator] = glob.glob(f"{PARTS}/sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}")
    port, api = free_port(), free_port()
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{api}"]
    log = tempfile.TemporaryFile()
    child = subprocess.Popen([emulator, *addresses, INDEXER], env=environment, stdout=log, stderr=log)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        started = time.monotonic()
        answer = json.load(urllib.request.urlopen(url, data=json.dumps(event).encode()))
        wall = time.monotonic() - started
        if "objects" not in answer:
            raise SystemExit(answer)
        for stat in glob.glob("/proc/[0-9]*/stat"):
            fields = open(stat).read().rsplit(")", 1)[1].split()
            if fields[1] == str(child.pid):
                ticks = os.sysconf("SC_CLK_TCK")
                cpu = (int(fields[11]) + int(fields[12])) / ticks
                status = open(stat.replace("/stat", "/status")).read()
                peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
                return cpu, wall, peak
    finally:
        child.kill()
        subprocess.run(["pkill", "-9", "-P", str(child.pid)])


def peer(event, environment, store):
    started = time.monotonic()
    me = [sys.executable, os.path.abspath(__file__), "--handler", store]
    child = subprocess.Popen(me, env=environment, stdin=subprocess.PIPE)
    child.stdin.write(json.dumps(event).encode())
    child.stdin.close()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit("the peer failed")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024


def main():
    if sys.argv[1:2] == ["--handler"]:
        return handler(json.load(sys.stdin), sys.argv[2])
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    subprocess.run(["cargo", "build", "--release", "-q"], cwd=ROOT, check=True)
    folder = tempfile.mkdtemp(dir="/tmp")
    os.chmod(folder, 0o755)  # the server may run as another user
    aws, es = free_port(), free_port()
    server = subprocess.Popen([f"{ROOT}/tests/servers/start", "elasticsearch-9.5.3", str(es), f"{folder}/es"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store, s3 = f"http://127.0.0.1:{es}", f"http://127.0.0.1:{aws}"
    emulator = subprocess.Popen([f"{PARTS}/ministack/bin/ministack"], cwd=folder, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env={**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(aws)})
    try:
        sample = subprocess.run([INDEXER, "sample", "--count", str(count), "--format", "ndjson"], stdout=subprocess.PIPE, check=True)
        body = gzip.compress(sample.stdout, 6)
        wait_for(f"{s3}/"), wait_for(f"{store}/_cluster/health")
        for path, data in (("tweets", b""), ("rejects", b""), ("tweets/t.gz", body)):
            urllib.request.urlopen(urllib.request.Request(f"{s3}/{path}", data=data, method="PUT"))
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                  "s3": {"bucket": {"name": "tweets"}, "object": {"key": "t.gz", "size": len(body)}}}
        event = {"Records": [record]}
        environment = {**os.environ, "AWS_ENDPOINT_URL": s3, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                       "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "INDEXER_STORE": store,
                       "REJECTS_URL": "s3://rejects/", "AWS_LAMBDA_FUNCTION_TIMEOUT": "900"}
        runs = {"indexer lambda": lambda: function(event, environment), "Python": lambda: peer(event, environment, store)}
        results = {name: [] for name in runs}
        for number in range(rounds + 1):
            for name, run in runs.items():
                for index in ("tweets-2026", "peer"):
                    request = urllib.request.Request(f"{store}/{index}?ignore_unavailable=true", method="DELETE")
                    urllib.request.urlopen(request).read()
                result = run()
                if number:  # the first one warms up
                    results[name].append(result)
        print(f"{count} tweets, {len(sample.stdout) / 1e6:.0f} MB of JSON, {len(body) / 1e6:.0f} MB gzipped; median of {rounds}")
        for name, result in results.items():
            cpu, wall, peak = (statistics.median(numbers) for numbers in zip(*result))
            million = cpu * 1e6 / count
            print(f"{name:16} {million:6.1f} CPU s per million, {million * GB_PER_CORE:6.1f} GB-s, {wall:5.1f} s, {peak:4.0f} MB")
    finally:
        emulator.kill(), server.kill()


if __name__ == "__main__":
    main()
