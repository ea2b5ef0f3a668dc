"""The search for good settings on Optuna: its samplers, pruners and storages, and trials as plain JSON.

Only functions import Optuna, which is an extra.
"""

import contextlib
import importlib.util
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from seq2seq_zoo.config.options import NonNegative, OptionError, Positive
from seq2seq_zoo.config.space import Space
from seq2seq_zoo.metrics.metric import METRICS

if TYPE_CHECKING:
    import optuna

Sampler = Literal["tpe", "random", "grid"]
Pruner = Literal["none", "median", "asha"]

RETRIES = 2
"""How often a trial whose process ended is run again."""

HEARTBEAT = 60
"""The seconds between two signs of life of a trial in a database, where one process cannot see another's end."""

ENOUGH = 5
"""How many finished trials an importance needs."""


class TuningError(RuntimeError):
    """A search that has no result."""


class Diverged(RuntimeError):
    """A training that stopped because of its setting."""


@dataclass(frozen=True)
class Tune:
    """A search for the best setting on dev.

    Args:
        space: the values to search among, for options by their dotted keys.
        trials: the number of settings to try, each in one training. Trials that are pruned or fail count as well.
        sampler: how Optuna chooses the setting of a trial: `tpe` from the scores of the trials before it, `random`, or
            `grid` for all combinations in random order, at most `trials` of them.
        pruner: how Optuna stops trials early by their dev scores after each epoch: `median` if a score is worse than
            the median of earlier trials at that epoch, `asha` by successive halving, `none` never.
        seed: seeds the sampler; trial i trains with the seed `seed + i`.
    """

    space: Annotated[dict[str, Any], Field(min_length=1)]
    trials: Positive = 20
    sampler: Sampler = "tpe"
    pruner: Pruner = "median"
    seed: NonNegative = 1000


Trial = dict[str, Any]
"""Plain JSON: `number`; `state` (complete, pruned, failed, running or waiting); `params`, the setting; `score`, the
best dev score of its epochs; `epochs` and `seconds` of the training; `reason`, if it failed; `tie`, the token error
rate."""

Train = Callable[[dict[str, Any], int, Callable[[dict[str, Any]], None]], dict[str, Any]]
"""Takes a setting, a seed, and a function to call with the record of each epoch. Returns the record of the best epoch.
"""


def require_one_device(config: Mapping[str, Any]) -> None:
    """Refuse a configuration that trains on several devices, since cells and trials run side by side.

    Raises:
        OptionError: the configuration sets `training.distribute`.
    """
    if config.get("training", {}).get("distribute") is not None:
        raise OptionError(
            ("training", "distribute"),
            "each training of a suite or a search runs on one device: leave it out, or use `train`.",
        )


def require_optuna() -> None:
    """Refuse to tune without Optuna.

    Raises:
        OptionError: it is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise OptionError((), "needs Optuna, which is not installed. Run: pip install 'seq2seq-zoo[tune]'")


# === Studies ===


def open_study(storage: Any, name: str, metric: str, tune: Mapping[str, Any]) -> "optuna.Study":
    """The study of a search, new or continued.

    Args:
        storage: an Optuna storage.
        name: the name of the study in the storage.
        metric: the dev metric by which trials are compared.
        tune: the arguments of `Tune`, with a resolved space.
    """
    import optuna

    optuna.logging.set_verbosity(logging.ERROR)
    pruners = {
        "none": optuna.pruners.NopPruner,
        "median": optuna.pruners.MedianPruner,
        "asha": optuna.pruners.SuccessiveHalvingPruner,
    }
    return optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=_sampler(tune, 0),
        pruner=pruners[tune["pruner"]](),
        direction="maximize" if METRICS[metric].higher_is_better else "minimize",
        load_if_exists=True,
    )


def open_storage(where: str) -> Any:
    """An Optuna storage: a database for a URL, a journal file for a path.

    In a database, Optuna's heartbeat finds trials whose process has ended, and they run again.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    if "://" not in where:
        return optuna.storages.JournalStorage(JournalFileBackend(where))
    with _experimental():
        return optuna.storages.RDBStorage(
            where,
            heartbeat_interval=HEARTBEAT,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(RETRIES),
        )


def journal_storage(logs: list[dict[str, Any]]) -> Any:
    """An Optuna storage in a list of JSON objects, which becomes longer with every change."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import BaseJournalBackend

    class Journal(BaseJournalBackend):
        def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
            return logs[log_number_from:]

        def append_logs(self, new: list[dict[str, Any]]) -> None:
            logs.extend(new)

    return JournalStorage(Journal())


def retry_running(study: "optuna.Study") -> None:
    """Run the trials again that are still running, because no process is left that could run them."""
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        with _experimental():
            optuna.storages.RetryHeartbeatStaleTrialCallback(RETRIES)(study, trial)


def trials_left(study: "optuna.Study", tune: Mapping[str, Any]) -> int:
    """How many trials have not been started."""
    import optuna

    started = [trial for trial in _not_retried(study) if trial.state != optuna.trial.TrialState.WAITING]
    return max(0, number_of_trials(tune) - len(started))


def _not_retried(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    found = study.get_trials(deepcopy=False)
    retried = {number for trial in found for number in trial.system_attrs.get("retry_history", [])}
    return [trial for trial in found if trial.number not in retried]


def number_of_trials(tune: Mapping[str, Any]) -> int:
    """The number of trials of a search, which a grid may limit."""
    if tune["sampler"] != "grid":
        return tune["trials"]
    combinations = 1
    for values in _grid(tune["space"]).values():
        combinations *= len(values)
    return min(tune["trials"], combinations)


# === Trials ===


def run_trial(study: "optuna.Study", tune: Mapping[str, Any], train: Train, metric: str) -> Trial:
    """Run one trial of a study.

    Args:
        study: from `open_study`.
        tune: the arguments of `Tune`, with a resolved space.
        train: trains with a setting. Its errors fail the trial, not the study.
        metric: the dev metric by which trials are compared.
    """
    import optuna

    def objective(trial: optuna.Trial) -> float:
        if tune["sampler"] != "grid":
            # Seeded by its number, a trial depends on the trials before it alone, also after a restart.
            study.sampler = _sampler(tune, trial.number)
        setting = {key: _suggest(trial, key, values) for key, values in tune["space"].items()}

        def on_epoch(record: dict[str, Any]) -> None:
            trial.report(record[metric], record["epoch"])
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            best = train(setting, tune["seed"] + trial.number, on_epoch)
        except optuna.TrialPruned:
            raise
        except Exception as error:
            trial.set_user_attr("reason", " ".join(str(error).split()) or type(error).__name__)
            # The sampler learns from pruned trials alone that a setting is bad.
            raise (optuna.TrialPruned if isinstance(error, Diverged) else error) from None
        trial.set_user_attr("tie", best.get("token_error_rate", 0.0))
        return best[metric]

    numbers: list[int] = []
    study.optimize(
        objective, n_trials=1, catch=(Exception,), callbacks=[lambda study, trial: numbers.append(trial.number)]
    )
    return next(trial for trial in trials(study, tune["space"]) if trial["number"] == numbers[0])


def trials(study: "optuna.Study", space: Space) -> list[Trial]:
    """The trials of a study by their number, those that have not ended included, without those that ran again."""
    best = max if study.direction.name == "MAXIMIZE" else min
    found = []
    for trial in _not_retried(study):
        scores = trial.intermediate_values.values()
        found.append(
            {
                "number": trial.number,
                "state": {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower()),
                "params": {key: _decoded(value, space[key]) for key, value in trial.params.items()},
                "score": best(scores) if scores else None,
                "epochs": len(scores),
                "seconds": None if trial.duration is None else round(trial.duration.total_seconds(), 3),
                **{key: trial.user_attrs[key] for key in ("reason", "tie") if key in trial.user_attrs},
            }
        )
    return found


def best_trial(study: "optuna.Study", space: Space) -> Trial:
    """The best of the trials that were trained to their end: by score, then by token error rate.

    Raises:
        TuningError: there is none.
    """
    found = [trial for trial in trials(study, space) if trial["state"] == "complete"]
    sign = -1 if study.direction.name == "MAXIMIZE" else 1
    if not found:
        reasons = [trial["reason"] for trial in trials(study, space) if "reason" in trial]
        raise TuningError(
            f"No trial was trained to its end, so there is no best setting.{f' {reasons[-1]}' if reasons else ''}"
        )
    return min(found, key=lambda trial: (sign * trial["score"], trial["tie"], trial["number"]))


def importances(study: "optuna.Study") -> dict[str, float]:
    """The importance of each option, by Optuna's default (PED-ANOVA, https://arxiv.org/abs/2304.10255).

    Only trials that were trained to their end count. The result is empty if there are too few of them, or if all have
    the same score.
    """
    import optuna

    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < ENOUGH or len({trial.value for trial in complete}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about few trials, which the report says
        return {key: round(float(value), 4) for key, value in optuna.importance.get_param_importances(study).items()}


# === The space ===


def _sampler(tune: Mapping[str, Any], number: int) -> Any:
    import optuna

    if tune["sampler"] == "grid":
        return optuna.samplers.GridSampler(_grid(tune["space"]), seed=tune["seed"])
    kinds = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    return kinds[tune["sampler"]](seed=tune["seed"] + number)


def _suggest(trial: "optuna.Trial", key: str, values: Any) -> Any:
    if isinstance(values, list):
        return _decoded(trial.suggest_categorical(key, [_label(value) for value in values]), values)
    low, high, log, step = (values[name] for name in ("low", "high", "log", "step"))
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, log=log, step=step or 1)
    return trial.suggest_float(key, low, high, log=log, step=step)


def _label(value: Any) -> Any:
    """A value as Optuna stores it: mappings and lists as text."""
    return json.dumps(value) if isinstance(value, dict | list) else value


def _decoded(label: Any, values: Any) -> Any:
    if not isinstance(values, list):
        return label
    return next(value for value in values if _label(value) == label and type(_label(value)) is type(label))


def _grid(space: Space) -> dict[str, list[Any]]:
    """The values of each option in a grid.

    Raises:
        OptionError: a range has no step.
    """
    grid = {}
    for key, values in space.items():
        if isinstance(values, list):
            grid[key] = [_label(value) for value in values]
            continue
        low, high, log, step = (values[name] for name in ("low", "high", "log", "step"))
        if step is None and (log or isinstance(low, float)):
            raise OptionError((key,), "must be a list of values, or a range with a step, for the sampler grid.")
        count = int((high - low) / (step or 1) + 1e-9) + 1
        grid[key] = [low + index * (step or 1) for index in range(count)]
    return grid


@contextlib.contextmanager
def _experimental() -> Iterator[None]:
    """Leave out Optuna's warnings that a feature may change."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
