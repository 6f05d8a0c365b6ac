"""The load generator, and the figures of its report."""
import json
import subprocess


def command(settings, to, pid, resources, records, seconds, *more):
    """`to`: the port of a receiver. Everything further is handed on."""
    parts = [settings.bin / "loadgen", "--json", "--to", f"http://127.0.0.1:{to}", "--resources", resources, "--records", records,
             "--seconds", seconds, "--pid", pid, *more]
    return [str(part) for part in parts]


def load(*arguments):
    """Runs a load to its end: its report."""
    done = subprocess.run(command(*arguments), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the load generator failed: {' '.join(done.args)}")
    return json.loads(done.stdout)


def cpu_a_million(report):
    """Processor seconds of the receiver a million acknowledged records."""
    return report["processes"][0]["usage"]["cpu_s"] * 1e6 / max(1, report["acknowledged_records"])


def own_cpu_a_million(report):
    """The load generator's own."""
    return report["own"]["cpu_s"] * 1e6 / max(1, report["acknowledged_records"])


def ack_p99_ms(report):
    return report["latency_ms"][2]


def refused(report):
    """Requests that were not acknowledged."""
    return sum(one["requests"] for one in report["refused"])
