"""Four recurrent sequence-to-sequence decoders in Keras 3, and an honest comparison of them.

Importing the package imports no backend; the first use of a name that needs one does.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq_zoo import decoders as decoders
    from seq2seq_zoo.decoders import AttentionDecoder as AttentionDecoder
    from seq2seq_zoo.decoders import BasicDecoder as BasicDecoder
    from seq2seq_zoo.decoders import FeedbackDecoder as FeedbackDecoder
    from seq2seq_zoo.decoders import PeekDecoder as PeekDecoder
    from seq2seq_zoo.ensemble import Ensemble as Ensemble
    from seq2seq_zoo.ensemble import average as average
    from seq2seq_zoo.labeller import Labeller as Labeller
    from seq2seq_zoo.layers.decoder import Decoder as Decoder
    from seq2seq_zoo.layers.encoder import Encoded as Encoded
    from seq2seq_zoo.layers.encoder import Encoder as Encoder
    from seq2seq_zoo.layers.encoder import Nothing as Nothing
    from seq2seq_zoo.layers.readout import Gaussian as Gaussian
    from seq2seq_zoo.layers.readout import Quantiles as Quantiles
    from seq2seq_zoo.layers.readout import Tokens as Tokens
    from seq2seq_zoo.layers.readout import Vectors as Vectors
    from seq2seq_zoo.loading import load as load
    from seq2seq_zoo.model import Seq2Seq as Seq2Seq

_HOMES = {
    "AttentionDecoder": "decoders",
    "BasicDecoder": "decoders",
    "Decoder": "layers.decoder",
    "Encoded": "layers.encoder",
    "Encoder": "layers.encoder",
    "Ensemble": "ensemble",
    "FeedbackDecoder": "decoders",
    "Gaussian": "layers.readout",
    "Labeller": "labeller",
    "Nothing": "layers.encoder",
    "PeekDecoder": "decoders",
    "Quantiles": "layers.readout",
    "Seq2Seq": "model",
    "Tokens": "layers.readout",
    "Vectors": "layers.readout",
    "average": "ensemble",
    "load": "loading",
}

__all__ = ["decoders", *_HOMES]


def __getattr__(name: str) -> Any:
    if name == "decoders":
        return importlib.import_module("seq2seq_zoo.decoders")
    if name in _HOMES:
        return getattr(importlib.import_module(f"seq2seq_zoo.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'seq2seq_zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
