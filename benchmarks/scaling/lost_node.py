"""Predict on two nodes of Ray, kill one of them in the middle, and compare the file with that of one process.

    python benchmarks/scaling/lost_node.py EXPORTED SOURCES

The nodes are processes on this machine. EXPORTED is a directory by `seq2seq-zoo export --format onnx`; SOURCES has one
source on each line, at least some 20,000.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-this-script", "RAY_health_check_period_ms": "500"}


def main() -> None:
    """Predict twice, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exported", type=Path)
    parser.add_argument("sources", type=Path)
    args = parser.parse_args()
    from ray.cluster_utils import Cluster

    from seq2seq_zoo.cli import app, ray_parts

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    answer = ray_parts._answer
    killed: list[int] = []

    def kill_in_the_middle(rows: list[Any], *given: Any) -> Iterator[str]:
        for number, row in enumerate(answer(rows, *given), start=1):
            yield row
            if number >= len(rows) // 2 and not killed:
                nodes[1].all_processes["raylet"][0].process.kill()
                killed.append(number)
                print(f"killed a node after {number} of {len(rows)} parts", flush=True)

    ray_parts._answer = kill_in_the_middle
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder, name) for name in ("local.txt", "ray.txt")]
        on_ray = ["--executor", "ray", "--address", cluster.address]
        for out, options in zip(outs, (["--workers", "1"], on_ray), strict=True):
            began = time.perf_counter()
            command = ["predict", args.exported, "--file", args.sources, "--scores", "--out", out, *options]
            app([str(word) for word in command], standalone_mode=False)
            print(f"{' '.join(options[:2])}: {time.perf_counter() - began:.1f} s", flush=True)
        local, there = (out.read_bytes() for out in outs)
    cluster.shutdown()
    assert killed, "No node was killed: give more sources."
    print(f"{len(local.splitlines()):,} lines, {'the same bytes' if local == there else 'other bytes'}")
    raise SystemExit(local != there)


if __name__ == "__main__":
    main()
