"""A real Kafka for a row, and Foreshock's services on it, each a process of its own."""
import contextlib
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

from machine import cpu_seconds, free_port, running, wait_for

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kafka"
# A broker whose speed is measured: all of the JVM's compilers, and room.
JVM = "-Xmx1g"
PARTITIONS = 4


class Kafka:
    def __init__(self, directory, brokers, properties):
        self.directory = pathlib.Path(directory) / "kafka"
        ports = [free_port() for _ in range(8)]
        # Brokers lie at ports one after the other: a stretch that is free.
        self.first = next(port for port in ports if all(is_free(port + nth) for nth in (*range(brokers), *range(100, 100 + brokers))))
        self.count = brokers
        self.environment = {**os.environ, "KAFKA_DIR": str(self.directory), "KAFKA_PORT": str(self.first), "KAFKA_BROKERS": str(brokers),
                            "KAFKA_JVM": JVM, "KAFKA_PROPERTIES": properties}

    @property
    def brokers(self):
        return ",".join(f"127.0.0.1:{self.first + nth}" for nth in range(self.count))

    def pid(self, node=1):
        return int((self.directory / f"node-{node}" / "pid").read_text())

    def cpu_seconds(self):
        return sum(cpu_seconds(self.pid(node + 1)) for node in range(self.count))

    def bytes_of(self, topic):
        """What a topic takes on the first broker's disk: whole segments may be preallocated, so blocks are counted."""
        files = (self.directory / "node-1" / "data").glob(f"{topic}-*/*.log")
        return sum(file.stat().st_blocks * 512 for file in files)


def is_free(port):
    with socket.socket() as listener:
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return True
    return False


@contextlib.contextmanager
def kafka(directory, brokers=1, properties=""):
    """Up within the block, with data of its own."""
    cluster = Kafka(directory, brokers, properties)
    try:
        subprocess.run([SCRIPTS / "up"], env=cluster.environment, check=True, stdout=subprocess.DEVNULL)
        yield cluster
    finally:
        subprocess.run([SCRIPTS / "down"], env={**cluster.environment, "KAFKA_WIPE": "1"}, check=False)


class Distributed:
    """Foreshock's topics on a Kafka, and its services as processes of their own."""

    def __init__(self, settings, directory, cluster, extra="", partitions=PARTITIONS, instance=""):
        self.program, self.directory, self.cluster = settings.bin / "foreshock", pathlib.Path(directory), cluster
        self.grpc, self.http = free_port(), free_port()
        self.config = self.directory / "foreshock.toml"
        self.extra, self.partitions, self.instance = extra, partitions, instance
        self.configure({})
        subprocess.run([self.program, "topics", "apply", "--config", self.config], check=True, stdout=subprocess.DEVNULL)

    def configure(self, properties):
        """For services that start from now on: properties of librdkafka besides."""
        copies = 3 if self.cluster.count >= 3 else 1
        lines = "".join(f'"{key}" = "{value}"\n' for key, value in properties.items())
        self.config.write_text(f"""[journal]
kind = "kafka"
[journal.kafka]
brokers = "{self.cluster.brokers}"
telemetry_partitions = {self.partitions}
stage_partitions = {self.partitions}
replication = {copies}
min_insync_replicas = {2 if copies == 3 else 1}
session_timeout_ms = 6000
instance = "{self.instance}"
[journal.kafka.properties]
{lines}
[ingest]
grpc_address = "127.0.0.1:{self.grpc}"
http_address = "127.0.0.1:{self.http}"
[admin]
address = "127.0.0.1:0"
{self.extra}""")

    @contextlib.contextmanager
    def service(self, name):
        command = [self.program, name, "--config", self.config]
        # What a service says before it ends by itself is why the row fails.
        log = self.directory / f"{name}.log"
        with open(log, "a") as errors, running(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            lines = iter(process.stdout.readline, "")
            found = next((line for line in lines if line.strip().startswith("metrics")), None)
            if found is None:
                raise SystemExit(f"foreshock {name} ended with {process.wait()}: {log.read_text()[-500:]}")
            service = Service(process, found.split("http://")[1].split("/")[0], log)
            wait_for(f"readiness of {name}", service.is_ready, every=0.02)
            yield service


class Service:
    def __init__(self, process, admin, log):
        self.process, self.pid, self.admin, self.log = process, process.pid, admin, log

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.URLError as error:
            # Its page goes before the process does.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
                raise SystemExit(f"a service ended by itself, with {self.process.returncode}: {self.log.read_text()[-700:]}") from error
            raise

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"a service ended with {self.process.returncode}")
        with contextlib.suppress(urllib.error.URLError):
            return self.get("/readyz") is not None

    def rows(self, name):
        """A metric's values by its labels, as they are written."""
        rows = (line.rpartition(" ") for line in self.get("/metrics").splitlines() if line.startswith((name + "{", name + " ")))
        return {row[0][len(name):]: float(row[2]) for row in rows}

    def total(self, name, label=""):
        return sum(value for labels, value in self.rows(name).items() if label in labels)

    def cpu_seconds(self):
        return cpu_seconds(self.pid)


def until(condition, seconds, every=0.02):
    """The time until the condition holds."""
    began = time.monotonic()
    wait_for("what was waited for", condition, seconds, every)
    return time.monotonic() - began
