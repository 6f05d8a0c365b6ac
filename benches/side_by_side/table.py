"""The rows of a run: every repeat is kept, the median is shown."""
import datetime
import os
import platform
import statistics

HEAD = ["what", "unit", "Foreshock", "Collector", "ratio", "spread", "asked"]


class Table:
    def __init__(self):
        # By what and unit, in the order of the first sample.
        self.rows = {}

    def add(self, what, unit, ours, peer=None, asked=""):
        """One sample of a row."""
        row = self.rows.setdefault((what, unit), {"ours": [], "peer": [], "asked": asked})
        row["ours"].append(ours)
        if peer is not None:
            row["peer"].append(peer)
        print(f"{what} | {unit} | {show(ours)} | {show(peer)}", flush=True)

    def median(self, what, unit):
        """Of our samples of a row; None where there is none."""
        row = self.rows.get((what, unit))
        return statistics.median(row["ours"]) if row else None

    def markdown(self):
        lines = [HEAD, ["---"] * len(HEAD)]
        for (what, unit), row in self.rows.items():
            ours = statistics.median(row["ours"])
            peer = statistics.median(row["peer"]) if row["peer"] else None
            ratio = f"{ours / peer:.2f}" if peer else ""
            lines.append([what, unit, show(ours), show(peer), ratio, spread(row["ours"]), row["asked"]])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def heading(self, chosen):
        with open("/proc/cpuinfo") as lines:
            models = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
            model = next(models, platform.machine())
        return (f"{datetime.date.today()}, {os.cpu_count()} cores ({model}), Linux {platform.release()}, load average at the end "
                f"{os.getloadavg()[0]:.1f}; median of {chosen.repeats}, {chosen.seconds:.0f} s a row about the disk, "
                f"{chosen.receive_seconds:.0f} s the others")


def spread(samples):
    """Smallest to largest, as a share of the median."""
    middle = statistics.median(samples)
    if len(samples) < 2 or not middle:
        return ""
    return f"{(max(samples) - min(samples)) / middle * 100:.0f} %"


def show(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
