"""Windows of a stream: what is in them and what must not be."""

import json
import math

import numpy as np
import pytest

from seq2seq_zoo.data.scaling import standardise
from seq2seq_zoo.runtime import prediction
from seq2seq_zoo.tasks import tasks
from seq2seq_zoo.training import real_values

SIZE = {"history": 6, "horizon": 3}
SCALINGS = ["window", "train", None]


@pytest.fixture
def table(write):
    """Writes columns as a file."""

    def table(**columns) -> str:
        lines = [",".join(map(repr, map(float, line))) for line in zip(*columns.values(), strict=True)]
        return write("series.csv", ",".join(columns), *lines)

    return table


@pytest.fixture
def stream(table):
    """A file of 100 steps: which step it is, a column besides, and one that is known in advance."""
    random = np.random.default_rng(0)
    return table(step=range(100), wind=random.normal(size=100), price=random.normal(size=100))


def create(file, **options):
    return tasks.create("forecast", file=file, targets=["step"], **{**SIZE, **options})


def test_windows_are_of_steps_in_a_row_and_never_in_two_splits(stream):
    data = create(stream, scaling=None, dev_fraction=0.2).load()
    seen = {}
    for split, rows in data.splits.items():
        steps = [[*row.source[:, 0], *row.target[:, 0]] for row in rows]
        assert all(np.diff(window).tolist() == [1] * 8 for window in steps)
        seen[split] = {step for window in steps for step in window}
    assert seen == {"train": set(range(70)), "dev": set(range(70, 90)), "test": set(range(90, 100))}
    assert [len(rows) for rows in data.splits.values()] == [62, 12, 2]  # every place where one begins


@pytest.mark.parametrize("scaling", SCALINGS)
def test_restored_targets_are_in_their_own_unit(stream, scaling):
    data = create(stream, scaling=scaling, past=["wind"], known=["price"]).load()
    for number, row in enumerate(data.splits["train"]):
        np.testing.assert_allclose(row.restore(row.target)[:, 0], np.arange(number + 6, number + 9), rtol=1e-5)
        np.testing.assert_allclose(row.past[:, 0], np.arange(number, number + 6))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_no_source_knows_the_future_but_of_what_is_known(scaling):
    task = tasks.create("seasons", targets=["load"], past=["flow"], known=["event"], scaling=scaling, **SIZE, period=2)
    values = np.random.default_rng(0).normal(size=(9, 3))
    scale = standardise(values, task.columns, "train")
    row = task.window(values, scale, np.ones(3))
    assert row.source.shape == (9, 4)
    assert row.source[:, 3].tolist() == [1] * 3 + [0] * 6
    assert not row.source[:3, :2].any()
    np.testing.assert_allclose(row.source[:, 2], scale.apply(np.roll(values, 3, axis=0))[:, 2])
    unforeseen, foreseen = values.copy(), values.copy()
    unforeseen[6:, :2] += 100
    foreseen[6:, 2] += 100
    other = task.window(unforeseen, scale, np.ones(3))
    for one, same in ((row.source, other.source), (row.mean, other.mean), (row.scale, other.scale)):
        np.testing.assert_array_equal(one, same)
    np.testing.assert_allclose(other.restore(other.target), unforeseen[6:, :1], rtol=1e-5)
    changed = task.window(foreseen, scale, np.ones(3)).source != row.source
    assert changed.tolist() == [[False, False, True, False]] * 3 + [[False] * 4] * 6


def test_window_scaling_removes_level_and_scale(table):
    random = np.random.default_rng(0)
    series = random.normal(size=100)
    low, high = (create(table(step=each)).load().splits["train"][5] for each in (series, 1000 + 50 * series))
    np.testing.assert_allclose(high.source, low.source, atol=1e-4)
    np.testing.assert_allclose(high.target, low.target, atol=1e-4)


def test_a_constant_window_is_scaled_by_the_mean_change_of_train(table):
    data = create(table(step=[0.0] * 40 + [8.0] * 40 + list(range(20)))).load()
    assert max(np.abs(row.target).max() for row in data.splits["train"]) == pytest.approx(79)  # a step is 8 / 79


@pytest.mark.parametrize(("horizon", "mase"), [(1, 1.0), (4, 1.0), (8, 1.5), (2, 1.0)])
def test_the_naive_forecast_of_a_season_with_a_trend(table, horizon, mase):
    """It is wrong by what a season climbs, in train as in test; in the second season ahead, by twice that."""
    steps = np.arange(200)
    data = create(table(step=np.tile([3.0, -1, 4, 1], 50) + 0.25 * steps), horizon=horizon, period=4).load()
    np.testing.assert_allclose(data.naive_error, [1.0])
    for split in data.splits:
        assert real_values.evaluate_baselines(data, split)["seasonal naive"]["mase"] == pytest.approx(mase)


def test_the_best_possible_forecast_has_the_theoretical_error():
    task = tasks.create("seasons", steps=20_000, horizon=5, fading=0.5, noise=2.0)
    measured = real_values.evaluate_baselines(task.load(), "test")
    ahead = np.arange(1, 6)
    for name, noise in (("load", 2.0), ("flow", 1.0)):
        # The variance of what is new in each of the hours until then.
        unforeseen = np.sqrt(np.mean(noise**2 * (1 - 0.25**ahead) / (1 - 0.25)))
        assert measured["best possible"]["by_feature"]["rmse"][name] == pytest.approx(unforeseen, rel=0.05)
    assert measured["best possible"]["mase"] < 0.7 * measured["seasonal naive"]["mase"]


@pytest.mark.parametrize("known", [[], ["price"]])
def test_the_last_window_of_a_file_is_read_for_prediction(stream, tmp_path, known):
    task = create(stream, past=["wind"], known=known)
    data = task.load()
    lines = (tmp_path / "series.csv").read_text().splitlines()
    end = len(lines) if not known else len(lines) - 3
    path = tmp_path / "until.csv"
    path.write_text("\n".join([*lines[:end], *(f",,{line.split(',')[2]}" for line in lines[end:])]))
    (row,) = task.read_rows(path, data.kept)
    last = data.splits["test"][-1]
    if known:
        np.testing.assert_array_equal(row.source, last.source)
        np.testing.assert_array_equal(row.mean, last.mean)
    else:
        assert row.past[:, 0].tolist() == list(range(94, 100))
    path.write_text("\n".join(lines[:5]))
    with pytest.raises(ValueError, match=r"until\.csv has 4 rows: expected at least history \(6\)"):
        task.read_rows(path, data.kept)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": []}, "targets must name at least one column"),
        ({"past": ["step"]}, "'step' is named twice"),
        ({"period": 7}, r"period \(7\) must not be above history \(6\)"),
        ({"dev_fraction": 0.5, "test_fraction": 0.5}, "must leave some to train on"),
    ],
)
def test_options_that_contradict_each_other(stream, options, message):
    with pytest.raises(ValueError, match=message):
        tasks.create("forecast", **{"file": stream, "targets": ["step"], **SIZE, **options})


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"step": range(8)},
            {},
            "train has 6 of the 8 steps of the series, too few for one window: expected at least history",
        ),
        ({"step": range(70)}, {}, "dev has 7 of the 70 steps of the series, too few for one window"),
        ({"step": range(100)}, {"past": ["stp"]}, r"there is no column 'stp'\. Did you mean 'step'\?"),
        ({"step": range(100), "x": [1] * 100}, {"past": ["x"]}, "'x' is 1 throughout train: a constant cannot"),
        ({"step": [1, 2] * 50}, {"period": 2}, "'step' is the same every 2 steps throughout train"),
        (
            {"step": [math.sin(math.pi * step / 2) for step in range(100)]},  # equal but for rounding
            {"period": 4},
            "'step' is the same every 4 steps throughout train",
        ),
    ],
)
def test_series_that_are_too_short_or_constant(table, columns, options, message):
    with pytest.raises(ValueError, match=message):
        create(table(**columns), **options).load()


def test_a_task_that_reads_no_files_rejects_one():
    with pytest.raises(ValueError, match=r"^new\.csv cannot be read: this task reads no files\. In Python: "):
        tasks.create("copy").read_rows("new.csv", {})


def test_the_synthetic_series_has_no_other_columns():
    with pytest.raises(ValueError, match="no column 'wind': the synthetic series has load, flow and event"):
        tasks.create("seasons", past=["wind"])


# === Files for prediction ===


def future_file(path, rows, future, target=""):
    """A file with some observed rows, and rows of the future in which only the price is given."""
    lines = [f"{step},{step % 7}" for step in range(rows)] + [f"{target},{step % 7}" for step in range(future)]
    path.write_text("\n".join(["step,price", *lines]))
    return path


@pytest.mark.parametrize("target", ["", "?"])
@pytest.mark.parametrize(("future", "change"), [(1, "Add 2"), (2, "Add 1"), (4, "Remove 1")])
def test_the_future_of_known_columns_has_as_many_rows_as_the_horizon(stream, tmp_path, future, change, target):
    task = create(stream, known=["price"])
    kept = task.load().kept
    path = tmp_path / "next.csv"
    (row,) = task.read_rows(future_file(path, 9, 3, target), kept)
    assert row.past[:, 0].tolist() == list(range(3, 9))
    with pytest.raises(ValueError, match=rf"next\.csv ends with {future} rows without targets: expected 3.*{change}\."):
        task.read_rows(future_file(path, 9, future, target), kept)
    # Observed to the end: the last steps are forecast again.
    (row,) = task.read_rows(future_file(path, 9, 0), kept)
    assert row.past[:, 0].tolist() == list(range(6))


@pytest.fixture
def timed(write):
    """A series of 100 days, and some lines of it as a file."""
    days = np.datetime64("2026-01-01") + np.arange(100)
    lines = [f"{day};{number + number % 3},5;{number % 7}" for number, day in enumerate(days)]

    def timed(lines):
        return write("days.csv", "day;step;price", *lines)

    return timed, lines


@pytest.mark.parametrize("known", [[], ["price"]])
def test_forecasts_have_their_times(timed, known):
    write, lines = timed
    task = create(write(lines), time="day", delimiter="semicolon", decimal="comma", known=known)
    data = task.load()
    assert data.splits["train"][0].times == ["2026-01-07", "2026-01-08", "2026-01-09"]
    assert data.splits["test"][-1].times == ["2026-04-08", "2026-04-09", "2026-04-10"]
    kept = json.loads(json.dumps(data.kept))
    (row,) = task.read_rows(write(lines), kept)
    assert row.times == (data.splits["test"][-1].times if known else ["2026-04-11", "2026-04-12", "2026-04-13"])
    outputs = [prediction.Output(np.zeros((3, 1)), {})]
    header, first, *_ = prediction.table(data.target, outputs, [row.times])
    assert header == ["row", "step", "time", "step"]
    assert first == ["0", "0", row.times[0], "0"]
    del lines[50]
    message = r"days\.csv, line 52: expected the time '2026-02-20', one step \(1 day, 0:00:00\) after the row before"
    with pytest.raises(ValueError, match=message):
        task.read_rows(write(lines), kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[::-1], r"days\.csv, line 3: expected a time after '2026-04-10'"),
        (lambda lines: [*lines[:7], *lines[6:]], r"days\.csv, line 9: expected a time after '2026-01-07'"),
        (lambda lines: [*lines[:7], *lines[8:]], r"days\.csv, line 9: expected the time '2026-01-08'"),
    ],
)
def test_a_series_that_is_not_in_order_is_refused_if_its_times_are_named(timed, change, message):
    write, lines = timed
    options = {"delimiter": "semicolon", "decimal": "comma"}
    path = write(change(lines))
    create(path, **options).load()
    with pytest.raises(ValueError, match=message):
        create(path, time="day", **options).load()
