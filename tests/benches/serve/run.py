#!/usr/bin/env python3
"""How fast the dashboard answers: `tests/benches/serve/run.py [TWEETS [SECONDS]]` (default 1000000 10).

Cold: every endpoint under filters that nobody has asked for yet, over the embedded store, one request at a time.
Under load: 10,000 connections at once on the page and on a kept answer, beside nginx that serves the same bytes as
files, in turn. Needs `wrk` and `nginx` (Debian has both) and leave to open 25,000 files (`ulimit -n`).
"""

import http.client
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ENDPOINTS = ["dashboard", "summary", "hashtags", "mentions", "locations", "map?zoom=4", "map?zoom=12", "timeline",
             "marketplaces", "topics", "tweets", "tweets?sort=engaged", "top"]
FILTERS = ["", "q=cloud", "q=marketplace", 'q="the"', "q=-azure", "q=%23aws", "q=%40awscloud", "q=%F0%9F%9A%80", "lang=en",
           "lang=de,pt", "country=US", "country=DE,BR", "marketplace=AWS", "marketplace=Azure,GCP", "sentiment=positive",
           "sentiment=negative,mixed", "weekday=1", "hour=9", "weekday=3&hour=14", "bbox=-10,36,40,60",
           "bbox=170,-60,-170,60", "from=2026-02-10", "to=2026-02-12", "from=2026-02-10&to=2026-02-11",
           "q=cloud&lang=en&sentiment=positive", "last=all&marketplace=GCP"]
CONNECTIONS = 10_000
NGINX = """
worker_processes auto; worker_rlimit_nofile 25000; pid {folder}/nginx.pid; error_log {folder}/nginx.log; daemon off;
events {{ worker_connections 12000; multi_accept on; }}
http {{
  access_log off; sendfile on; tcp_nopush on; open_file_cache max=10; keepalive_requests 100000000;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}/www; default_type application/json; }}
}}
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


def ask(connection, path):
    started = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status, body)
    return 1000 * (time.perf_counter() - started), body


def p99(times):
    return statistics.quantiles(times, n=100, method="inclusive")[98]


def load(port, path, seconds):
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "--latency", f"http://127.0.0.1:{port}{path}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    requests = int(re.search(r"(\d+) requests in", told)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])
    median, last = (re.search(rf"{share}%\s+(\S+)", told)[1] for share in (50, 99))
    failed = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", told)))
    failed += sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", told)))
    return requests, failed, rate, median, last


def main():
    tweets, seconds = (int(argument) for argument in (sys.argv[1:] + ["1000000", "10"][len(sys.argv) - 1:]))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
    indexer = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/indexer"
    with tempfile.TemporaryDirectory() as folder:
        sample = subprocess.Popen([indexer, "sample", "--count", str(tweets), "--format", "ndjson"], stdout=subprocess.PIPE)
        subprocess.run([indexer, "backfill", "-", "--store", f"{folder}/store"], stdin=sample.stdout, check=True)
        port, nginx_port = free_port(), free_port()
        server = subprocess.Popen([indexer, "serve", "--store", f"{folder}/store", "--listen", str(port)])
        wait_for(port)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        print("\n| endpoint | cold, median ms | cold, p99 ms | kept, median ms |\n|---|---|---|---|")
        every = []
        for endpoint in ENDPOINTS:
            paths = [f"/api/{endpoint}{'&' if '?' in endpoint else '?'}{part}" for part in FILTERS]
            cold = [ask(connection, path.replace('"', "%22"))[0] for path in paths]
            kept = [ask(connection, path.replace('"', "%22"))[0] for path in paths]
            every += cold
            print(f"| {endpoint} | {statistics.median(cold):.1f} | {p99(cold):.1f} | {statistics.median(kept):.2f} |")
        print(f"| all | {statistics.median(every):.1f} | {p99(every):.1f} | |")

        www = Path(folder, "www")
        www.mkdir(mode=0o755)
        os.chmod(folder, 0o755)
        www.joinpath("index.html").write_bytes(ask(connection, "/")[1])
        www.joinpath("summary").write_bytes(ask(connection, "/api/summary")[1])
        Path(folder, "nginx.conf").write_text(NGINX.format(folder=folder, port=nginx_port))
        nginx = subprocess.Popen(["nginx", "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf"])
        wait_for(nginx_port)
        print("\n| | requests | failed | requests/s | median | p99 |\n|---|---|---|---|---|---|")
        for ours, theirs in [("/", "/index.html"), ("/api/summary", "/summary")] * 2:
            for name, where, path in [("nginx", nginx_port, theirs), ("indexer", port, ours)]:
                requests, failed, rate, median, last = load(where, path, seconds)
                print(f"| {name} `{path}` | {requests:,} | {failed} | {rate:,.0f} | {median} | {last} |", flush=True)
        memory = Path(f"/proc/{server.pid}/status").read_text()
        print("\npeak memory of the server:", re.search(r"VmHWM:\s+(.*)", memory)[1])
        for process in (nginx, server):
            process.send_signal(signal.SIGINT)
            process.wait()


if __name__ == "__main__":
    main()
