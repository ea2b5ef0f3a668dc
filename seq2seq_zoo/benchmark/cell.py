"""What a worker process runs: one cell of a suite, trained and measured once; one study of its settings; one trial."""

import functools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from seq2seq_zoo.benchmark import studies
from seq2seq_zoo.benchmark.records import pack_bits
from seq2seq_zoo.config.schema import ConfigError
from seq2seq_zoo.config.space import with_values
from seq2seq_zoo.data.published import paths_in
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.metrics.tokens import BREAKDOWNS, nearest_references
from seq2seq_zoo.models.seq2seq import Seq2Seq
from seq2seq_zoo.models.text_model import Prediction
from seq2seq_zoo.system.environment import peak_memory, reset_peak_memory
from seq2seq_zoo.tasks.task import Data
from seq2seq_zoo.training.evaluation import evaluate_generation, perplexity
from seq2seq_zoo.training.training import Training, TrainingError

EXAMPLES = 12

Progress = Callable[[dict[str, Any]], Any]


def run_cell(cell: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Train the configuration of a cell and measure the weights of the best epoch on dev.

    Args:
        cell: a cell with its resolved `config`, and the published data set `data` in which it finds its files, if any.
            A cell with `tune` is a study: see `run_study`.
        progress: called after each epoch.

    Returns:
        The measured fields of a record: `metrics` and their `BREAKDOWNS` on test, `dev`, `epochs`, `parameters`,
        `seconds`, `to_99`, `generation`, `peak_memory_mb`, `examples`, `attention`, and `right`, which test sources
        have a right output.

    Raises:
        TrainingError: the loss is no longer a finite number.
    """
    if "tune" in cell:
        return run_study(cell, progress)
    config = cell["config"]
    reset_peak_memory()
    started = time.perf_counter()
    with paths_in(cell.get("data")):
        data = load_texts(json.dumps(config["task"]))
    training = factory.make_training(config)
    metrics = factory.make_metrics(config, data)
    model = fresh_model(config, data, training)
    evaluate_generation(model, data.answers("dev"))  # compiles the search, so that this does not count as training
    prepared = time.perf_counter()

    clock = _FirstStep()
    best: list[np.ndarray] = []

    def on_epoch(model: Seq2Seq, record: dict[str, Any], better: bool) -> None:
        if better:
            best[:] = model.get_weights()
        progress({"epoch": record["epoch"], "epochs": training.epochs, **record})

    epochs = training.fit(model, data, config["seed"], on_epoch=on_epoch, callbacks=[clock])
    # The first step is almost only compilation.
    compiling = clock.finished - prepared
    epochs = [{**record, "seconds": round(record["seconds"] - compiling, 3)} for record in epochs]
    model.set_weights(best)

    dev, _ = evaluate_generation(model, data.answers("dev"), metrics=metrics)
    answers = data.answers("test")
    test, outputs = evaluate_generation(model, answers, metrics=metrics)
    start = time.perf_counter()
    predictions = model.predictions([source for source, _ in answers], batch_size=256)
    generating = time.perf_counter() - start
    breakdowns = {name: test.pop(name) for name in BREAKDOWNS}
    dev = {name: value for name, value in dev.items() if name not in BREAKDOWNS}
    reached = next((record for record in epochs if record["exact_match"] >= 0.99), None)
    memory = peak_memory()
    return {
        "metrics": {**test, "perplexity": perplexity(model, data.splits["test"])},
        "dev": {**dev, "perplexity": perplexity(model, data.splits["dev"])},
        **breakdowns,
        "epochs": epochs,
        "parameters": model.count_params(),
        "seconds": {
            "total": round(time.perf_counter() - started, 3),
            "compile": round(prepared - started + compiling, 3),
            "training": epochs[-1]["seconds"],
            "generation": round(generating, 4),
        },
        "to_99": reached and {"epochs": reached["epoch"], "seconds": reached["seconds"]},
        "generation": {
            "pairs_per_second": round(len(outputs) / generating, 1),
            "tokens_per_second": round(sum(map(len, outputs)) / generating, 1),
        },
        "right": pack_bits(
            output in map(data.target.split, targets) for output, (_, targets) in zip(outputs, answers, strict=True)
        ),
        "peak_memory_mb": None if memory is None else round(memory / 2**20, 1),
        **_shown(data, answers, predictions),
    }


def run_study(cell: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Search for the best setting of a cell, on dev alone: one trial after another.

    The study is a function of the cell: stopped and continued from its journal, it has the same trials.

    Args:
        cell: a cell with `given`, its configuration without defaults; `tune`, the arguments of `Tune`; and, to continue
            a study, its `journal`.
        progress: called after each epoch, and after each trial with the `journal` so far.

    Returns:
        `metric`, by which trials are compared; `trials`; `chosen`, the number of the best one; `chosen_config`, its
        configuration; and the `importance` of each option.

    Raises:
        TuningError: no trial was trained to its end.
    """
    with paths_in(cell.get("data")):
        load_texts(json.dumps(cell["config"]["task"]))  # refuses tasks whose outputs a suite cannot compare
    tune, metric = cell["tune"], cell["config"]["training"]["monitor"] or "exact_match"
    journal = list(cell.get("journal", ()))
    study = studies.open_study(studies.journal_storage(journal), cell["id"], metric, tune)
    while left := studies.trials_left(study, tune):
        count = studies.number_of_trials(tune)
        shown = {"trial": count - left + 1, "trials": count}
        train = functools.partial(_train, cell, lambda epoch, shown=shown: progress({**shown, **epoch}))
        studies.run_trial(study, tune, train, metric)
        progress({**shown, "journal": journal})
    chosen = studies.best_trial(study, tune["space"])
    return {
        "metric": metric,
        "trials": studies.trials(study, tune["space"]),
        "chosen": chosen["number"],
        "chosen_config": with_values(cell["given"], chosen["params"], factory.schema),
        "importance": studies.importances(study),
    }


def run_trial(cell: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Train one trial of a study that another process has: see `tuning.Trial`.

    Args:
        cell: a cell that asks, with `given`, the configuration without defaults, and the `metric` by which trials are
            compared.
        progress: called once for the trial, which has its `setting` and its `seed`, or is null if none is left; then
            after each epoch with its `record`, to learn whether the training stops here.

    Returns:
        The `best` record; or `diverged`, why the training cannot go on; or nothing.
    """
    trial = progress({})
    if trial is None:
        return {}

    def measured(record: Mapping[str, Any]) -> dict[str, Any]:
        return {key: record[key] for key in ("epoch", cell["metric"], "token_error_rate") if key in record}

    def on_epoch(record: dict[str, Any]) -> None:
        if progress({"record": measured(record)}):
            raise _Stopped

    try:
        return {"best": measured(_train(cell, lambda epoch: None, trial["setting"], trial["seed"], on_epoch))}
    except studies.Diverged as error:
        return {"diverged": str(error)}
    except _Stopped:
        return {}


class _Stopped(Exception):
    """The training of a trial stops."""


def _train(
    cell: Mapping[str, Any],
    progress: Progress,
    setting: Mapping[str, Any],
    seed: int,
    on_epoch: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Train with a setting, without saving or testing the model. Returns the record of the best epoch."""
    config = {**with_values(cell["given"], setting, factory.schema), "seed": seed}
    with paths_in(cell.get("data")):
        data = _data(json.dumps(config["task"]), os.getcwd())
    training = factory.make_training(config)
    keras.utils.set_random_seed(seed)
    model = factory.make_model(config, data)
    factory.make_pretrained(config).into(model)

    def report(model: Any, record: dict[str, Any], better: bool) -> None:
        progress({"epoch": record["epoch"], "epochs": training.epochs})
        on_epoch(record)

    try:
        return training.best_epoch(training.fit(model, data, seed, on_epoch=report))
    except TrainingError as error:
        raise studies.Diverged(str(error)) from None


@functools.lru_cache(maxsize=1)
def _data(task: str, folder: str) -> Any:
    """The data of a task, cached for the next cell with the same task.

    Args:
        task: the options of the task, as JSON.
        folder: the current folder, to which relative paths refer.
    """
    del folder  # it only tells one cached task from another
    return factory.make_task({"task": json.loads(task)}).load()


def load_texts(task: str) -> Data:
    """The data of a task of a suite.

    Args:
        task: the options of the task, as JSON.

    Raises:
        ConfigError: the task does not generate texts from texts, so a suite cannot compare its outputs.
    """
    data = _data(task, os.getcwd())
    if not isinstance(data, Data) or data.targets != "sequence" or not data.has_sources:
        raise ConfigError(
            f"task: expected a task that generates texts from texts, got '{json.loads(task)['name']}', whose outputs a "
            "suite cannot compare. Train its models one by one."
        )
    return data


def match_parameters(configs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same configurations with decoder units chosen so that each has about as many parameters as the first.

    Args:
        configs: resolved configurations, one for each mode, equal except for the mode.
    """
    data = load_texts(json.dumps(configs[0]["task"]))

    def parameters(config: dict[str, Any], units: int) -> int:
        keras.backend.clear_session()
        return factory.make_model({**config, "decoder": {**config["decoder"], "units": units}}, data).count_params()

    wanted = parameters(configs[0], configs[0]["decoder"]["units"])
    matched = []
    for config in configs:
        # The number of parameters grows with the units, so a binary search finds the best number.
        low, high = 1, 8 * config["decoder"]["units"]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if parameters(config, middle) <= wanted else (low, middle)
        units = min((low, high), key=lambda units: abs(parameters(config, units) - wanted))
        matched.append({**config, "decoder": {**config["decoder"], "units": units}})
    return matched


class _FirstStep(keras.callbacks.Callback):
    """The time at which the first step of a training ended."""

    finished = 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.finished = self.finished or time.perf_counter()


_compiled: dict[str, tuple[Any, list[np.ndarray]]] = {}
"""The last compiled model and the initial state of its optimizer. The key is everything that compilation depends on."""


def fresh_model(config: Mapping[str, Any], data: Data, training: Training) -> Any:
    """An untrained, compiled model.

    If the last cell differed only in its seed or its pairs, this is that cell's model with new weights: it is compiled
    already, and compilation can take longer than the training of a small cell.
    """
    keras.utils.set_random_seed(config["seed"])
    model = factory.make_model(config, data)
    factory.make_pretrained(config).into(model)
    sections = [config[section] for section in ("encoder", "decoder", "encoder_only", "training")]
    # Without a fixed number of steps, the learning rate schedule depends on the number of pairs.
    pairs = None if training.steps_per_epoch else len(data.splits["train"])
    key = json.dumps([sections, data.source.get_config(), data.target.get_config(), pairs])
    if key not in _compiled:
        _compiled.clear()
        training.compile(model, data)
        model.optimizer.build(model.trainable_variables)
        _compiled[key] = model, [np.array(variable) for variable in model.optimizer.variables]
        return model
    compiled, optimizer_state = _compiled[key]
    compiled.set_weights(model.get_weights())
    for variable, value in zip(compiled.optimizer.variables, optimizer_state, strict=True):
        variable.assign(value)
    compiled.stop_training = False
    return compiled


def _shown(
    data: Data, answers: Sequence[tuple[str, Sequence[str]]], predictions: Sequence[Prediction]
) -> dict[str, Any]:
    """A few examples from the test split, the same for every mode, and one attention map."""
    rows = np.linspace(0, len(answers) - 1, min(EXAMPLES, len(answers))).astype(int).tolist()
    sources = [data.source.split(answers[row][0]) for row in rows]
    references = [[data.target.split(target) for target in answers[row][1]] for row in rows]
    hypotheses = [predictions[row].hypotheses[0] for row in rows]
    outputs = [each.tokens for each in hypotheses]
    shown = zip(sources, nearest_references(references, outputs), outputs, strict=True)
    examples = [{"source": source, "reference": reference, "output": output} for source, reference, output in shown]
    # The map is of the example of middle length: long enough to show something, short enough to be read.
    middle = sorted(range(len(rows)), key=lambda place: len(sources[place]))[len(rows) // 2]
    tokens, weights = outputs[middle], hypotheses[middle].alignment
    attention = None
    if weights is not None:
        attention = {
            "source": sources[middle],
            "output": tokens,
            "weights": np.round(weights[: len(tokens)], 4).tolist(),
        }
    return {"examples": examples, "attention": attention}
