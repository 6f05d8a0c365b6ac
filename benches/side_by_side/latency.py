"""New error patterns at half load: from sending a line to the webhook that shows it.

Each probe goes to a service of its own; no trace links them, so their errors become news of one incident that stands
already, or incidents of their own. The services are known first: new patterns are judged after nine windows of ten
seconds (crates/stats/src/novelty.rs), so the warm-up is two minutes and not less.
"""
import contextlib
import http.server
import json
import subprocess
import threading
import time
import urllib.request

from brokers import Distributed, kafka
from load import command
from servers import Foreshock, scratch
from whole import ON_KAFKA, sustainable

WARM_UP_ROUNDS = 24
ROUND_SECONDS = 5
LINES_A_ROUND = 400
SERVICES_A_REQUEST = 20
BETWEEN_PROBES = 0.5
# What has not arrived by then did not arrive.
PATIENCE_SECONDS = 25
WORDS = "amber birch cedar delta ember fjord grove heron inlet jetty kayak lemur mango north ocean piper quartz raven sable tulip".split()


@contextlib.contextmanager
def webhook(arrived):
    """Listens, and notes when each probe was shown first: by its name. Yields the address."""

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            now = time.time()
            for finding in json.loads(body)["findings"]:
                for line in finding["evidence"]:
                    _, mark, rest = line["line"].partition("probe=")
                    if mark:
                        arrived.setdefault(rest.split()[0], now)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def latency(settings):
    measured = sustainable(settings.table)
    rate = measured / 2 if measured else settings.half_rate
    arrived = {}
    with webhook(arrived) as url, scratch(settings) as directory:
        foreshock = Foreshock(settings, directory, route_to(url))
        with foreshock.running() as process:
            probe(settings, "line to webhook, new pattern, half load", "< 1000", rate, foreshock, process.pid, foreshock, arrived)


def latency_on_kafka(settings):
    """The same, each service a process of its own, at half of what goes through all of them on this machine."""
    measured = settings.table.median(ON_KAFKA, "records/s")
    rate = measured / 2 if measured else settings.kafka_half_rate
    arrived = {}
    with webhook(arrived) as url, scratch(settings) as directory, kafka(directory) as cluster:
        foreshock = Distributed(settings, directory, cluster, route_to(url))
        with foreshock.service("ingest") as ingest, foreshock.service("worker"), foreshock.service("notify"):
            probe(settings, "on Kafka, line to webhook, half load", "< 1500", rate, foreshock, ingest.pid, ingest, arrived)


def route_to(url):
    return f'[[notify.routes]]\nname = "bench"\n[notify.routes.webhook]\nurl = "{url}"\n'


def probe(settings, what, asked, rate, to, pid, ingest, arrived):
    """Probes beside a load of `rate`; `ingest` has the figures of the process that takes them."""
    sent = {}
    # Ended below; the time is only a bound.
    background = command(settings, to.grpc, pid, 1, 1000, 900, "--rate", rate)
    with subprocess.Popen(background, stdout=subprocess.DEVNULL) as sender:
        try:
            services = [f"probe-{number:03}" for number in range(settings.probes)]
            warm_up(to, services)
            began, before = time.monotonic(), ingest.total("foreshock_ingest_acknowledged_records_total")
            for number, service in enumerate(services):
                name = WORDS[number % 20] + WORDS[number // 20 % 20]
                words = f"{WORDS[number * 7 % 20]} the {WORDS[number * 3 % 20]} {name}"
                sent[name] = time.time()
                post(to, {service: [f"ERROR {name} cannot {words} probe={name}"]})
                time.sleep(BETWEEN_PROBES)
            acknowledged = ingest.total("foreshock_ingest_acknowledged_records_total") - before
            achieved = acknowledged / (time.monotonic() - began)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while len(arrived) < len(sent) and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            sender.terminate()
    delays = sorted(arrived[name] - at for name, at in sent.items() if name in arrived)
    add = settings.table.add
    add(what, "acknowledged records/s meanwhile", achieved)
    add(what, f"arrived, of {len(sent)}", len(delays), None, "all")
    for name in sent.keys() - arrived.keys():
        print(f"   did not arrive: {name}", flush=True)
    if delays:
        # One that did not arrive counts as the latest.
        delays += [float("inf")] * (len(sent) - len(delays))
        add(what, "p50 ms", delays[len(delays) // 2] * 1e3)
        add(what, "p99 ms", delays[min(len(delays) - 1, int(len(delays) * 0.99))] * 1e3, None, asked)


def warm_up(foreshock, services):
    """Ordinary lines of every service, in as many windows as it takes to be known."""
    began = time.monotonic()
    for turn in range(WARM_UP_ROUNDS):
        for start in range(0, len(services), SERVICES_A_REQUEST):
            lines = [f"INFO request {turn * LINES_A_ROUND + number} served in {number} ms" for number in range(LINES_A_ROUND)]
            post(foreshock, dict.fromkeys(services[start:start + SERVICES_A_REQUEST], lines))
        time.sleep(max(0.0, began + (turn + 1) * ROUND_SECONDS - time.monotonic()))


def post(foreshock, lines_of):
    """Lines by service."""
    now = str(time.time_ns())
    send(foreshock, "logs", {"resourceLogs": [{
        "resource": resource(service),
        "scopeLogs": [{"logRecords": [{"timeUnixNano": now, "body": {"stringValue": line}} for line in lines]}],
    } for service, lines in lines_of.items()]})


def resource(service):
    return {"attributes": [text("service.name", service)]}


def text(key, value):
    return {"key": key, "value": {"stringValue": value}}


def send(foreshock, signal, body):
    """A request as OTLP/HTTP in JSON."""
    request = urllib.request.Request(f"http://127.0.0.1:{foreshock.http}/v1/{signal}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).read()
