"""Where a configuration meets constructors."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Optional

from seq2seq_zoo.config.options import Named, NonNegative, Option, options_of
from seq2seq_zoo.config.schema import Choice, Options, Schema
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

# What the task's vocabularies decide, a configuration cannot.
_OUTPUTS = options_of(Tokens, exclude={"vocabulary_size", "start", "end"})
_PARTS = {"encoder", "readout", "whole", "source_vocabulary", "target_vocabulary"}
_ENCODER_ONLY = options_of(EncoderOnly, exclude=_PARTS)

schema = Schema(
    {
        "task": Choice(tasks, key="name"),
        "encoder": Options(Encoder, exclude={"vocabulary_size", "mask_value", "unknown"}, nullable=True),
        "decoder": Choice(modes, key="mode", exclude={"readout"}, extra=_OUTPUTS, nullable=True),
        "readout": Option(
            "readout",
            Optional[Annotated[Any, Named(readouts, exclude={"size", "mask_value", "vocabulary_size"})]],  # noqa: UP045
            None,
            "what an output is, where targets are real values: `vectors` if not given.",
        ),
        "encoder_only": Options(EncoderOnly, exclude=_PARTS),
        "pretrained": Options(Pretrained),
        "training": Options(Training),
        "metrics": Option(
            "metrics",
            list[Annotated[Any, Named(text_metrics)]],
            [],
            "by which generated texts are measured in the end, besides those by which every text is.",
        ),
        "seed": Option("seed", NonNegative, 1, "of the first weights, the order of the data and dropout."),
    }
)
"""What a configuration of a run holds."""


def make_task(config: Mapping[str, Any]) -> Task:
    """The task of a resolved configuration."""
    return tasks.create(config["task"])


def make_model(config: Mapping[str, Any], data: Data | Series) -> Seq2Seq | EncoderOnly:
    """The model of a resolved configuration, untrained and built, for what a task's data looks like.

    Raises:
        ValueError: the configuration and the data do not go together.
    """
    name = config["task"]["name"]
    texts = isinstance(data, Data)
    vocabularies = (data.source, data.target) if isinstance(data, Data) else (None, None)
    if (config["decoder"] is None) != (data.targets != "sequence"):
        found, wanted = ("null", "a mode") if config["decoder"] is None else ("a mode", "null")
        kinds = {"sequence": "a sequence of its own", "steps": "one thing a step", "label": "one label"}
        raise ValueError(f"decoder: a target of '{name}' is {kinds[data.targets]}: expected {wanted}, got {found}.")
    encoder = _encoder(config, data)
    if config["decoder"] is None:
        whole = data.targets == "label"
        readout = _readout(config, data, {})
        with _of("encoder_only"):
            model: Any = EncoderOnly(encoder, readout, whole, *vocabularies, **config["encoder_only"])
    else:
        for key, value in config["encoder_only"].items():
            if value != _ENCODER_ONLY[key].default:
                raise ValueError(f"encoder_only.{key}: is for a model without a decoder: leave it out.")
        arguments = dict(config["decoder"])
        outputs = {key: arguments.pop(key) for key in _OUTPUTS}
        if isinstance(data, Series):
            arguments["max_length"] = _length(config, data)
        decoder = modes.create(arguments.pop("mode"), readout=_readout(config, data, outputs), **arguments)
        model = Seq2Seq(encoder, decoder, *vocabularies)
    model.build((None, None) if texts else (None, None, len(data.source)))
    return model


def _encoder(config: Mapping[str, Any], data: Data | Series) -> Any:
    name, options = config["task"]["name"], config["encoder"]
    if not isinstance(data, Data):
        if options is None:
            raise ValueError(f"encoder: '{name}' has sources: expected the encoder's options, got null.")
        return Encoder(mask_value=FILLING, **options)
    if (options is None) == data.has_sources:
        what = "sources: expected the encoder's options, got null" if data.has_sources else "no sources: set it to null"
        raise ValueError(f"encoder: '{name}' has {what}.")
    if options is None:
        if config["decoder"] is None:
            raise ValueError(f"task: '{name}' has no sources to label: expected texts before the labels.")
        if config["decoder"]["mode"] != "feedback":
            raise ValueError(
                f"decoder.mode: with nothing to read but its own output, a decoder is of mode 'feedback', got "
                f"'{config['decoder']['mode']}'."
            )
        if data.window is not None and config["decoder"]["sampling"] is not None:
            raise ValueError("decoder.sampling: every window of a stream is told what came before: leave it out.")
        return NoEncoder()
    return Encoder(vocabulary_size=len(data.source), unknown=data.source.unknown, **options)


def _length(config: Mapping[str, Any], data: Series) -> int:
    """Of a free run: nothing ends a sequence of real values, so all have the length of the longest target."""
    longest = max(len(row.target) for rows in data.splits.values() for row in rows)
    given = config["decoder"]["max_length"]
    if given not in (longest, options_of(Decoder)["max_length"].default):
        raise ValueError(
            f"decoder.max_length: is the length of the longest target of '{config['task']['name']}', {longest}, since "
            f"real values have no end: leave it out, got {given}."
        )
    return longest


def _readout(config: Mapping[str, Any], data: Data | Series, outputs: Mapping[str, Any]) -> Readout:
    chosen, name = config["readout"], config["task"]["name"]
    if isinstance(data, Data):
        if chosen is not None:
            raise ValueError(f"readout: is for real values, and the targets of '{name}' are tokens: leave it out.")
        return Tokens(len(data.target), start=data.target.start, end=data.target.end, **outputs)
    for key, value in outputs.items():
        if value != _OUTPUTS[key].default:
            raise ValueError(
                f"decoder.{key}: is for tokens, and the targets of '{name}' are real values: leave it out."
            )
    kind = chosen["name"] if isinstance(chosen, Mapping) else chosen
    if kind == "tokens":
        raise ValueError(
            f"readout: the targets of '{name}' are real values: expected vectors, gaussian or quantiles, got tokens."
        )
    with _of("readout"):
        return readouts.create(chosen or "vectors", size=len(data.target), mask_value=FILLING)


@contextlib.contextmanager
def _of(section: str) -> Iterator[None]:
    """What a part of the model refuses, with the section that it comes from."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{section}: {error}") from error


def make_metrics(config: Mapping[str, Any], data: Data | Series) -> list[TextMetric]:
    """The further metrics of a resolved configuration.

    Raises:
        ValueError: a package is not installed; or there are no generated texts to measure.
    """
    if config["metrics"] and not (isinstance(data, Data) and data.targets == "sequence" and data.has_sources):
        raise ValueError(f"are of generated texts, and '{config['task']['name']}' has none: leave them out.")
    return [text_metrics.create(each) for each in config["metrics"]]


def make_pretrained(config: Mapping[str, Any]) -> Pretrained:
    """The weights to begin with of a resolved configuration."""
    return Pretrained(**config["pretrained"])


def make_training(config: Mapping[str, Any]) -> Training:
    """The training of a resolved configuration."""
    return Training(**config["training"])
