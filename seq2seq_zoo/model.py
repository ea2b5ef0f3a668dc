"""An encoder and a decoder as one Keras model."""

import functools
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from seq2seq_zoo import losses  # noqa: F401  a saved model may have been compiled with ours
from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.decoding.greedy import Generated, Greedy
from seq2seq_zoo.layers.decoder import Decoder
from seq2seq_zoo.layers.encoder import Encoder


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Seq2Seq(keras.Model):
    """An encoder and a decoder: compile, fit, evaluate, predict and save as any Keras model.

    Train with `fit((sources, targets), targets)`: the decoder shifts the targets itself, and its outputs carry the
    mask that keeps padding out of losses and metrics. Without targets the model runs freely: `predict(sources)` gives
    the logits of a free run, `search(sources)` the ids themselves, and `generate(texts)` texts.

    Args:
        encoder: an `Encoder`, or a layer that returns an `Encoded`.
        decoder: a decoder of any mode.
        source_vocabulary: saved with the model, so that one file gives text in and text out.
        target_vocabulary: the same for the target side.

    Call arguments:
        inputs: sources `(batch, source length)`, or a pair of sources and targets.
        return_attention_scores: whether to return attention weights as well.
        training: whether to drop out and to sample by schedule.

    Returns:
        Logits `(batch, target length, vocabulary_size)`; see `Decoder`.

    Example:

    >>> import keras, numpy as np
    >>> from seq2seq_zoo import AttentionDecoder, Encoder, Seq2Seq, Tokens
    >>> sources = np.array([[4, 5, 6], [5, 4, 0]])
    >>> targets = np.array([[6, 5, 4, 2], [4, 5, 2, 0]])  # 2 ends, 0 pads
    >>> model = Seq2Seq(Encoder(16, vocabulary_size=7), AttentionDecoder(16, readout=Tokens(7)))
    >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> history = model.fit((sources, targets), targets, epochs=1, verbose=0)
    >>> model.search(sources, max_length=5).ids.shape
    (2, 5)
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        source_vocabulary: Vocabulary | None = None,
        target_vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary
        # In a cache, where Keras does not take a search for a sublayer.
        self._greedy = functools.cache(lambda max_length: Greedy(self, max_length))

    def build(self, input_shape: Any) -> None:
        """Create the weights for sources of the given shape, or for sources and targets."""
        source = input_shape[0] if isinstance(input_shape[0], tuple | list) else input_shape
        if not self.encoder.built:
            self.encoder.build(tuple(source))
        if not self.decoder.built:
            self.decoder.build(self.encoder.compute_output_shape(tuple(source)))
        self.built = True

    def call(self, inputs: Any, return_attention_scores: bool = False, training: bool | None = None) -> Any:
        """Logits, forced where targets are given."""
        source, targets = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        encoded = self.encoder(source, training=training)
        return self.decoder(encoded, targets, return_attention_scores=return_attention_scores, training=training)

    @property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """The source's and the target's.

        Raises:
            ValueError: the model has none.
        """
        if self.source_vocabulary is None or self.target_vocabulary is None:
            raise ValueError("This model has no vocabularies, so it has no texts: give it ids (`search`).")
        return self.source_vocabulary, self.target_vocabulary

    def search(self, sources: Any, max_length: int | None = None) -> Generated:
        """Greedy search over ids.

        Args:
            sources: ids `(batch, source length)`.
            max_length: the most outputs; the decoder's `max_length` if not given.

        Returns:
            A `Generated` of numpy arrays.
        """
        return Generated(**self._greedy(max_length or self.decoder.max_length).predict_on_batch(sources))

    def generate(self, sources: Sequence[str], max_length: int | None = None, batch_size: int = 64) -> list[str]:
        """Text in, text out, by greedy search.

        Args:
            sources: texts, cut into symbols as the source vocabulary does.
            max_length: the most output symbols; the decoder's `max_length` if not given.
            batch_size: texts searched at once; changes no result.

        Raises:
            ValueError: the model has no vocabularies.
        """
        outputs = self.generate_symbols(sources, max_length, batch_size)
        return [self.vocabularies[1].join(symbols) for symbols in outputs]

    def generate_symbols(
        self, sources: Sequence[str], max_length: int | None = None, batch_size: int = 64
    ) -> list[list[str]]:
        """`generate`, but the symbols of each output rather than its text."""
        source_vocabulary, target_vocabulary = self.vocabularies
        encoded = [source_vocabulary.encode(source) for source in sources]
        # Few shapes, since each is compiled: full batches (the last one filled up), lengths that grow by doubling.
        lengths = [_rounded(len(ids)) for ids in encoded]
        batch_size = min(batch_size, _rounded(len(sources)))
        order = sorted(range(len(sources)), key=lengths.__getitem__)
        outputs: list[list[str]] = [[]] * len(sources)
        for length in dict.fromkeys(lengths[row] for row in order):
            rows = [row for row in order if lengths[row] == length]
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                filled = [encoded[row] for row in batch] + [[]] * (batch_size - len(batch))
                found = self.search(pad(filled, length), max_length).ids
                for row, ids in zip(batch, found, strict=False):
                    outputs[row] = target_vocabulary.symbols_of(ids.tolist())
        return outputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "source_vocabulary": self.source_vocabulary and self.source_vocabulary.get_config(),
            "target_vocabulary": self.target_vocabulary and self.target_vocabulary.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Seq2Seq":
        """The model of a `get_config`."""
        config = dict(config)
        for part in ("encoder", "decoder"):
            config[part] = keras.saving.deserialize_keras_object(config[part], custom_objects)
        for side in ("source_vocabulary", "target_vocabulary"):
            config[side] = config[side] and Vocabulary.from_config(config[side])
        return cls(**config)


class ModelFileError(ValueError):
    """A file that holds no model of ours."""


def load(path: str | os.PathLike[str]) -> Seq2Seq:
    """A saved model.

    Args:
        path: a `.keras` file, or a run directory, whose best model is meant.

    Raises:
        ModelFileError: there is no such file, or it is not a `Seq2Seq` that Keras can read safely.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "best.keras"
    if not path.exists():
        raise ModelFileError(f"{path}: there is no such file: expected a model (.keras) or a run directory with one.")
    if not zipfile.is_zipfile(path):
        raise ModelFileError(f"{path}: not a model: expected a .keras file.")
    modes.load_entry_points()  # other packages' modes register before their names are looked up
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # whatever a broken file sets off in Keras
        # Of Keras's pages, the first sentence of what it puts last.
        reason = str(error).rpartition("Exception encountered: ")[2].strip().partition("\n")[0].partition(". ")[0]
        raise ModelFileError(f"{path}: not a model that can be read: {reason.rstrip('.')}.") from error
    if not isinstance(model, Seq2Seq):
        raise ModelFileError(f"{path}: expected a Seq2Seq, found a {type(model).__name__}.")
    return model


def _rounded(count: int) -> int:
    """The next power of two, and at least 8."""
    return max(8, 1 << (count - 1).bit_length())
