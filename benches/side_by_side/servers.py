"""What is measured: our receiver alone, the whole of Foreshock, the Collector."""
import contextlib
import pathlib
import subprocess
import tempfile
import urllib.request

from machine import free_port, listening, running, wait_for

# Entries that ticks and the stages' own messages leave unread at any moment.
CAUGHT_UP_ENTRIES = 64


def scratch(settings):
    """A directory on the disk that the build lies on: not one in memory."""
    return tempfile.TemporaryDirectory(dir=settings.bin)


@contextlib.contextmanager
def receiver(settings, journal=None):
    """Our receiver without stages: (pid, gRPC port, HTTP port)."""
    command = [settings.bin / "examples" / "receive", "serve", *([journal] if journal else [])]
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        grpc, http = (int(address.rpartition(":")[2]) for address in process.stdout.readline().split())
        yield process.pid, grpc, http


@contextlib.contextmanager
def collector(settings, name, directory, **variables):
    """The Collector: (pid, gRPC port, HTTP port)."""
    # Variables are written in: within braces and brackets YAML does not take them.
    text = (settings.peers / name).read_text()
    for variable, value in {"OUT": str(directory), **variables}.items():
        text = text.replace("${env:%s}" % variable, value)
    config = pathlib.Path(directory) / name
    config.write_text(text)
    with open(pathlib.Path(directory) / "collector.log", "w") as log, \
            running([settings.collector / "otelcol-peer", "--config", config], stderr=log) as process:
        wait_for("the Collector", lambda: process.poll() is not None or listening(24317) and listening(24318))
        if process.poll() is not None:
            raise SystemExit(f"the Collector ended: {pathlib.Path(log.name).read_text()[-500:]}")
        yield process.pid, 24317, 24318


class Foreshock:
    """`foreshock run` in a directory: may be killed and started again on the same addresses."""

    def __init__(self, settings, directory, extra=""):
        self.program, self.directory = settings.bin / "foreshock", pathlib.Path(directory)
        self.grpc, self.http, self.console, self.admin = (free_port() for _ in range(4))
        self.config = self.directory / "foreshock.toml"
        self.config.write_text(f"""[ingest]
grpc_address = "127.0.0.1:{self.grpc}"
http_address = "127.0.0.1:{self.http}"
[console]
listen = "127.0.0.1:{self.console}"
[admin]
address = "127.0.0.1:{self.admin}"
{extra}""")

    @contextlib.contextmanager
    def running(self):
        command = [self.program, "run", "--config", self.config, "--data-dir", self.directory / "data"]
        with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_for("readiness", lambda: process.poll() is not None or self.get("/readyz") is not None, every=0.02)
            if process.poll() is not None:
                raise SystemExit(f"foreshock ended with {process.returncode}; try {' '.join(map(str, command))}")
            yield process

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
            return answer.read().decode()

    def total(self, name):
        """The sum of a metric over its labels; a ValueError where it is not there (yet)."""
        rows = [line for line in self.get("/metrics").splitlines() if line.startswith((name + "{", name + " "))]
        if not rows:
            raise ValueError(f"/metrics has no {name}")
        return sum(float(row.rpartition(" ")[2]) for row in rows)

    def is_caught_up(self):
        return self.total("foreshock_stage_lag_entries") <= CAUGHT_UP_ENTRIES

    def catch_up(self, seconds=600):
        wait_for("catching up", self.is_caught_up, seconds)
