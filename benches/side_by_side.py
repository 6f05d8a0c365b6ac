#!/usr/bin/env python3
"""Foreshock beside the OpenTelemetry Collector, in one run on this machine. Standard library only.

side_by_side.py --bin DIR [--collector DIR] [--seconds 15] [--only NAME ...] [--markdown FILE]

DIR holds `foreshock`, `loadgen` and `examples/receive`, built with --release. The Collector is `otelcol-peer` with
its configurations; without it the peer's columns stay empty. Everything listens on 127.0.0.1, runs for a bounded
time and is ended by its own process id. Rows print figure, peer and ratio.
"""
import argparse, contextlib, datetime, http.server, json, os, pathlib, platform, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--bin", type=pathlib.Path, required=True)
ap.add_argument("--collector", type=pathlib.Path)
ap.add_argument("--peers", type=pathlib.Path, help="folder with the Collector's configurations")
ap.add_argument("--seconds", type=float, default=15)
ap.add_argument("--only", nargs="*")
ap.add_argument("--markdown", type=pathlib.Path)
args = ap.parse_args()
SHAPES = [("1 x 1000", 1, 1000), ("100 x 10", 100, 10), ("1 x 100", 1, 100)]
rows = []


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            value = condition()
            if value:
                return value
        time.sleep(0.05)
    raise SystemExit(f"{what} did not happen within {seconds} s")


def listening(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def load(port, pid, resources, records, seconds, *more):
    command = [args.bin / "loadgen", "--json", "--to", f"http://127.0.0.1:{port}", "--resources", resources, "--records", records,
               "--seconds", seconds, "--pid", pid, *more]
    return json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)


@contextlib.contextmanager
def running(command, env=None, **more):
    process = subprocess.Popen([str(c) for c in command], env={**os.environ, **(env or {})}, **more)
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def receiver(*directory):
    command = [args.bin / "examples" / "receive", "serve", *directory]
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline().split()[0].rpartition(":")[2])
        yield process.pid, port


@contextlib.contextmanager
def collector(name, directory):
    # The directory is written in: within braces YAML does not take the variable.
    config = pathlib.Path(directory) / name
    config.write_text((args.peers / name).read_text().replace("${env:OUT}", str(directory)))
    with running([args.collector / "otelcol-peer", "--config", config], stderr=subprocess.DEVNULL) as process:
        wait_for("the Collector", lambda: listening(24317))
        yield process.pid, 24317


@contextlib.contextmanager
def foreshock(directory, extra=""):
    ports = [free_port() for _ in range(4)]
    config = pathlib.Path(directory) / "foreshock.toml"
    config.write_text(f"""[ingest]
grpc_address = "127.0.0.1:{ports[0]}"
http_address = "127.0.0.1:{ports[1]}"
[console]
listen = "127.0.0.1:{ports[2]}"
[admin]
address = "127.0.0.1:{ports[3]}"
{extra}""")
    command = [args.bin / "foreshock", "run", "--config", config, "--data-dir", pathlib.Path(directory) / "data"]
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for("readiness", lambda: get(ports[3], "/readyz") is not None)
        yield process, ports


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def lag(admin):
    """Entries that stages have not read yet."""
    total = 0.0
    for line in get(admin, "/metrics").splitlines():
        if line.startswith("foreshock_stage_lag_records{") or line.startswith("foreshock_stage_lag_entries{"):
            total += float(line.rpartition(" ")[2])
    return total


def row(what, unit, ours, peer=None, goal=""):
    ratio = f"{ours / peer:.2f}" if ours is not None and peer else ""
    show = lambda v: "" if v is None else (f"{v:,.0f}" if abs(v) >= 1000 else f"{v:.3g}")
    rows.append((what, unit, show(ours), show(peer), ratio, goal))
    print(" | ".join(rows[-1]), flush=True)


def cpu_a_million(report):
    return report["processes"][0]["usage"]["cpu_s"] * 1e6 / max(1, report["acknowledged_records"])


def beside(title, ours, peer, goals):
    for name, resources, records in SHAPES:
        with tempfile.TemporaryDirectory(dir=args.bin) as directory, ours(directory) as (pid, port):
            load(port, pid, resources, records, 2)
            mine = load(port, pid, resources, records, args.seconds)
        theirs = None
        if args.collector:
            with tempfile.TemporaryDirectory(dir=args.bin) as directory, peer(directory) as (pid, port):
                load(port, pid, resources, records, 2)
                theirs = load(port, pid, resources, records, args.seconds)
        row(f"{title}, {name}", "records/s", mine["records_a_second"], theirs and theirs["records_a_second"], goals[0])
        row(f"{title}, {name}", "CPU-s/M", cpu_a_million(mine), theirs and cpu_a_million(theirs), goals[1])
        row(f"{title}, {name}", "ack p99 ms", mine["latency_ms"][2], theirs and theirs["latency_ms"][2])


def receive():
    beside("receive only", lambda _: receiver(), lambda d: collector("nop.yaml", d), ("", "<= 0.20, goal 0.12 (1 x 1000)"))


def durable():
    beside("durable (ours fdatasync, peer none)", lambda d: receiver(pathlib.Path(d) / "journal"), lambda d: collector("file.yaml", d), (">= 1.2 M, goal 2 M (1 x 1000)", ""))


def whole():
    """As fast as it is taken, then until the stages have caught up: records over all of that time."""
    for name, resources, records in SHAPES[:2]:
        with tempfile.TemporaryDirectory(dir=args.bin) as directory, foreshock(directory) as (process, ports):
            began, cpu = time.monotonic(), cpu_seconds(process.pid)
            report = load(ports[0], process.pid, resources, records, args.seconds)
            caught_up = lambda: lag(ports[3]) <= 64
            wait_for("catching up", caught_up, 600)
            seconds = time.monotonic() - began
            millions = report["acknowledged_records"] / 1e6
            row(f"whole path, {name}, until caught up", "records/s", millions * 1e6 / seconds, None, ">= 500 k, goal 1.0 M")
            row(f"whole path, {name}", "CPU-s/M", (cpu_seconds(process.pid) - cpu) / millions, None, "<= 2, goal 1.0")
            row(f"whole path, {name}", "peak acknowledged records/s", report["records_a_second"])
            row(f"whole path, {name}", "memory MiB", resident_mib(process.pid))


def memory():
    for series in (100_000, 1_000_000):
        with tempfile.TemporaryDirectory(dir=args.bin) as directory, foreshock(directory) as (process, ports):
            more = ("--signal", "metrics", "--series", series, "--rate", series / 30)
            load(ports[0], process.pid, 10, 100, 150, *more)
            wait_for("catching up", lambda: lag(ports[3]) <= 64, 300)
            known = [l for l in get(ports[3], "/metrics").splitlines() if l.startswith("foreshock_series")]
            print("  ", known[:2])
            row(f"memory with {series // 1000} k series", "MiB", resident_mib(process.pid), None, "1 M within 1024" if series > 500_000 else "")
            if series == 100_000:
                process.kill()
                process.wait()
                began = time.monotonic()
                config = pathlib.Path(directory) / "foreshock.toml"
                with running([args.bin / "foreshock", "run", "--config", config, "--data-dir", pathlib.Path(directory) / "data"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
                    wait_for("readiness", lambda: get(ports[3], "/readyz") is not None)
                    wait_for("catching up", lambda: "foreshock_stage_lag" in get(ports[3], "/metrics") and lag(ports[3]) <= 64, 120)
                    row("recovery after kill -9, 100 k series, back at the head", "s", time.monotonic() - began, None, "< 5")


def latency():
    """New error patterns at half load: from sending to the webhook. Each at a service of its own that is known already."""
    got = {}

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            now = time.time()
            incident = json.loads(body)
            for finding in incident["findings"]:
                for line in finding["evidence"]:
                    if "zzprobe" in line["line"]:
                        got.setdefault(line["line"].split("zzprobe")[1].split()[0], now)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    extra = f'[[notify.routes]]\nname = "bench"\n[notify.routes.webhook]\nurl = "http://127.0.0.1:{hook.server_port}/"\n'
    words = "amber birch cedar delta ember fjord grove heron inlet jetty kayak lemur mango north ocean piper quartz raven sable tulip".split()
    with tempfile.TemporaryDirectory(dir=args.bin) as directory, foreshock(directory, extra) as (process, ports):
        rate = half_rate
        background = threading.Thread(target=load, args=(ports[0], process.pid, 1, 1000, 240, "--rate", rate))
        background.start()
        probes = {f"probe-{i}": None for i in range(60)}
        send = lambda service, lines: post_logs(ports[1], service, lines)
        for _ in range(26):
            for service in probes:
                send(service, [f"INFO request {i} served in {i} ms" for i in range(60)])
            time.sleep(5)
        for number, service in enumerate(probes):
            name = words[number % 20] + words[number // 20]
            probes[service] = (name, time.time())
            send(service, [f"ERROR {name} zzprobe{name} cannot {words[(number * 7) % 20]} the {words[(number * 3) % 20]} {name}"])
            time.sleep(0.7)
        time.sleep(5)
        background.join()
    delays = sorted(got[name] - sent for name, sent in probes.values() if name in got)
    print(f"   {len(delays)} of {len(probes)} arrived", flush=True)
    if delays:
        row(f"line to webhook, new pattern, at {rate / 1e3:.0f} k records/s, {len(delays)} of {len(probes)} probes", "p50 ms", delays[len(delays) // 2] * 1e3)
        row("line to webhook, new pattern", "p99 ms", delays[min(len(delays) - 1, int(len(delays) * 0.99))] * 1e3, None, "< 1000")


half_rate = 300_000


def post_logs(port, service, lines):
    now = str(time.time_ns())
    body = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeLogs": [{"logRecords": [{"timeUnixNano": now, "body": {"stringValue": line}} for line in lines]}]}]}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/logs", json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).read()


benches = {"receive": receive, "durable": durable, "whole": whole, "latency": latency, "memory": memory}
for name, bench in benches.items():
    if not args.only or name in args.only:
        bench()
table = ["| what | unit | Foreshock | Collector | ratio | asked |", "| --- | --- | --- | --- | --- | --- |"]
table += ["| " + " | ".join(r) + " |" for r in rows]
print("\n".join(["", *table]))
if args.markdown:
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    head = f"{datetime.date.today()}, {os.cpu_count()} cores ({cpu}), Linux {platform.release()}, load average at the end {os.getloadavg()[0]:.1f}, {args.seconds:.0f} s a row"
    args.markdown.write_text("\n".join([head, "", *table, ""]))
