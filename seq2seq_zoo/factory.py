"""Where a configuration meets constructors."""

from collections.abc import Mapping
from typing import Any

from seq2seq_zoo.config import Choice, Options, Schema
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.layers.encoder import Encoder
from seq2seq_zoo.layers.readout import Tokens
from seq2seq_zoo.model import Seq2Seq
from seq2seq_zoo.options import NonNegative, Option, options_of
from seq2seq_zoo.tasks import tasks
from seq2seq_zoo.tasks.task import Data, Task
from seq2seq_zoo.training import Training

# What the task's vocabularies decide, a configuration cannot.
_OUTPUTS = options_of(Tokens, exclude={"vocabulary_size", "start", "end"})

schema = Schema(
    {
        "task": Choice(tasks, key="name"),
        "encoder": Options(Encoder, exclude={"vocabulary_size"}),
        "decoder": Choice(modes, key="mode", exclude={"readout"}, extra=_OUTPUTS),
        "training": Options(Training),
        "seed": Option("seed", NonNegative, 1, "of the first weights, the order of the data and dropout."),
    }
)
"""What a configuration of a run holds."""


def make_task(config: Mapping[str, Any]) -> Task:
    """The task of a resolved configuration."""
    return tasks.create(config["task"])


def make_model(config: Mapping[str, Any], data: Data) -> Seq2Seq:
    """The model of a resolved configuration, untrained and built, for a task's vocabularies."""
    arguments = dict(config["decoder"])
    readout = Tokens(
        len(data.target),
        start=data.target.start,
        end=data.target.end,
        **{key: arguments.pop(key) for key in _OUTPUTS},
    )
    model = Seq2Seq(
        Encoder(vocabulary_size=len(data.source), **config["encoder"]),
        modes.create(arguments.pop("mode"), readout=readout, **arguments),
        data.source,
        data.target,
    )
    model.build((None, None))
    return model


def make_training(config: Mapping[str, Any]) -> Training:
    """The training of a resolved configuration."""
    return Training(**config["training"])
