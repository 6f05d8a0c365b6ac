"""What the detectors find in labelled logs and metrics, scored by the shared scorers.

    python3 benches/quality --foreshock target/release/foreshock --shared ../shared [--only logs|metrics] [--seeds 20] [--first-seed 301]

The very command is run, with one setting for all. Prints tables; exits 1 where a scorer can't read what was written.
"""

import argparse
import pathlib
import sys
import tempfile

import metrics
import planted
import sessions


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--foreshock", required=True, type=pathlib.Path)
    options.add_argument("--shared", required=True, type=pathlib.Path, help="the folder with data/ and score/")
    options.add_argument("--only", choices=("logs", "metrics"))
    options.add_argument("--seeds", type=int, default=20, help="generated sets of each kind")
    options.add_argument("--first-seed", type=int, default=301)
    chosen = options.parse_args()
    if not (chosen.shared / "data").is_dir():
        sys.exit(f"{chosen.shared} has no data/: name the folder with data/ and score/ as --shared")
    foreshock, shared = chosen.foreshock.resolve(), chosen.shared.resolve()
    with tempfile.TemporaryDirectory(prefix="foreshock-quality-") as directory:
        work = pathlib.Path(directory)
        seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
        if chosen.only != "metrics":
            sessions.measure(foreshock, shared, work)
            planted.measure(foreshock, shared, work, seeds)
        if chosen.only != "logs":
            metrics.measure(foreshock, shared, work, seeds)


if __name__ == "__main__":
    main()
