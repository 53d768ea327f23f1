#!/usr/bin/env python3
"""Loads the same documents into the same Elasticsearch with `indexer` and its peers, side by side.

    tests/benches/bulk/run.py [DOCUMENTS] [ROUNDS]

Wall time, CPU time and peak memory of each client; a new index each time. `replay` sends bulk bodies that were made
beforehand, which is as fast as the server goes. Needs Python with the package elasticsearch, Go, a JDK and Maven; a
peer whose parts are missing is left out.
"""
import http.client, json, os, resource, shutil, statistics, subprocess, sys, tempfile, threading, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
SERVER, PORT = "elasticsearch-9.5.3", int(os.environ.get("PORT", "9309"))
URL = f"http://127.0.0.1:{PORT}"
INDEXER = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "indexer")
BULK_BYTES, BULK_DOCUMENTS, CONNECTIONS = 8 << 20, 5_000, 4


def ask(method, path, body=None):
    request = urllib.request.Request(URL + path, data=body, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def make_bodies(documents, folder):
    """The bodies that `indexer` sends, as files."""
    names, lines, size = [], [], 0

    def close():
        names.append(os.path.join(folder, f"body-{len(names)}"))
        with open(names[-1], "wb") as out:
            out.write(b"".join(lines))

    with open(documents, "rb") as source:
        for line in source:
            document = json.loads(line)
            target = {"_index": "tweets-" + document["@timestamp"][:4], "_id": document["id"]}
            lines += [json.dumps({"create": target}, separators=(",", ":")).encode(), b"\n", line]
            size += len(line)
            if size >= BULK_BYTES or len(lines) >= 3 * BULK_DOCUMENTS:
                close()
                lines, size = [], 0
    if lines:
        close()
    return names


def replay(names):
    left = list(reversed(names))

    def send():
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        while left:
            try:
                name = left.pop()
            except IndexError:
                return
            with open(name, "rb") as body:
                headers = {"Content-Type": "application/x-ndjson"}
                path = "/_bulk?filter_path=errors,items.*.status"
                connection.request("POST", path, body=body.read(), headers=headers)
            connection.getresponse().read()

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def python_client(documents):
    from elasticsearch import Elasticsearch, helpers

    def actions():
        with open(documents) as source:
            for line in source:
                document = json.loads(line)
                yield {
                    "_op_type": "create",
                    "_index": "tweets-" + document["@timestamp"][:4],
                    "_id": document["id"],
                    "_source": document,
                }

    client = Elasticsearch(URL, request_timeout=120)
    for _ in helpers.streaming_bulk(client, actions(), chunk_size=1000, max_retries=5, raise_on_error=False):
        pass


def measure(command):
    """Wall seconds, CPU seconds and peak memory in MB of a command."""
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    if status != 0:
        raise SystemExit(f"{command} failed: {errors.decode()[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    if sys.argv[1:2] == ["--replay"]:
        return replay(sys.argv[2:])
    if sys.argv[1:2] == ["--python"]:
        return python_client(sys.argv[2])
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    subprocess.run(["cargo", "build", "--release", "-q"], cwd=ROOT, check=True)
    folder = tempfile.mkdtemp(dir="/tmp")
    os.chmod(folder, 0o755)  # the server may run as another user
    tweets, documents = os.path.join(folder, "tweets.csv"), os.path.join(folder, "documents.ndjson")
    with open(tweets, "wb") as out:
        subprocess.run([INDEXER, "sample", "--count", str(count)], stdout=out, check=True)
    with open(documents, "wb") as out:
        subprocess.run([INDEXER, "enrich", tweets], stdout=out, stderr=subprocess.DEVNULL, check=True)
    bodies = make_bodies(documents, folder)

    me = [sys.executable, os.path.abspath(__file__)]
    store = ["--store", URL]
    peers = {
        "replay of these bodies": me + ["--replay"] + bodies,
        "indexer backfill documents.ndjson": [INDEXER, "backfill", documents] + store,
        "indexer backfill documents.ndjson --gzip always": [INDEXER, "backfill", documents, "--gzip", "always"] + store,
        "indexer backfill tweets.csv (reads, scores, loads)": [INDEXER, "backfill", tweets] + store,
    }
    if subprocess.run([sys.executable, "-c", "import elasticsearch"], stderr=subprocess.DEVNULL).returncode == 0:
        peers["elasticsearch-py streaming_bulk(1000)"] = me + ["--python", documents]
    if shutil.which("go"):
        program = os.path.join(folder, "bulkindexer")
        subprocess.run(["go", "build", "-o", program, "."], cwd=os.path.join(HERE, "go"), check=True)
        peers["go-elasticsearch BulkIndexer"] = [program, URL, documents]

    with open(os.path.join(folder, "log"), "wb") as log:
        environment = dict(os.environ, HEAP=os.environ.get("HEAP", "2g"))
        command = [os.path.join(ROOT, "tests/servers/start"), SERVER, str(PORT), os.path.join(folder, "data")]
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        while True:
            try:
                ask("GET", "/_cluster/health")
                break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit(open(os.path.join(folder, "log")).read()[-2000:])
                time.sleep(0.2)
        seen = {name: [] for name in peers}
        # The first round warms the server up and is not counted.
        for round in range(rounds + 1):
            for name, command in peers.items():
                for index in ask("GET", "/_cat/indices/tweets-*?format=json"):
                    ask("DELETE", "/" + index["index"])
                subprocess.run([INDEXER, "setup"] + store, stdout=subprocess.DEVNULL, check=True)
                measured = measure(command)
                ask("POST", "/tweets-*/_refresh")
                there = ask("GET", "/tweets-*/_count")["count"]
                if round > 0:
                    seen[name].append(measured + (there,))
                print(round, name, *measured, there, file=sys.stderr, flush=True)
    finally:
        os.killpg(server.pid, 9)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    best = statistics.median(wall for wall, *_ in seen["replay of these bodies"])
    print(f"{count} records; medians of {rounds} rounds\n")
    print("| client | CPU s per 100,000 | seconds | share of the replay's rate | peak MB | documents there |")
    print("|---|---|---|---|---|---|")
    for name, rows in seen.items():
        wall, cpu, memory, there = (statistics.median(column) for column in zip(*rows))
        print(f"| {name} | {cpu / count * 1e5:.2f} | {wall:.1f} | {best / wall:.0%} | {memory:.0f} | {there:.0f} |")


if __name__ == "__main__":
    main()
