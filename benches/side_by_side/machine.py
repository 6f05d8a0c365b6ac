"""Processes of our own on this machine: started, watched through /proc, ended by their own id."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listening(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def wait_for(what, condition, seconds=60, every=0.05):
    """Until the condition holds; one that can't be looked at yet does not hold."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            value = condition()
            if value:
                return value
        time.sleep(every)
    raise SystemExit(f"{what} did not happen within {seconds:.0f} s")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"process {pid} says nothing of its memory")


@contextlib.contextmanager
def running(command, env=None, **more):
    """A process that ends with the block: asked first, then killed."""
    process = subprocess.Popen([str(part) for part in command], env={**os.environ, **(env or {})}, **more)
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
