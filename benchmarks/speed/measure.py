"""Measure the speed compared with other libraries: the tables of benchmarks/results/speed.

    python benchmarks/speed/measure.py

Rows that are complete in `--out` are measured again only with `--again`. An interrupted run keeps its complete rows.
"""

import argparse
import datetime
import json
import os
import re
import shlex
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bench import Bench
from contestants import ContestantError, note, use_two_cores
from report import curves_figure, goals_table, page, processor_page, ratios_figure
from rows import rows

from seq2seq_zoo.figures import image
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import write

NEEDS = {"icelandic": ["sigmorphon2020_g2p"], "buckets": ["cmudict_g2p"]}
"""The data sets that a row needs."""


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=rows, default=list(rows), metavar="ROW", help=", ".join(rows))
    parser.add_argument("--again", action="store_true", help="measure rows again that are complete")
    parser.add_argument("--rounds", type=int, default=5, help="number of measurements of each time")
    parser.add_argument("--data", type=Path, default="../shared/data", help="has sigmorphon2020_g2p and cmudict_g2p")
    parser.add_argument("--work", type=Path, default="runs/speed", help="for the peers' environments, and logs")
    parser.add_argument("--out", type=Path, default="benchmarks/results/speed", help="has a folder for each processor")
    args = parser.parse_args()
    cores = use_two_cores()
    command = shlex.join(["python", *sys.argv])
    own = args.out / processor()
    failed = []
    for name in args.only:
        path = own / f"{name}.json"
        if path.exists() and not args.again:
            note(f"{name}: complete")
            continue
        missing = [folder for folder in NEEDS.get(name, ()) if not (args.data / folder).exists()]
        if missing:
            note(f"{name}: skipped, because {args.data / missing[0]} does not exist. Give the folder with --data.")
            continue
        note(f"{name}: measuring")
        began, load = time.perf_counter(), os.getloadavg()[0]
        with Bench(args.work.resolve(), args.rounds, args.data) as bench:
            try:
                measured = rows[name](bench)
            except ContestantError as error:
                note(f"{name}: {error}")
                failed.append(name)
                continue
            made = {"command": command, "date": datetime.date.today().isoformat()}
            made |= {"machine": environment()["machine"] | {"used": cores}, "load_before": load}
            made |= {"minutes": round((time.perf_counter() - began) / 60, 2), "versions": bench.versions}
        # Without the paths of this machine.
        text = json.dumps({**made, **measured}, indent=1).replace(f"{args.work.resolve()}/", "")
        write(path, text + "\n")
    write_pages(args.out)
    if failed:
        raise SystemExit(f"Not measured: {', '.join(failed)}.")


def processor() -> str:
    """A name for the processor of this machine, such as "amd-epyc-avx2": its model, and its widest vectors."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    widest = next((name for flag, name in (("avx512f", "avx512"), ("avx2", "avx2")) if flag in flags), "no-avx2")
    model = re.sub(r"\(\w+\)|Processor|CPU|@.*", " ", environment()["machine"]["cpu"])
    return "-".join([*model.lower().split(), widest])


def write_pages(out: Path) -> None:
    """Write the page and the plots of each processor, and the page of all."""
    processors = {}
    for folder in sorted(path for path in out.iterdir() if path.is_dir()):
        paths = {name: folder / f"{name}.json" for name in rows}
        records = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
        if records:
            processors[folder.name] = records
            write(folder / "README.md", processor_page(records))
            write(folder / "ratios.svg", image(ratios_figure(records), "svg"))
            if "curves" in records:
                write(folder / "curves.svg", image(curves_figure(records["curves"]), "svg"))
    write(out / "README.md", page(processors))
    print("\n".join(goals_table(processors)))


if __name__ == "__main__":
    main()
