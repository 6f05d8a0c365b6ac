"""Memory with many metric series, and what a kill costs: a restart until the stages are back where the journal ends."""
import subprocess
import time

from load import command, load
from machine import resident_mib, wait_for
from servers import Foreshock, scratch

ROUNDS = 2
RECOVERY_SERIES = 100_000
# Share of a round after which the process is killed, so that there is something its last snapshot does not hold.
KILL_AFTER = 0.8


def memory(settings):
    for series in settings.series:
        with scratch(settings) as directory:
            foreshock = Foreshock(settings, directory)
            more = ("--signal", "metrics", "--series", series, "--rate", series / settings.round_seconds)
            with foreshock.running() as process:
                load(settings, foreshock.grpc, process.pid, 10, 100, ROUNDS * settings.round_seconds, *more)
                foreshock.catch_up()
                # The gauge follows once a second.
                wait_for(f"knowing {series} series", lambda: foreshock.total("foreshock_stage_series") >= series, 60)
                asked = "1 M within 1024" if series == 1_000_000 else ""
                settings.table.add(f"memory with {series // 1000} k series, {ROUNDS} rounds", "MiB", resident_mib(process.pid), None, asked)
                if series == RECOVERY_SERIES:
                    kill_under_load(settings, foreshock, process, more)
            if series == RECOVERY_SERIES:
                recover(settings, foreshock, series)


def kill_under_load(settings, foreshock, process, more):
    """SIGKILL while a further round of the series comes in."""
    sending = command(settings, foreshock.grpc, process.pid, 10, 100, settings.round_seconds, *more, "--deadline", 5)
    with subprocess.Popen(sending, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sender:
        time.sleep(KILL_AFTER * settings.round_seconds)
        process.kill()
        process.wait()
        sender.terminate()


def recover(settings, foreshock, series):
    """Ready, no partition recovering, every stage at the head; then whether it still knows what it knew."""
    began = time.monotonic()
    with foreshock.running():
        ready = time.monotonic() - began
        is_back = lambda: foreshock.total("foreshock_worker_recovering_partitions") == 0 and foreshock.is_caught_up()
        wait_for("recovery", is_back, 120, every=0.02)
        back = time.monotonic() - began
        wait_for(f"knowing {series} series again", lambda: foreshock.total("foreshock_stage_series") >= series, 30)
    what = f"after kill -9 with {series // 1000} k series under load"
    settings.table.add(f"{what}, ready", "s", ready)
    settings.table.add(f"{what}, stages back at the head", "s", back, None, "< 5")
