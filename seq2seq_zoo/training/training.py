"""Training by Keras's own `fit`: a budget, fixed shapes, and a dev split judged by what the model generates."""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np

from seq2seq_zoo.config.options import Fraction, OptionError, Positive, PositiveFloat, checked, errors_at
from seq2seq_zoo.data.padding import Batches
from seq2seq_zoo.data.stream import in_windows
from seq2seq_zoo.layers.backend import use_xla
from seq2seq_zoo.metrics.metric import METRICS
from seq2seq_zoo.models.stateful import Stream
from seq2seq_zoo.system.environment import reuse_memory
from seq2seq_zoo.tasks.task import Data, Series
from seq2seq_zoo.training.evaluation import evaluate_split, monitorable_metrics

XLA_PAYS = 1000
"""Updates for each shape of batches from which compiling by XLA, some seconds a shape, is won back on a CPU."""

EpochHook = Callable[[Any, dict[str, Any], bool], None]

Monitor = Literal[
    "exact_match",
    "token_accuracy",
    "token_error_rate",
    "perplexity",
    "next_token_accuracy",
    "accuracy",
    "mase",
    "rmse",
    "correlation",
    "quantile_loss",
]


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stopped and what to try."""


class Training:
    """How a model is trained.

    Everything random in an epoch (the order of the data, dropout, sampling) follows from the seed and the epoch's
    number, so a training that goes on from an epoch's end goes on as if it had never stopped.

    Args:
        epochs: how many epochs at most; after each, the model generates from the dev split.
        steps_per_epoch: updates in an epoch; one pass over the training pairs if not given. With it the budget is the
            same however many pairs there are.
        batch_size: pairs in an update.
        optimizer: the rule of the update.
        learning_rate: its step size, at the beginning.
        schedule: how the learning rate goes over the whole training: it stays, or falls to zero along half a cosine
            or a line.
        clip_norm: the most that the norm of all gradients together may be; null for no limit.
        label_smoothing: share of the target's probability given to all tokens alike.
        buckets: how many shapes of batches there may be, so that short pairs are not padded to the longest; each
            shape is compiled once.
        monitor: the dev metric that tells which epoch was best; the task's first if not given: exact match of generated
            output, accuracy of labels, perplexity of a language model, root mean squared error of real values, mean
            absolute scaled error of forecasts.
        patience: epochs without a better one after which training stops; null for never.
        tensorboard: whether a run also writes logs for TensorBoard.

    Example:

    >>> Training(epochs=3).epochs
    3
    """

    @checked
    def __init__(
        self,
        epochs: Positive = 20,
        steps_per_epoch: Positive | None = None,
        batch_size: Positive = 64,
        optimizer: Literal["adam", "adamw", "nadam", "rmsprop", "sgd"] = "adam",
        learning_rate: PositiveFloat = 0.001,
        schedule: Literal["constant", "cosine", "linear"] = "constant",
        clip_norm: PositiveFloat | None = 1.0,
        label_smoothing: Fraction = 0.0,
        buckets: Positive = 1,
        monitor: Monitor | None = None,
        patience: Positive | None = None,
        tensorboard: bool = False,
    ):
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.buckets = buckets
        self.monitor = monitor
        self.patience = patience
        self.tensorboard = tensorboard

    def fit(
        self,
        model: Any,
        data: Data | Series,
        seed: int,
        history: Sequence[dict[str, Any]] = (),
        on_epoch: EpochHook | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> list[dict[str, Any]]:
        """Train a model.

        Args:
            model: a `Seq2Seq` or `EncoderOnly`, untrained or as it stood after the last epoch of `history`; compiled
                here unless it is.
            data: trained on its train split, judged on its dev split.
            seed: of the order of the data, dropout and sampling.
            history: what an earlier call returned, to go on from there.
            on_epoch: called with the model, the epoch's record and whether it is the best so far.
            callbacks: further Keras callbacks.

        Returns:
            One record an epoch: `epoch` (from 1), `steps` and `seconds` since the beginning, `loss`, and the dev
            metrics.

        Raises:
            TrainingError: the loss is not a number any more.
            ValueError: what `check` refuses.
        """
        self.check(model, data)
        feed = self._feed(data, seed, len(history))
        if not model.compiled:
            self.compile(model, data)
        epochs = _Epochs(self, model, data, seed, list(history), on_epoch, len(feed))
        if not epochs.over:
            trained = model
            if data.window is not None:
                trained = Stream(model, self.batch_size)
                trained.compile(model.optimizer, model.loss, jit_compile=model.jit_compile)
            trained.fit(
                feed,
                epochs=self.epochs,
                initial_epoch=len(history),
                verbose=0,
                shuffle=False,
                callbacks=[epochs, *callbacks],
            )
        return epochs.history

    def is_better(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> bool:
        """Whether an epoch beats all before it in the monitored metric, or equals the best with a lower error rate."""
        monitor = self.monitor or next(name for name in record if name in METRICS)

        def merit(record: dict[str, Any]) -> tuple[float, float]:
            sign = 1 if METRICS[monitor].higher_is_better else -1
            return sign * record[monitor], -record.get("token_error_rate", 0.0)

        return all(merit(record) > merit(earlier) for earlier in history)

    def compile(self, model: Any, data: Data | Series) -> None:
        """Give a model its optimizer and loss; `data` tells over how many steps the learning rate falls."""
        rate: Any = self.learning_rate
        if self.schedule != "constant":
            steps = self.epochs * (self.steps_per_epoch or len(self._feed(data)))
            if self.schedule == "cosine":
                rate = keras.optimizers.schedules.CosineDecay(rate, steps)
            else:
                rate = keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0)
        make = {
            "adam": keras.optimizers.Adam,
            "adamw": keras.optimizers.AdamW,
            "nadam": keras.optimizers.Nadam,
            "rmsprop": keras.optimizers.RMSprop,
            "sgd": keras.optimizers.SGD,
        }[self.optimizer]
        optimizer = make(learning_rate=rate, global_clipnorm=self.clip_norm)
        rows = len(data.splits["train"])  # a pass over them takes about as many steps as they are batches
        epoch = self.steps_per_epoch or (rows // self.batch_size if data.window is None else len(self._feed(data)))
        pays = use_xla() and self.epochs * epoch >= XLA_PAYS * self.buckets
        loss = model.readout.loss(self.label_smoothing)
        model.compile(optimizer, loss, jit_compile=True if pays else "auto")
        if model.built:
            # Else the first step would be traced twice: once to make these variables, and once with them made.
            optimizer.build(model.trainable_variables)

    def check(self, model: Any, data: Data | Series) -> None:
        """Refuse what cannot be trained so.

        Raises:
            ValueError: label smoothing that the model's outputs do not allow; a metric to monitor by which the task is
                not judged; a stream that is too short.
        """
        with errors_at("label_smoothing", refusals=ValueError):
            model.readout.loss(self.label_smoothing)
        known = monitorable_metrics(model, data)
        if self.monitor not in (None, *known):
            raise OptionError(("monitor",), f"this task is evaluated by {', '.join(known)}, not by {self.monitor}.")
        if data.window is not None:
            self._feed(data)

    def _feed(self, data: Data | Series, seed: int = 0, epoch: int = 0) -> Any:
        """What `fit` is fed with, from the beginning of an epoch on."""
        return _Feed(self, data, seed, epoch) if data.window is None else _StreamFeed(self, data, epoch)


class _Feed(keras.utils.PyDataset):
    """Shuffled batches without end, cut into epochs; which batch comes when follows from the seed alone."""

    def __init__(self, training: Training, data: Data | Series, seed: int, epoch: int):
        super().__init__()
        self._batches = Batches(
            data.encode("train"), data.end, training.batch_size, data.source_padding, training.buckets
        )
        self._targets = data.targets
        self._steps = training.steps_per_epoch or len(self._batches)
        self._seed = seed
        self._epoch = epoch
        self._pass: tuple[int, Sequence[Any]] = (-1, [])
        self._begun = False

    def __len__(self) -> int:
        return self._steps

    def on_epoch_begin(self) -> None:
        self._begun = True

    def __getitem__(self, index: int) -> Any:
        if not self._begun and len(self._batches.shapes) > 1:
            # Before it begins, Keras on TensorFlow asks for the first batches, to know what is the same in all of them.
            in_order = self._batches.in_order()
            _, source, target = in_order[0] if index == 0 else in_order[-1]
            return self._example(source, target)
        number, position = divmod(self._epoch * self._steps + index, len(self._batches))
        if self._pass[0] != number:
            self._pass = (number, self._batches.epoch(self._seed, number))
        return self._example(*self._pass[1][position])

    def _example(self, source: np.ndarray, target: np.ndarray) -> Any:
        """What `fit` takes: a decoder is told the targets too."""
        if self._targets == "sequence":
            return (source, target), target
        return source, target if self._targets == "steps" else target[:, 0]

    def on_epoch_end(self) -> None:
        self._epoch += 1


class _StreamFeed(keras.utils.PyDataset):
    """The windows of a stream in their order, again and again, cut into epochs. The state begins anew where the stream
    does, and where an epoch does: so nothing but the model need be saved to go on from there."""

    def __init__(self, training: Training, data: Any, epoch: int):
        super().__init__()
        ids = list(itertools.chain.from_iterable(target for _, target in data.encode("train")))
        with errors_at("batch_size", refusals=ValueError):
            self._windows = in_windows(ids, training.batch_size, data.window)
        self._steps = training.steps_per_epoch or len(self._windows)
        self._epoch = epoch

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Any:
        place = (self._epoch * self._steps + index) % len(self._windows)
        targets = self._windows[place]
        return (np.full((len(targets), 1), index > 0 and place > 0), targets), targets

    def on_epoch_end(self) -> None:
        self._epoch += 1


class _Epochs(keras.callbacks.Callback):
    """What happens around an epoch: seeds before it; the dev split, the record and the decision to go on after it."""

    def __init__(
        self,
        training: Training,
        judged: Any,
        data: Data | Series,
        seed: int,
        history: list[dict[str, Any]],
        on_epoch: EpochHook | None,
        steps: int,
    ):
        super().__init__()
        self.history = history
        self._training = training
        self._model_to_evaluate = judged
        self._data = data
        self._seed = seed
        self._on_epoch = on_epoch
        self._steps = steps
        self._began = time.perf_counter() - (history[-1]["seconds"] if history else 0.0)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        if len(self.history) >= self._training.epochs:
            return True
        best = max(
            (i for i, record in enumerate(self.history) if self._training.is_better(record, self.history[:i])),
            default=0,
        )
        patience = self._training.patience
        return patience is not None and len(self.history) - 1 - best >= patience

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        states = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for i, state in enumerate(states):
            words = np.random.SeedSequence([self._seed, epoch, i]).generate_state(2)
            state.assign(words.astype(state.dtype))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if not batch:
            reuse_memory()  # now that the data is open

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if logs and not math.isfinite(float(logs["loss"])):
            raise TrainingError(self._broken(f"The loss became {float(logs['loss'])}", batch + 1))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # The last step's loss was measured before its update, which may still have broken the weights.
        if not all(np.isfinite(weights).all() for weights in self._model_to_evaluate.get_weights()):
            raise TrainingError(self._broken("The weights became NaN or infinite", self._steps))
        found, _ = evaluate_split(self._model_to_evaluate, self._data, "dev")
        metrics = {name: value for name, value in found.items() if name in METRICS}
        record = {
            "epoch": epoch + 1,
            "steps": (epoch + 1) * self._steps,
            "seconds": round(time.perf_counter() - self._began, 3),
            "loss": float(logs["loss"]),
            **metrics,
        }
        if logs is not None:
            logs.update(metrics)  # for callbacks after this one
        better = self._training.is_better(record, self.history)
        self.history.append(record)
        if self._on_epoch is not None:
            self._on_epoch(self._model_to_evaluate, record, better)
        if self.over:
            self.model.stop_training = True

    def _broken(self, what: str, step: int) -> str:
        return (
            f"{what} in step {step} of epoch {len(self.history) + 1}. Lower training.learning_rate "
            f"({self._training.learning_rate}) or training.clip_norm ({self._training.clip_norm})."
        )
