"""Metrics: scores of the NAB, events of four labelled sets, forecasts of what fills up."""

import re
import subprocess
import sys
from collections import defaultdict

EVENT_SETS = ("mscloud", "asd", "merlion_synth")
# Sampling steps that the shared scorer uses for the sets; asked again here for kinds of anomaly.
GRACE_STEPS, CAP_STEPS = 10, 60


def run(*command, **options):
    command = [str(part) for part in command]
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def measure(foreshock, shared, work, seeds):
    nab(foreshock, shared, work)
    events(foreshock, shared, work, seeds)
    forecasts(foreshock, shared, work, seeds)


def nab(foreshock, shared, work):
    data = shared / "data" / "nab" / "data"
    scores = work / "nab"
    for series in sorted(data.glob("*/*.csv")):
        out = scores / series.relative_to(data)
        out.parent.mkdir(parents=True, exist_ok=True)
        run(foreshock, "scan", "--scores", out, series)
    print("NAB, one setting, threshold searched on these files\n\n| profile | score |\n| --- | --- |")
    for profile in ("standard", "low_fp", "low_fn"):
        labels = ("--labels", shared / "data" / "nab" / "windows.json", "--profile", profile)
        said = run(sys.executable, shared / "score" / "nab.py", "--data", data, "--scores", scores, *labels)
        score = re.search(r"^NAB \w+ ([\d.]+)", said, re.MULTILINE)[1]
        print(f"| {profile} | {score} |")


def events(foreshock, shared, work, seeds):
    print("\nEvents, pages of `scan --alarms` at the default settings\n")
    print("| set | precision | recall | F1 | false alarms a service-day |\n| --- | --- | --- | --- | --- |")
    maker = shared / "score" / "make_event_set.py"
    for name in EVENT_SETS:
        made = work / name
        run(sys.executable, maker, name, shared / "data" / name, made)
        alarms = alarms_of(foreshock, made)
        said = run(sys.executable, maker, "score", made, alarms)
        figures = re.search(r"P ([\d.]+) R ([\d.]+) F1 ([\d.]+) .*false_per_service_day ([\d.]+)", said)
        print(f"| {name} | {figures[1]} | {figures[2]} | {figures[3]} | {figures[4]} |")
    synthetic(foreshock, shared, work, seeds)


def alarms_of(foreshock, made):
    alarms = made / "alarms.csv"
    run(foreshock, "scan", "--alarms", alarms, made / "metrics.csv")
    return alarms


def synthetic(foreshock, shared, work, seeds):
    """Kinds of anomaly planted in generated metrics, with the grace and caps of the shared scorer."""
    sys.path.insert(0, str(shared / "score"))
    from event_score import one

    found, planted, false, days = defaultdict(int), defaultdict(int), 0, 0.0
    for seed in seeds:
        raw, made = work / f"synth-{seed}", work / f"synth-{seed}-events"
        run(sys.executable, shared / "score" / "make_synth.py", "metrics", seed, raw)
        run(sys.executable, shared / "score" / "make_event_set.py", "synth", raw, made)
        said = defaultdict(list)
        for service, _, ts, page in rows(alarms_of(foreshock, made)):
            if page == "1":
                said[service].append(float(ts))
        steps = {service: float(step) for service, step in rows(made / "step", header=False)}
        labels = [(kind, float(start), float(end), series) for kind, start, end, series in rows(raw / "labels.csv")]
        for service, start, end in rows(made / "spans.csv"):
            own = [(begun, ended) for _, begun, ended, series in labels if series == service]
            grace, span = GRACE_STEPS * steps[service], (float(start), float(end))
            score = one(own, said[service], span, grace=grace, early=0, merge=grace, cap=CAP_STEPS * steps[service])
            false, days = false + score["false_ep"], days + score["days"]
        for kind, start, end, series in labels:
            planted[kind] += 1
            grace = GRACE_STEPS * steps[series]
            found[kind] += any(start <= ts <= end + grace for ts in said[series])
    print(f"\nKinds planted in {len(seeds)} generated sets of metrics: {false / days:.4f} false alarms a service-day\n")
    print("| kind | found | of | recall |\n| --- | --- | --- | --- |")
    for kind in sorted(planted):
        print(f"| {kind} | {found[kind]} | {planted[kind]} | {found[kind] / planted[kind]:.3f} |")


def forecasts(foreshock, shared, work, seeds):
    print("\nForecasts of what fills up\n\n```")
    score = shared / "score"
    told, labels = [], []
    for seed in seeds:
        made = work / f"exhaust-{seed}"
        run(sys.executable, score / "make_synth.py", "exhaust", seed, made)
        out = made / "forecasts.csv"
        run(foreshock, "scan", "--forecasts", out, made / "exhaust.csv.gz")
        told.append(out)
        labels.append(made / "labels.csv")
        print(f"seed {seed}: {run(sys.executable, score / 'exhaust_score.py', made / 'labels.csv', out).strip()}")
    print("```")


def rows(path, header=True):
    with open(path) as lines:
        split = [line.rstrip("\n").split(",") for line in lines]
    return split[1:] if header else split
