"""An encoder and a decoder as one Keras model."""

import functools
from typing import Any

import keras
import numpy as np

from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoders.decoder import Decoder, Memory
from seq2seq_zoo.decoding import Scorer
from seq2seq_zoo.layers import losses  # noqa: F401  a saved model may have been compiled with ours
from seq2seq_zoo.layers.cells import States
from seq2seq_zoo.layers.encoder import Encoder, NoEncoder
from seq2seq_zoo.layers.readouts.readout import Readout, ReadoutLossModel
from seq2seq_zoo.models.stateful import Stream
from seq2seq_zoo.models.text_model import TextModel, compiled

WINDOW = 1024
"""Tokens of a long text that a language model reads at once."""


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Seq2Seq(ReadoutLossModel, TextModel):
    """An encoder and a decoder: compile, fit, evaluate, predict and save as any Keras model.

    Train with `fit((sources, targets), targets)`: the decoder shifts the targets itself, and its outputs carry the
    mask that keeps padding out of losses and metrics. Without targets the model runs freely: `predict(sources)` gives
    the logits of a free run, `search(sources)` the ids themselves, and `generate(texts)` texts. Where outputs are
    vectors, `predict` gives them, and there is nothing to search for.

    Args:
        encoder: an `Encoder`, or a layer that returns an `Encoded`.
        decoder: a decoder of any mode.
        source_vocabulary: saved with the model, so that one file gives text in and text out.
        target_vocabulary: the same for the target side.

    Call arguments:
        inputs: sources, ids `(batch, source length)` or vectors, or a pair of sources and targets.
        return_attention_scores: whether to return attention weights as well.
        training: whether to drop out and to sample by schedule.

    Returns:
        Logits `(batch, target length, vocabulary_size)`, or what the readout puts out instead; see `Decoder`.

    Raises:
        ValueError: a vocabulary whose size, start or end is not that of the layer that its ids are for, or for vectors.

    Example:

    >>> import keras, numpy as np
    >>> from seq2seq_zoo import AttentionDecoder, Encoder, Seq2Seq, Tokens
    >>> sources = np.array([[4, 5, 6], [5, 4, 0]])
    >>> targets = np.array([[6, 5, 4, 2], [4, 5, 2, 0]])  # 2 ends, 0 pads
    >>> model = Seq2Seq(Encoder(16, vocabulary_size=7), AttentionDecoder(16, readout=Tokens(7)))
    >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> history = model.fit((sources, targets), targets, epochs=1, verbose=0)
    >>> model.search(sources, {"name": "beam", "size": 3, "max_length": 5}).ids.shape
    (2, 1, 5)
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        source_vocabulary: Vocabulary | None = None,
        target_vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ):
        _check_fit("source", source_vocabulary, encoder)
        _check_fit("target", target_vocabulary, decoder.readout)
        super().__init__(source_vocabulary, target_vocabulary, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self._reader = functools.cache(lambda batch: compiled(Scorer(Stream(self, batch))))

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

    def score_ids(self, sources: Any, targets: Any) -> dict[str, np.ndarray]:
        """As every model's; a language model reads a long text window by window, since all its logits are large."""
        batch, length = np.shape(targets)[:2]
        if self.has_source or length <= WINDOW:
            return super().score_ids(sources, targets)
        scorer = self._reader(batch)
        found = [
            scorer.predict_on_batch((np.full((batch, 1), start > 0), targets[:, start : start + WINDOW]))
            for start in range(0, length, WINDOW)
        ]
        return {what: np.concatenate([each[what] for each in found], axis=1) for what in found[0]}

    # === What searches need ===

    def initialize(self, sources: Any) -> tuple[Memory, States]:
        """What the sources are decoded with: `Decoder.initialize` of what the encoder made of them."""
        return self.decoder.initialize(self.encoder(sources))

    def precompute(self, memory: Memory, steps: int) -> Memory:
        """`Decoder.precompute`."""
        return self.decoder.precompute(memory, steps)

    def step(self, previous: Any, states: States, memory: Memory) -> tuple[Any, States, Any]:
        """`Decoder.step`."""
        return self.decoder.step(previous, states, memory)

    @property
    def readout(self) -> Readout:
        """The decoder's."""
        return self.decoder.readout

    @property
    def has_source(self) -> bool:
        """Whether there is a source; without one, this is a language model."""
        return not isinstance(self.encoder, NoEncoder)

    @property
    def has_attention(self) -> bool:
        """Whether the decoder looks at the source, and so has attention weights."""
        return self.decoder.has_attention

    @property
    def max_length(self) -> int:
        """The decoder's."""
        return self.decoder.max_length

    @property
    def step_policy(self) -> Any:
        """The decoder's precision."""
        return self.decoder.dtype_policy

    # === Keras ===

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "TextModel":
        """The model of a `get_config`."""
        parts = {
            part: keras.saving.deserialize_keras_object(config[part], custom_objects) for part in ("encoder", "decoder")
        }
        return super().from_config({**config, **parts}, custom_objects)


def _check_fit(side: str, vocabulary: Vocabulary | None, layer: Any) -> None:
    if vocabulary is None:
        return
    for what, own in (("vocabulary_size", len(vocabulary)), ("start", vocabulary.start), ("end", vocabulary.end)):
        needed = getattr(layer, what, own)
        if what == "vocabulary_size" and needed is None:
            raise ValueError(
                f"The {side} vocabulary has nothing to name: {type(layer).__name__} is here for vectors, not for ids. "
                f"Leave it out."
            )
        if own != needed:
            raise ValueError(
                f"The {side} vocabulary does not fit {type(layer).__name__}: {what} is {own} for the one and {needed} "
                f"for the other."
            )
