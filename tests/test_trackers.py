"""What each tracker records of a run, as its own program reads it. Nothing is sent anywhere."""

import json
import time

import pytest

from seq2seq_zoo.config.reader import read
from seq2seq_zoo.config.schema import ConfigError, Options, Schema
from seq2seq_zoo.training import Training, trackers
from seq2seq_zoo.training.trackers import Tracker, TrackerError, recorded

CONFIG = {"decoder": {"mode": "peek", "units": 8, "sampling": None}, "metrics": ["bleu"]}
FIRST, SECOND, BEST = {"loss": 2.5}, {"loss": 1.5, "dev/exact_match": 0.5}, {"best/test/exact_match": 0.75}
WANTED = {"loss": {1: 2.5, 2: 1.5}, "dev/exact_match": {2: 0.5}, "best/test/exact_match": {2: 0.75}}


def tensorboard(directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory / "tensorboard")).Reload()
    (start,) = (tag for tag in events.summary_metadata if tag.endswith("session_start_info"))
    assert b"decoder.units" in events.summary_metadata[start].plugin_data.content
    return {
        name: {event.step: event.tensor_proto.float_val[0] for event in events.Tensors(name)}
        for name in events.Tags()["tensors"]
        if "hparams" not in name
    }


def mlflow(directory):
    import mlflow

    (found,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert json.loads((directory / "trackers.json").read_text()) == {"mlflow": found.info.run_id}
    assert (found.info.run_name, found.info.status) == (directory.name, "FINISHED")
    assert found.data.params["decoder.units"] == "8"
    assert found.data.params["metrics"] == '["bleu"]'
    history = mlflow.MlflowClient().get_metric_history
    return {name: {each.step: each.value for each in history(found.info.run_id, name)} for name in found.data.metrics}


def wandb(directory):
    (id,) = json.loads((directory / "trackers.json").read_text()).values()
    entries = (*WANTED, "peek")
    for _ in range(200):  # its own process writes the file
        found = b"".join(path.read_bytes() for path in directory.glob(f"wandb/offline-run-*/run-{id}.wandb"))
        missing = [entry for entry in entries if entry.encode() not in found]
        if not missing:
            return WANTED  # the values are in a format of its own
        time.sleep(0.1)
    return missing


READERS = {"tensorboard": tensorboard, "mlflow": mlflow, "wandb": wandb}


@pytest.fixture(autouse=True)
def nowhere_else(tmp_path, monkeypatch):
    """Everything is recorded in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'mlruns'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


@pytest.mark.filterwarnings("default")  # of the trackers' own code
@pytest.mark.parametrize("name", trackers.trackers)
def test_a_tracker_records_a_run_and_continues_it(name, tmp_path):
    pytest.importorskip(name)
    directory = tmp_path / "a run"
    directory.mkdir()
    with recorded([name], directory, CONFIG) as log:
        log(FIRST, 1)
    changed = {**CONFIG, "decoder": {**CONFIG["decoder"], "sampling": "linear"}}
    with recorded([name], directory, changed) as log:  # resumed
        log(SECOND, 2)
        log(BEST, 2)
    assert READERS[name](directory) == WANTED


def test_an_unknown_tracker_gets_the_nearest_name_and_a_missing_package_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "run.yaml").write_text("training: {trackers: [mlflow, tensorbord]}")
    with pytest.raises(ConfigError) as raised:
        read("run.yaml", Schema({"training": Options(Training)}))
    assert str(raised.value) == (
        "run.yaml:1: training.trackers: unknown tracker 'tensorbord'. Did you mean 'tensorboard'? Known: mlflow, "
        "tensorboard, wandb."
    )
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    for name in trackers.trackers:
        with pytest.raises(ValueError, match=rf"^{name} needs .* Run: pip install 'seq2seq-zoo\[{name}\]'$"):
            trackers.trackers.create(name)


def test_a_tracker_that_fails_is_one_line(tmp_path, monkeypatch):
    class Broken(Tracker):
        name = "broken"

        def record(self, directory, config):
            raise OSError("no route to host.\nDetails")

    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(TrackerError) as raised, recorded([Broken()], tmp_path, CONFIG):
        pass
    assert str(raised.value) == (
        f"The tracker broken failed: no route to host. All finished epochs are saved in {tmp_path}: mend the tracker's "
        f"settings, and continue with --resume {tmp_path}."
    )
