"""Makes the task, the model and the training that a configuration describes."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Optional

from seq2seq_zoo.config.options import Named, NonNegative, Option, OptionError, Positive, errors_at, options_of
from seq2seq_zoo.config.schema import Choice, Keys, Options, Schema
from seq2seq_zoo.data.padding import FILLING
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.decoders.decoder import Decoder
from seq2seq_zoo.layers.encoder import Encoder, NoEncoder
from seq2seq_zoo.layers.readouts.readout import Readout, readouts
from seq2seq_zoo.layers.readouts.tokens import Tokens
from seq2seq_zoo.metrics.texts import TextMetric, text_metrics
from seq2seq_zoo.models.encoder_only import EncoderOnly
from seq2seq_zoo.models.pretrained import Pretrained
from seq2seq_zoo.models.seq2seq import Seq2Seq
from seq2seq_zoo.tasks import tasks
from seq2seq_zoo.tasks.task import Data, Series, Task
from seq2seq_zoo.training.training import Training

# A configuration cannot set what follows from the task's vocabularies.
_TOKENS = options_of(Tokens, exclude={"vocabulary_size", "start", "end"})
_PARTS = {"encoder", "readout", "whole", "source_vocabulary", "target_vocabulary"}
_ENCODER_ONLY = options_of(EncoderOnly, exclude=_PARTS)
_MAX_LENGTH = Option(
    "max_length",
    Positive | None,
    None,
    "the largest number of outputs of a free-running pass, the end token included; if not given, the length of the "
    "longest target of train and a quarter more, or 100 for a stream.",
)

schema = Schema(
    {
        "task": Choice(tasks, key="name"),
        "encoder": Options(Encoder, exclude={"vocabulary_size", "mask_value", "unknown"}, nullable=True),
        "decoder": Choice(
            modes,
            key="mode",
            exclude={"readout", "max_length"},
            extra={**_TOKENS, "max_length": _MAX_LENGTH},
            nullable=True,
            by_name="per_mode",
        ),
        "readout": Option(
            "readout",
            # Not `... | None`: as a value, it is an operation that type checkers do not know for Annotated.
            Optional[Annotated[Any, Named(readouts, exclude={"size", "mask_value", "vocabulary_size"})]],  # noqa: UP045
            None,
            "what an output is where targets are real values; `vectors` if not given.",
        ),
        "encoder_only": Options(EncoderOnly, exclude=_PARTS),
        "pretrained": Options(Pretrained),
        "training": Options(Training),
        "metrics": Option(
            "metrics",
            list[Annotated[Any, Named(text_metrics)]],
            [],
            "further metrics of generated texts, computed once, at the end of training.",
        ),
        "seed": Option("seed", NonNegative, 1, "seeds the initial weights, the order of the data and dropout."),
    }
)
"""What the configuration of a run may hold."""


def make_task(config: Mapping[str, Any]) -> Task:
    """The task of a resolved configuration.

    Raises:
        OptionError: the task refuses its options.
    """
    with errors_at("task", refusals=ValueError):
        return tasks.create(config["task"])


def make_model(config: Mapping[str, Any], data: Data | Series, max_length: int = 0) -> Seq2Seq | EncoderOnly:
    """The model of a resolved configuration, built for a task's data, with its initial weights.

    Args:
        config: the configuration.
        data: the task's data.
        max_length: the least `decoder.max_length` for tokens, if the configuration does not set it.

    Raises:
        OptionError: the configuration does not fit the data, or a part of the model refuses its options.
    """
    for broken, path, message in _rules(config, data):
        if broken:
            raise OptionError(path, message)
    vocabularies = (data.source, data.target) if isinstance(data, Data) else (None, None)
    with errors_at("encoder", refusals=ValueError):
        encoder = _encoder(config, data)
    if config["decoder"] is None:
        readout = _readout(config, data, {})
        with errors_at("encoder_only", refusals=ValueError):
            whole = data.targets == "label"
            model: Any = EncoderOnly(encoder, readout, whole, *vocabularies, **config["encoder_only"])
    else:
        options = dict(config["decoder"])
        token_options = {key: options.pop(key) for key in _TOKENS}
        if isinstance(data, Series):
            options["max_length"] = _max_length(data)
        elif options["max_length"] is None:
            options["max_length"] = max(_max_length(data), max_length)
        readout = _readout(config, data, token_options)
        with errors_at("decoder", refusals=ValueError):
            decoder = modes.create(options.pop("mode"), readout=readout, **options)
        model = Seq2Seq(encoder, decoder, *vocabularies)
    with errors_at("encoder_only" if config["decoder"] is None else "decoder"):
        model.build((None, None) if isinstance(data, Data) else (None, None, len(data.source)))
    return model


def _rules(config: Mapping[str, Any], data: Data | Series) -> Iterator[tuple[bool, Keys, str]]:
    """The rules that a configuration and its data must keep: `(whether it is broken, option, message)`.

    The first broken rule is the one to report, so a rule may rely on those before it.
    """
    task, encoder, decoder = config["task"]["name"], config["encoder"], config["decoder"]
    mode = decoder and decoder["mode"]
    series = isinstance(data, Series)
    has_sources = series or data.has_sources
    target = {"sequence": "a sequence of its own", "steps": "one output a step", "label": "one label"}[data.targets]

    # The targets decide whether there is a decoder.
    yield (
        data.targets == "sequence" and decoder is None,
        ("decoder",),
        f"a target of '{task}' is {target}: expected a mode, got null.",
    )
    yield (
        data.targets != "sequence" and decoder is not None,
        ("decoder",),
        f"a target of '{task}' is {target}: expected null, got a mode.",
    )
    # The sources decide whether there is an encoder.
    yield (
        has_sources and encoder is None,
        ("encoder",),
        f"'{task}' has sources: expected the encoder's options, got null.",
    )
    yield (
        not has_sources and encoder is not None,
        ("encoder",),
        f"'{task}' has no sources: set it to null.",
    )
    yield (
        encoder is None and decoder is None,
        ("task",),
        f"'{task}' has no sources to label: expected texts before the labels.",
    )
    yield (
        encoder is None and mode != "feedback",
        ("decoder", "mode"),
        f"must be 'feedback' without an encoder: a decoder has only its own outputs to read, got '{mode}'.",
    )
    yield (
        encoder is None and data.window is not None and bool(decoder and decoder["sampling"]),
        ("decoder", "sampling"),
        "is not for a stream, whose windows are read with teacher forcing: leave it out.",
    )
    # Without a decoder, the options of the encoder-only model apply; with one, they do not.
    changed = _changed(_ENCODER_ONLY, config["encoder_only"])
    yield (
        decoder is not None and bool(changed),
        ("encoder_only", *changed),
        "is for a model without a decoder: leave it out.",
    )
    # Tokens and real values have different readouts.
    readout = config["readout"]["name"] if isinstance(config["readout"], Mapping) else config["readout"]
    yield (
        not series and readout is not None,
        ("readout",),
        f"is for real values, and the targets of '{task}' are tokens: leave it out.",
    )
    yield (
        series and readout == "tokens",
        ("readout",),
        f"the targets of '{task}' are real values: expected vectors, gaussian or quantiles, got tokens.",
    )
    changed = _changed(_TOKENS, decoder or {})
    yield (
        series and bool(changed),
        ("decoder", *changed),
        f"is for tokens, and the targets of '{task}' are real values: leave it out.",
    )
    if isinstance(data, Series) and decoder is not None:
        longest = _max_length(data)
        yield (
            decoder["max_length"] not in (longest, None),
            ("decoder", "max_length"),
            f"is the length of the longest target of '{task}', {longest}, since real values have no end: leave it out, "
            f"got {decoder['max_length']}.",
        )


def _changed(options: Mapping[str, Option], values: Mapping[str, Any]) -> list[str]:
    """The first option whose value is not its default, in a list; empty where there is none."""
    return [key for key, option in options.items() if values.get(key, option.default) != option.default][:1]


def _max_length(data: Data | Series) -> int:
    """The largest number of outputs, if the configuration does not set it.

    Nothing ends a sequence of real values, so every output has the length of the longest target. Targets of tokens that
    have an end get some room, since dev, test and new texts may be longer than train.
    """
    if isinstance(data, Series):
        return max(len(row.target) for rows in data.splits.values() for row in rows)
    if data.window is not None:  # a stream has no end, and its length says nothing about its continuations
        return options_of(Decoder)["max_length"].default
    longest = int(data.lengths("train")[:, 1].max())
    return longest if data.end is None else math.ceil(1.25 * (longest + 1))


def _encoder(config: Mapping[str, Any], data: Data | Series) -> Any:
    if config["encoder"] is None:
        return NoEncoder()
    if isinstance(data, Series):
        return Encoder(mask_value=FILLING, **config["encoder"])
    return Encoder(vocabulary_size=len(data.source), unknown=data.source.unknown, **config["encoder"])


def _readout(config: Mapping[str, Any], data: Data | Series, token_options: Mapping[str, Any]) -> Readout:
    if isinstance(data, Data):
        with errors_at("decoder", refusals=ValueError):
            return Tokens(len(data.target), start=data.target.start, end=data.target.end, **token_options)
    with errors_at("readout", refusals=ValueError):
        return readouts.create(config["readout"] or "vectors", size=len(data.target), mask_value=FILLING)


def make_metrics(config: Mapping[str, Any], data: Data | Series) -> list[TextMetric]:
    """The further metrics of a resolved configuration.

    Raises:
        OptionError: the task has no generated texts to measure, or a package is not installed.
    """
    if config["metrics"] and not (isinstance(data, Data) and data.targets == "sequence" and data.has_sources):
        raise OptionError(
            ("metrics",), f"are of generated texts, and '{config['task']['name']}' has none: leave them out."
        )
    with errors_at("metrics", refusals=ValueError):
        return [text_metrics.create(each) for each in config["metrics"]]


def make_pretrained(config: Mapping[str, Any]) -> Pretrained:
    """The pretrained weights of a resolved configuration."""
    with errors_at("pretrained", refusals=ValueError):
        return Pretrained(**config["pretrained"])


def make_training(config: Mapping[str, Any]) -> Training:
    """The training of a resolved configuration."""
    with errors_at("training", refusals=ValueError):
        return Training(**config["training"])
