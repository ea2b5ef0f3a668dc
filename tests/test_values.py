"""Real-valued outputs: their unit, their metrics, and the commands."""

import csv
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from seq2seq_zoo import cli
from seq2seq_zoo.cli.shared import presets
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.run import load_data
from seq2seq_zoo.layers.readouts.real_values import Gaussian, Quantiles, Vectors
from seq2seq_zoo.metrics.real_values import coverage, mase, quantile_loss, real_value_metrics
from seq2seq_zoo.tasks import tasks
from seq2seq_zoo.training import real_values

SIZES = {"train_size": 4, "dev_size": 2, "test_size": 3, "min_frames": 5, "max_frames": 9}


def call(*arguments) -> str:
    done = CliRunner().invoke(cli.app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments) -> str:
    done = CliRunner().invoke(cli.app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 2, done.output
    return done.stderr.splitlines()[-1]


def configured(preset: str, *changes: str):
    return read(presets()[preset], factory.schema, changes)


# === Outputs ===


def test_an_output_does_not_depend_on_the_batch_and_has_the_length_of_its_target():
    data = tasks.create("articulation", acoustics=4, articulators=2, **SIZES).load()
    model = factory.make_model(configured("articulation", "encoder.units=4"), data)
    rows = data.splits["test"]
    together = real_values.predict(model, rows)
    for row, output, (alone,) in zip(rows, together, (real_values.predict(model, [row]) for row in rows), strict=True):
        assert output.values.shape == row.target.shape
        np.testing.assert_allclose(output.values, alone.values, atol=1e-5)  # however much padding
        np.testing.assert_allclose(output.values, row.restore(np.asarray(model(row.source[None]))[0]), atol=1e-5)


@pytest.mark.parametrize("readout", ["gaussian", "quantiles"])
def test_a_forecast_runs_freely_and_has_the_unit_of_its_target(readout):
    config = configured("forecast", "encoder.units=4", "decoder.units=4", f"readout={readout}", "decoder.mode=feedback")
    data = tasks.create("seasons", steps=400, history=24, horizon=5).load()
    model = factory.make_model(config, data)
    assert model.max_length == 5
    rows = data.splits["test"][:3]
    for row, output in zip(rows, real_values.predict(model, rows), strict=True):
        numbers = np.asarray(model(row.source[None]))[0]
        median = numbers[:, 2:4] if readout == "quantiles" else numbers[:, :2]
        np.testing.assert_allclose(output.values, row.restore(median), rtol=1e-4)
        np.testing.assert_allclose(output.quantiles[0.5], output.values, rtol=1e-6)
        assert list(output.quantiles) == [0.1, 0.5, 0.9]


def test_the_quantiles_of_a_readout():
    numbers = np.array([[1.0, -2.0, 0.0, np.log(3.0)]], "float32")
    found = Gaussian(2).quantiles_of(numbers)
    for level, quantile in found.items():
        exact = [statistics.NormalDist(1, 1).inv_cdf(level), statistics.NormalDist(-2, 3).inv_cdf(level)]
        np.testing.assert_allclose(quantile, [exact], rtol=1e-5)
    assert {
        level: each.tolist() for level, each in Quantiles(2, quantiles=(0.2, 0.5)).quantiles_of(numbers).items()
    } == {
        0.2: [[1.0, -2.0]],
        0.5: numbers[:, 2:].tolist(),
    }
    assert Vectors(2).quantiles_of(numbers) == {}


def test_max_length_is_not_an_option_of_a_forecast():
    data = tasks.create("seasons", steps=400, history=24, horizon=5).load()
    with pytest.raises(ValueError, match=r"`decoder\.max_length` is the length of the longest target of 'seasons', 5"):
        factory.make_model(configured("forecast", "decoder.max_length=7"), data)


# === Metrics ===


def test_metrics_equal_plain_formulas():
    random = np.random.default_rng(0)
    targets, outputs, low, high = ([random.normal(size=(length, 2)) for length in (3, 5)] for _ in range(4))
    steps = [(row, step) for row, target in enumerate(targets) for step in range(len(target))]
    for feature in range(2):

        def column(rows, feature=feature):
            return [rows[row][step][feature] for row, step in steps]

        naive = np.array([0.5, 2.0])
        errors = [abs(target - output) for target, output in zip(column(targets), column(outputs), strict=True)]
        assert mase(targets, outputs, naive)[feature] == pytest.approx(statistics.fmean(errors) / naive[feature])
        costs = [
            level * (target - output) if target > output else (1 - level) * (output - target)
            for level, rows in ((0.2, low), (0.7, high))
            for target, output in zip(column(targets), column(rows), strict=True)
        ]
        assert quantile_loss(targets, {0.2: low, 0.7: high})[feature] == pytest.approx(statistics.fmean(costs))
        held = [a <= y <= b for y, a, b in zip(column(targets), column(low), column(high), strict=True)]
        assert coverage(targets, {0.7: high, 0.2: low})[feature] == pytest.approx(statistics.fmean(held))
    measured = real_value_metrics(targets, outputs, np.ones(2), {0.2: low, 0.7: high})
    assert list(measured) == ["mase", "rmse", "correlation", "quantile_loss", "coverage", "by_feature"]
    assert measured["mase"] == pytest.approx(np.mean(measured["by_feature"]["mase"]))
    json.dumps(measured)


def test_the_true_quantiles_cover_their_share_and_have_the_least_loss():
    targets = [np.random.default_rng(0).normal(3, 2, size=(20_000, 1))]
    exact = {level: [np.full((20_000, 1), statistics.NormalDist(3, 2).inv_cdf(level))] for level in (0.1, 0.5, 0.9)}
    assert coverage(targets, exact)[0] == pytest.approx(0.8, abs=0.01)
    for factor in (0.5, 1.5):
        wrong = {level: [3 + factor * (rows[0] - 3)] for level, rows in exact.items()}
        assert quantile_loss(targets, wrong)[0] > quantile_loss(targets, exact)[0]


# === Commands ===


def test_a_series_from_a_file_is_trained_on_evaluated_and_forecast(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps = np.arange(200)
    load = 10 + np.sin(steps * np.pi / 4) + np.random.default_rng(0).normal(0, 0.1, 200)
    dates = (np.datetime64("2026-01-01") + steps).astype(str)
    lines = [f"{date},{value},{step % 8}" for step, date, value in zip(steps, dates, load, strict=True)]
    Path("load.csv").write_text("\n".join(["date,load,hour", *lines]))
    Path("run.yaml").write_text("""
        task: {name: forecast, file: load.csv, time: date, targets: [load], known: [hour], history: 8, horizon: 4,
          period: 8}
        encoder: {units: 8}
        decoder: {mode: basic, units: 8}
        readout: gaussian
        training: {epochs: 2, learning_rate: 0.01}
    """)
    shown = call("train", "run.yaml", "--out", "run")
    assert "seasonal naive" in shown
    measured = json.loads(Path("run/metrics.json").read_text())["test"]
    assert json.loads(Path("run/epochs.jsonl").read_text().splitlines()[0])["mase"] > 0
    assert list(measured["by_feature"]["rmse"]) == ["load"]
    assert 0.8 < measured["baselines"]["seasonal naive"]["mase"] < 1.2
    assert Path("run/series.png").read_bytes()[:4] == b"\x89PNG"
    found = json.loads(call("evaluate", "run", "--json"))
    assert found["mase"] == pytest.approx(measured["mase"])
    assert found["baselines"] == measured["baselines"]

    table = list(csv.DictReader(call("predict", "run", "--file", "load.csv").splitlines()))
    assert [line["step"] for line in table] == ["0", "1", "2", "3"]
    assert [line["time"] for line in table] == dates[-4:].tolist()
    written = list(csv.DictReader(Path("run/predictions.tsv").read_text().splitlines(), delimiter="\t"))
    # The file ends with the last window of the test split, whose targets are not read.
    for line, same in zip(table, written[-4:], strict=True):
        assert [line["time"], line["load"]] == [same["time"], same["load (output)"]]
        assert line["load (0.1)"] == same["load (0.1)"]
        assert float(line["load (0.1)"]) < float(line["load"]) < float(line["load (0.9)"])

    assert "--metric is for generated texts, and run outputs real values" in refused(
        "evaluate", "run", "--metric", "rouge_l"
    )
    assert "run outputs real values: give it a --file" in refused("predict", "run", "abc")
    assert "run outputs real values: give it a --file" in refused(
        "predict", "run", "--file", "load.csv", "--search", "beam"
    )
    assert "best.keras is a model without a task" in refused("predict", "run/best.keras", "--file", "load.csv")
    # When the file has grown, a forecast needs only what the run has saved.
    Path("load.csv").write_text("\n".join(["date,load,hour", *lines, "2026-07-20,10,0"]))
    assert "now train 150" in refused("evaluate", "run")
    Path("load.csv").rename("grown.csv")
    assert len(call("predict", "run", "--file", "grown.csv").splitlines()) == 5
    Path("short.csv").write_text("\n".join(["date,load,hour", *lines[:5]]))
    assert "short.csv has 5 rows: expected at least history (8) and horizon (4)" in refused(
        "predict", "run", "--file", "short.csv"
    )


def test_errors_about_a_series_name_their_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("load.csv").write_text("load\n1\n2\nnan\n")
    Path("run.yaml").write_text("""
        task: {name: forecast, file: load.csv, targets: [load]}
        encoder: {units: 8}
        decoder: {mode: basic, units: 8}
    """)
    line = "run.yaml:2: task: load.csv, line 4: expected a finite number in column 'load', found 'nan'"
    assert line in refused("train", "run.yaml")
    with pytest.raises(ValueError, match=r"load\.csv, line 4"):
        load_data(read("run.yaml", factory.schema))
    Path("load.csv").write_text("\n".join(["load", *map(str, range(1000))]))
    for change, message in (
        (
            "readout=tokens",
            "readout: the targets of 'forecast' are real values: expected vectors",
        ),
        ("readout={name: quantiles, quantiles: [0.1]}", "readout: Quantiles must increase between 0 and 1"),
        (
            "training.monitor=quantile_loss",
            "training.monitor: this task is evaluated by mase, rmse, correlation, not by",
        ),
    ):
        assert message in refused("train", "run.yaml", "--set", change)
