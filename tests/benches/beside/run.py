#!/usr/bin/env python3
"""What a change costs: `tests/benches/beside/run.py OTHER_INDEXER [TWEETS [ROUNDS [STORE]]]` (default 200000 5).

Runs the release build of this checkout beside another build of indexer, such as one of the commit before, in turn:
`enrich` and `backfill` of the same sample tweets, and every endpoint of the dashboard under filters that nobody has
asked for yet. STORE is the address of an Elasticsearch without credentials, to load that too; its tweets are deleted.
Prints medians, and their ratios: below 1 means that this checkout needs less.
"""

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serve"))
from run import ENDPOINTS, FILTERS, ask, free_port, wait_for

ROOT = Path(__file__).resolve().parents[3]


def run(command):
    """Wall seconds, CPU seconds and peak memory in MB of a command that must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def line(name, ours, theirs):
    ratio = statistics.median(our / their for our, their in zip(ours, theirs))
    print(f"| {name} | {statistics.median(ours):.2f} | {statistics.median(theirs):.2f} | {ratio:.2f} |", flush=True)


def dashboards(programs, folder):
    connections, servers = [], []
    for program in programs:
        port = free_port()
        servers.append(subprocess.Popen([program, "serve", "--store", f"{folder}/{program.name}-store", "--listen", str(port)], stderr=subprocess.DEVNULL))
        wait_for(port)
        connections.append(http.client.HTTPConnection("127.0.0.1", port))
    times = [[], []]
    for number, path in enumerate(f"/api/{e}{'&' if '?' in e else '?'}{f}".replace('"', "%22") for e in ENDPOINTS for f in FILTERS):
        for which in (0, 1) if number % 2 else (1, 0):
            times[which].append(ask(connections[which], path)[0])
    for server in servers:
        server.terminate()
    line("dashboard, cold answers, ms", *times)


def main():
    other, tweets, rounds, store = (sys.argv[1:] + ["200000", "5", ""][len(sys.argv) - 2:])[:4]
    subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
    indexer = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/indexer"
    with tempfile.TemporaryDirectory() as folder:
        programs = [Path(folder, "ours"), Path(folder, "theirs")]
        for program, target in zip(programs, (indexer, Path(other))):
            program.symlink_to(target.resolve())
        for format in ("csv", "ndjson"):
            with open(f"{folder}/tweets.{format}", "wb") as out:
                subprocess.run([other, "sample", "--count", tweets, "--format", format], stdout=out, check=True)
        jobs = {f"enrich {format}": lambda p, format=format: ["enrich", f"{folder}/tweets.{format}"] for format in ("csv", "ndjson")}
        into = ["backfill", f"{folder}/tweets.ndjson", "--recreate", "--yes", "--store"]
        jobs["backfill into a folder"] = lambda p: into + [f"{folder}/{p.name}-store"]
        if store:
            jobs["backfill into Elasticsearch"] = lambda p: into + [store]
        print("| | this checkout | the other | ratio |\n|---|---|---|---|")
        for name, arguments in jobs.items():
            measured = [[run([p, *arguments(p)]) for p in programs] for _ in range(int(rounds) + 1)][1:]
            for index, unit in enumerate(("seconds", "CPU seconds", "MB")):
                line(f"{name}, {unit}", *([both[which][index] for both in measured] for which in (0, 1)))
        dashboards(programs, folder)


if __name__ == "__main__":
    main()
