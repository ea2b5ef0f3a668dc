"""Training with Keras's own `fit`: a budget, fixed shapes, and an evaluation on the dev split after each epoch."""

import functools
import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import keras
import numpy as np

from seq2seq_zoo.config.options import Fraction, Named, OptionError, Positive, PositiveFloat, checked, errors_at
from seq2seq_zoo.data.padding import Batches
from seq2seq_zoo.data.stream import in_windows
from seq2seq_zoo.layers.backend import threads, use_xla
from seq2seq_zoo.metrics.metric import METRICS
from seq2seq_zoo.models.seq2seq import Seq2Seq
from seq2seq_zoo.models.stateful import StatefulLanguageModel
from seq2seq_zoo.system.environment import reuse_memory
from seq2seq_zoo.tasks.task import Data, Series
from seq2seq_zoo.training.devices import Devices, Distribute
from seq2seq_zoo.training.evaluation import evaluate_split, monitorable_metrics
from seq2seq_zoo.training.trackers import trackers

XLA_PAYS = 1000
"""From how many updates for each shape of batches XLA saves more time on a CPU than its compilation takes."""

PART_ROWS = 32
"""How many rows a part of a batch has at least, if its parts are computed at the same time."""

LARGE_UNITS = 256
"""From how many units of the decoder a whole batch is as fast as its parts."""

WORKERS = 2
"""How many threads of Keras make the batches. With one, tf.data makes them and tunes itself, and to stop this takes up
to a second at the end of an epoch."""

BUCKETS = 4
"""How many shapes of batches there are by default where they pay."""

EpochHook = Callable[[Any, dict[str, Any], bool], None]
"""Called after an epoch with the model, the epoch's record and whether it is the best so far."""

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
    """Training cannot continue. The message says where it stopped and what to try."""


class Training:
    """How a model is trained.

    The seed and the number of an epoch determine everything random in it: the order of the data, dropout, sampling. So
    a training that resumes after an epoch gives the same results as one that never stopped.

    Args:
        epochs: maximum number of epochs. After each, the model is evaluated on the dev split.
        steps_per_epoch: updates in an epoch; one pass over the training pairs if not given. If given, the budget does
            not depend on the number of pairs.
        batch_size: pairs in an update.
        optimizer: the rule of the update.
        learning_rate: the initial step size of the optimizer.
        schedule: the learning rate over the whole training: constant, or decaying to zero along half a cosine or a
            line.
        clip_norm: maximum norm of all gradients together; null for no limit.
        label_smoothing: fraction of the target's probability that is spread over all tokens.
        buckets: how many shapes of batches there may be, so that short pairs are not padded to the longest. Each shape
            is compiled once. If not given, 4 for texts where that halves the number of tokens in an epoch, padding
            included, otherwise 1.
        monitor: the dev metric that selects the best epoch. If not given, the first metric of the task: exact match of
            generated output, accuracy of labels, perplexity of a language model, root mean squared error of real
            values, mean absolute scaled error of forecasts.
        patience: stop after this many epochs without a better one; null for never.
        trackers: other programs that also record a run: `tensorboard`, `mlflow`, `wandb`.
        distribute: `data_parallel` to share each batch among several devices, on JAX; null for one device.

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
        buckets: Positive | None = None,
        monitor: Monitor | None = None,
        patience: Positive | None = None,
        trackers: tuple[Annotated[Any, Named(trackers)], ...] = (),
        distribute: Distribute | None = None,
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
        self.trackers = trackers
        self.distribute: Distribute | None = distribute

    @functools.cached_property
    def devices(self) -> Devices:
        """The devices that train the model."""
        return Devices(self.distribute)

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
            model: a `Seq2Seq` or `EncoderOnly`, untrained or in its state after the last epoch of `history`. It is
                compiled here unless it is compiled already.
            data: the model is trained on the train split and evaluated on the dev split.
            seed: determines the order of the data, dropout and sampling.
            history: the return value of an earlier call, to resume after it.
            on_epoch: called after each epoch.
            callbacks: further Keras callbacks.

        Returns:
            One record for each epoch: `epoch` (from 1), `steps` and `seconds` since the start, `loss`, and the dev
            metrics.

        Raises:
            TrainingError: the loss became NaN or infinite.
            OptionError: as `check`.
        """
        self.check(model, data)
        feed = self._feed(data, seed, len(history))
        if not model.compiled:
            self.compile(model, data)
        epochs = _EpochCallback(self, model, data, seed, list(history), on_epoch, len(feed))
        if not epochs.finished:
            model.stop_training = False  # a hook may set it
            self._trainer(model, data).fit(
                feed,
                epochs=self.epochs,
                initial_epoch=len(history),
                verbose=0,
                shuffle=False,
                callbacks=[epochs, *callbacks],
            )
        return epochs.history

    def is_best(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> bool:
        """Whether no epoch before it is better: in the monitored metric, then in the token error rate.

        So the last of equal epochs is the best one. Where many are perfect on dev, it has learned more than the first.
        """
        return all(self._quality(record) >= self._quality(earlier) for earlier in history)

    def _quality(self, record: dict[str, Any]) -> tuple[float, float]:
        monitor = self.monitor or next(name for name in record if name in METRICS)
        sign = 1 if METRICS[monitor].higher_is_better else -1
        return sign * record[monitor], -record.get("token_error_rate", 0.0)

    def best_epoch(self, history: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The record of the best epoch."""
        return [record for i, record in enumerate(history) if self.is_best(record, history[:i])][-1]

    def out_of_patience(self, history: Sequence[dict[str, Any]]) -> bool:
        """Whether as many epochs as `patience` allows have passed since an epoch was better than all before it."""
        if self.patience is None or not history:
            return False
        best = self._quality(self.best_epoch(history))
        first = next(record["epoch"] for record in history if self._quality(record) == best)
        return len(history) - first >= self.patience

    def rate(self, data: Data | Series) -> Any:
        """The learning rate, or its schedule, whose length is the number of steps in `data` over all epochs."""
        if self.schedule == "constant":
            return self.learning_rate
        steps = self.epochs * (self.steps_per_epoch or len(self._feed(data)))
        if self.schedule == "cosine":
            return keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        return keras.optimizers.schedules.PolynomialDecay(self.learning_rate, steps, end_learning_rate=0.0)

    def compile(self, model: Any, data: Data | Series) -> None:
        """Give a model its optimizer and loss."""
        make = {
            "adam": keras.optimizers.Adam,
            "adamw": keras.optimizers.AdamW,
            "nadam": keras.optimizers.Nadam,
            "rmsprop": keras.optimizers.RMSprop,
            "sgd": keras.optimizers.SGD,
        }[self.optimizer]
        optimizer = make(learning_rate=self.rate(data), global_clipnorm=self.clip_norm)
        rows = len(data.splits["train"])  # the number of batches follows from it closely enough
        epoch = self.steps_per_epoch or (rows // self.batch_size if data.window is None else len(self._feed(data)))
        pays_off = use_xla() and self.epochs * epoch >= XLA_PAYS * self.buckets_for(data)
        loss = model.readout.loss(self.label_smoothing)
        model.compile(optimizer, loss, jit_compile=True if pays_off else "auto")
        if model.built:
            # Otherwise the first step is traced twice: to create the optimizer's variables, and again with them.
            optimizer.build(model.trainable_variables)

    def buckets_for(self, data: Data | Series) -> int:
        """`buckets`, or what takes its place if it is not given. The data alone determines it."""
        if self.buckets is not None or isinstance(data, Series) or data.window is not None:
            return self.buckets or 1
        lengths = np.sort(data.lengths("train").sum(axis=1))

        def positions(buckets: int) -> int:
            parts = [part for part in np.array_split(lengths, buckets) if len(part)]
            return sum(-(-len(part) // self.batch_size) * int(part[-1]) for part in parts)

        return BUCKETS if 2 * positions(BUCKETS) <= positions(1) else 1

    def check(self, model: Any, data: Data | Series) -> None:
        """Raise an error if a model cannot be trained in this way.

        Raises:
            OptionError: the readout cannot do label smoothing, the task does not have the monitored metric, a stream
                is too short, or the devices cannot have equal parts of a batch.
        """
        self.devices.rows(self.batch_size)
        with errors_at("label_smoothing", refusals=ValueError):
            model.readout.loss(self.label_smoothing)
        known = monitorable_metrics(model, data)
        if self.monitor not in (None, *known):
            raise OptionError(("monitor",), f"this task is evaluated by {', '.join(known)}, not by {self.monitor}.")
        if data.window is not None:
            self._feed(data)

    def _trainer(self, model: Any, data: Data | Series) -> keras.Model:
        """The Keras model whose `fit` trains a compiled model: often the model itself."""
        if data.window is not None:
            reader = StatefulLanguageModel(model, self.batch_size)
            reader.compile(model.optimizer, model.loss, jit_compile=model.jit_compile)
            return reader
        in_parts = model.jit_compile is True and isinstance(model, Seq2Seq) and model.has_independent_rows
        if in_parts and model.decoder.units < LARGE_UNITS:
            most = min(threads(), self.batch_size // PART_ROWS)
            parts = max((parts for parts in range(2, most + 1) if self.batch_size % parts == 0), default=1)
            return model if parts == 1 else model.in_parts(parts)
        return model

    def _feed(self, data: Data | Series, seed: int = 0, epoch: int = 0) -> Any:
        """The batches for `fit`, starting at an epoch."""
        return _ShuffledBatches(self, data, seed, epoch) if data.window is None else _StreamWindows(self, data, epoch)


class _ShuffledBatches(keras.utils.PyDataset):
    """Passes over the shuffled training pairs, cut into epochs. The seed alone determines the batch of each step."""

    def __init__(self, training: Training, data: Data | Series, seed: int, epoch: int):
        super().__init__(workers=WORKERS)
        self._batches = Batches(
            data.encode("train"),
            data.end,
            training.batch_size,
            data.source_padding,
            training.buckets_for(data),
            training.devices.rows(training.batch_size),
        )
        self._targets = data.targets
        self._steps = training.steps_per_epoch or len(self._batches)
        self._seed = seed
        self._epoch = epoch
        self._pass: tuple[int, Sequence[Any]] = (-1, [])
        self._previews: dict[int, Any] = {}
        if len(self._batches.shapes) > 1 and use_xla():
            # Keras on TensorFlow first reads two batches to find the axes that vary: the shortest and the longest.
            in_order = self._batches.in_order()
            self._previews = {0: in_order[0], 1: in_order[-1]}

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Any:
        if index in self._previews:
            return self._example(*self._previews.pop(index)[1:])
        number, position = divmod(self._epoch * self._steps + index, len(self._batches))
        current = self._pass  # another thread may replace it
        if current[0] != number:
            self._pass = current = (number, self._batches.epoch(self._seed, number))
        return self._example(*current[1][position])

    def _example(self, source: np.ndarray, target: np.ndarray) -> Any:
        """A batch as `fit` takes it. A decoder reads the targets as well (teacher forcing)."""
        if self._targets == "sequence":
            return (source, target), target
        return source, target if self._targets == "steps" else target[:, 0]

    def on_epoch_end(self) -> None:
        self._epoch += 1


class _StreamWindows(keras.utils.PyDataset):
    """Passes over the windows of a stream in their order, cut into epochs.

    The state is reset at the start of the stream and of each epoch, so that a resumed training needs nothing but the
    saved model.
    """

    def __init__(self, training: Training, data: Any, epoch: int):
        super().__init__(workers=WORKERS)
        ids = list(itertools.chain.from_iterable(target for _, target in data.encode("train")))
        with errors_at("batch_size", refusals=ValueError):
            self._windows = in_windows(ids, training.batch_size, data.window)
        self._rows = training.devices.rows(training.batch_size)
        self._steps = training.steps_per_epoch or len(self._windows)
        self._epoch = epoch

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Any:
        place = (self._epoch * self._steps + index) % len(self._windows)
        targets = self._windows[place][self._rows]
        return (np.full((len(targets), 1), index > 0 and place > 0), targets), targets

    def on_epoch_end(self) -> None:
        self._epoch += 1


class _EpochCallback(keras.callbacks.Callback):
    """Sets the seeds before each epoch. After it, evaluates on dev, records the epoch and decides whether to stop."""

    def __init__(
        self,
        training: Training,
        model: Any,
        data: Data | Series,
        seed: int,
        history: list[dict[str, Any]],
        on_epoch: EpochHook | None,
        steps: int,
    ):
        super().__init__()
        self.history = history
        self._training = training
        # `self.model` is what Keras trains, which for a stream wraps the model.
        self._model_to_evaluate = model
        self._data = data
        self._seed = seed
        self._on_epoch = on_epoch
        self._steps = steps
        self._started = time.perf_counter() - (history[-1]["seconds"] if history else 0.0)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience has run out."""
        return len(self.history) >= self._training.epochs or self._training.out_of_patience(self.history)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        states = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for i, state in enumerate(states):
            words = np.random.SeedSequence([self._seed, epoch, i]).generate_state(2)
            state.assign(words.astype(state.dtype))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if not batch:
            reuse_memory()  # after Keras has opened the data, which changes the settings of the allocator

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if logs and not math.isfinite(float(logs["loss"])):
            raise TrainingError(self._failure(f"The loss became {float(logs['loss'])}", batch + 1))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # The loss of the last step was computed before its update, which may still have made the weights NaN.
        if not all(np.isfinite(weights).all() for weights in self._model_to_evaluate.get_weights()):
            raise TrainingError(self._failure("The weights became NaN or infinite", self._steps))
        evaluated, _ = evaluate_split(self._model_to_evaluate, self._data, "dev")
        metrics = {name: value for name, value in evaluated.items() if name in METRICS}
        record = {
            "epoch": epoch + 1,
            "steps": (epoch + 1) * self._steps,
            "seconds": round(time.perf_counter() - self._started, 3),
            "loss": float(logs["loss"]),
            **metrics,
        }
        record = self._training.devices.agree(record)
        if logs is not None:
            logs.update(metrics)  # for callbacks after this one
        better = self._training.is_best(record, self.history)
        self.history.append(record)
        if self._on_epoch is not None:
            self._on_epoch(self._model_to_evaluate, record, better)
        if self.finished or self._model_to_evaluate.stop_training:
            self.model.stop_training = True

    def _failure(self, what: str, step: int) -> str:
        return (
            f"{what} in step {step} of epoch {len(self.history) + 1}. Lower training.learning_rate "
            f"({self._training.learning_rate}) or training.clip_norm ({self._training.clip_norm})."
        )
