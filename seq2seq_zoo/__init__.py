"""Four recurrent sequence-to-sequence decoders in Keras 3, and an honest comparison of them.

Importing the package imports no backend; the first use of a name that needs one does. Once Keras is imported, before or
after, `keras.saving.load_model` knows every layer and model of the package.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook

if TYPE_CHECKING:
    from seq2seq_zoo import decoders as decoders
    from seq2seq_zoo.decoders import AttentionDecoder as AttentionDecoder
    from seq2seq_zoo.decoders import BasicDecoder as BasicDecoder
    from seq2seq_zoo.decoders import FeedbackDecoder as FeedbackDecoder
    from seq2seq_zoo.decoders import PeekDecoder as PeekDecoder
    from seq2seq_zoo.decoders.decoder import Decoder as Decoder
    from seq2seq_zoo.layers.encoder import Encoded as Encoded
    from seq2seq_zoo.layers.encoder import Encoder as Encoder
    from seq2seq_zoo.layers.encoder import NoEncoder as NoEncoder
    from seq2seq_zoo.layers.readouts.real_values import Gaussian as Gaussian
    from seq2seq_zoo.layers.readouts.real_values import Quantiles as Quantiles
    from seq2seq_zoo.layers.readouts.real_values import Vectors as Vectors
    from seq2seq_zoo.layers.readouts.tokens import Tokens as Tokens
    from seq2seq_zoo.models.encoder_only import EncoderOnly as EncoderOnly
    from seq2seq_zoo.models.ensemble import Ensemble as Ensemble
    from seq2seq_zoo.models.ensemble import average as average
    from seq2seq_zoo.models.loading import load as load
    from seq2seq_zoo.models.seq2seq import Seq2Seq as Seq2Seq
    from seq2seq_zoo.pronouncer import Pronouncer as Pronouncer

_MODULES = {
    "AttentionDecoder": "decoders",
    "BasicDecoder": "decoders",
    "Decoder": "decoders.decoder",
    "Encoded": "layers.encoder",
    "Encoder": "layers.encoder",
    "EncoderOnly": "models.encoder_only",
    "Ensemble": "models.ensemble",
    "FeedbackDecoder": "decoders",
    "Gaussian": "layers.readouts.real_values",
    "NoEncoder": "layers.encoder",
    "PeekDecoder": "decoders",
    "Pronouncer": "pronouncer",
    "Quantiles": "layers.readouts.real_values",
    "Seq2Seq": "models.seq2seq",
    "Tokens": "layers.readouts.tokens",
    "Vectors": "layers.readouts.real_values",
    "average": "models.ensemble",
    "load": "models.loading",
}

__all__ = ["decoders", *_MODULES]


# Keras finds a class in a saved model only if it is registered. At once if Keras is imported already, else when it is.
register_post_import_hook(lambda keras: importlib.import_module("seq2seq_zoo.models.serializable"), "keras")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("seq2seq-zoo")
    if name == "decoders":
        return importlib.import_module("seq2seq_zoo.decoders")
    if name in _MODULES:
        return getattr(importlib.import_module(f"seq2seq_zoo.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'seq2seq_zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
