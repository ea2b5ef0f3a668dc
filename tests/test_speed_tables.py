"""The numbers and tables of benchmarks/speed, from made-up records."""

import importlib
import sys
from pathlib import Path

import pytest

SPEED = Path(__file__).parents[1] / "benchmarks" / "speed"


@pytest.fixture(scope="module")
def speed():
    """Imports a module of the benchmark, which is a folder of scripts."""
    names = {path.stem for path in SPEED.glob("*.py")}
    sys.path.insert(0, str(SPEED))
    yield importlib.import_module
    sys.path.remove(str(SPEED))
    for name in names & set(sys.modules):
        del sys.modules[name]


def cell(ours, **peers):
    return {"problem": {"mode": "attention", "units": 128, "length": 12}, "seconds": {"ours": ours, **peers}}


def test_a_ratio_is_of_medians_with_the_spread_of_the_rounds(speed):
    times = {"ours": [1.0, 2.0, 3.0], "torch": [4.0, 4.0, 9.0]}
    assert speed("tables").ratio(times, "torch") == (2.0, 2.0, 4.0)


def test_the_best_peer_has_the_smallest_median(speed):
    times = {"torch": [1.0, 5.0, 5.0], "addons": [4.0, 4.0, 4.0]}
    assert speed("tables").best(times, ["torch", "addons", "absent"]) == "addons"


def test_the_mean_ratio_is_geometric(speed):
    tables = speed("tables")
    assert tables.mean_ratio([tables.Ratio(2, 1, 3), tables.Ratio(8, 7, 9)]) == pytest.approx((4, 2, 8))


def test_each_cell_is_compared_with_its_own_best_peer(speed):
    cells = [cell([1.0], torch=[2.0], addons=[3.0]), cell([1.0], torch=[9.0], addons=[8.0])]
    assert speed("report").against({"cells": cells}, "torch", "addons").value == pytest.approx(4)


def test_the_table_has_a_column_for_each_processor_and_missed_goals_in_bold(speed):
    fast, slow = ({"attention": {"cells": [cell([1.0], torch=[torch])]}} for torch in (1.5, 1.3))
    table = speed("report").goals_table({"one": fast, "two": slow, "three": {}})
    assert table[0] == "| what | against | goal | one | two | three |"
    *_, one, two, three, _ = table[-1].split("|")
    assert (one.split()[0], two.split()[0], three.strip()) == ("1.50", "**1.30**", "")


def test_the_roof_takes_each_product_from_the_faster_library(speed):
    one = cell([10.0])
    one |= {"counts": {"1x1x1": 2, "2x2x2": 1}}
    one |= {"products": {"a": [{"1x1x1": 1.0, "2x2x2": 9.0}], "b": [{"1x1x1": 3.0, "2x2x2": 4.0}]}}
    assert speed("report").roof_share(one).value == pytest.approx(0.6)


def test_contestants_must_agree_in_losses_and_in_most_outputs(speed):
    bench, contestants = speed("bench"), speed("contestants")
    assert bench.agree({"ours": 1.0, "torch": 1.00001}, {}) == {"ours": 1.0, "torch": 1.00001}
    with pytest.raises(contestants.ContestantError, match="torch differs from ours"):
        bench.agree({"ours": 1.0, "torch": 1.001}, {})
    outputs = [[i] for i in range(20)]
    assert bench.agree({"ours": outputs, "torch": [*outputs[:-1], []]}, {})["torch"] == 0.95
    with pytest.raises(contestants.ContestantError, match="torch differs from ours"):
        bench.agree({"ours": outputs, "torch": [*outputs[:-2], [], []]}, {})


def test_a_run_that_never_reached_99_percent_took_infinite_time(speed):
    report = speed("report")
    assert report.reached({"epochs": [{"exact_match": 0.98, "seconds": 3}]}) == float("inf")
    assert report.reached({"epochs": [{"exact_match": s, "seconds": i} for i, s in enumerate((0.5, 0.99, 1))]}) == 1
