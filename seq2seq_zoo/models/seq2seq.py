"""An encoder and a decoder as one Keras model."""

import functools
from typing import Any

import keras
import numpy as np

from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoders.decoder import Decoder
from seq2seq_zoo.decoders.memory import Memory
from seq2seq_zoo.decoding.scorer import Scorer
from seq2seq_zoo.layers import losses  # noqa: F401  registers the losses that a saved model may have been compiled with
from seq2seq_zoo.layers.cells import States
from seq2seq_zoo.layers.encoder import Encoder, NoEncoder
from seq2seq_zoo.layers.readouts.readout import Readout, ReadoutLossModel
from seq2seq_zoo.models.batch_in_parts import BatchInParts
from seq2seq_zoo.models.stateful import StatefulLanguageModel
from seq2seq_zoo.models.text_model import TextModel
from seq2seq_zoo.models.vocabulary_model import check_ids

WINDOW = 1024
"""The number of tokens of a long text for which a language model computes logits at once."""


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Seq2Seq(ReadoutLossModel, TextModel):
    """An encoder and a decoder: compile, fit, evaluate, predict and save it like any Keras model.

    Train it by teacher forcing with `fit((sources, targets), targets)`: the decoder shifts the targets itself, and its
    outputs carry the mask that keeps padding out of losses and metrics. Without targets the decoder is free-running:
    `predict(sources)` returns the logits, `search(sources)` the ids and `generate(texts)` texts. If outputs are real
    values, `predict` returns them, and there is no search.

    Args:
        encoder: an `Encoder`, or a layer that returns an `Encoded`.
        decoder: a decoder of any mode.
        source_vocabulary: saved with the model, so that one file gives text in and text out.
        target_vocabulary: likewise for the targets.

    Call arguments:
        inputs: sources, ids `(batch, source length)` or vectors `(batch, source length, size)`; or a pair of sources
            and targets, for teacher forcing.
        return_attention_scores: whether to return the attention weights as well.
        training: whether to apply dropout and scheduled sampling.

    Returns:
        Logits `(batch, target length, vocabulary_size)`, or whatever else the readout puts out; see `Decoder`.

    Raises:
        ValueError: a vocabulary's size, start or end differs from that of its layer, or the layer has no vocabulary.

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
        # In caches, where Keras does not mistake them for sublayers.
        self._in_parts = functools.lru_cache(maxsize=1)(lambda optimizer, parts: BatchInParts(self, parts))
        self._window_scorer = functools.cache(lambda batch: Scorer(StatefulLanguageModel(self, batch)))

    def build(self, input_shape: Any) -> None:
        """Create the weights for sources of the given shape, or for sources and targets."""
        if isinstance(input_shape, dict):
            raise ValueError(
                f"{type(self).__name__} expects sources, or a pair (sources, targets), got a mapping with the keys "
                f"{', '.join(map(repr, input_shape))}. Pass its values as a tuple."
            )
        source = input_shape[0] if isinstance(input_shape[0], tuple | list) else input_shape
        if not self.encoder.built:
            self.encoder.build(tuple(source))
        if not self.decoder.built:
            self.decoder.build(self.encoder.compute_output_shape(tuple(source)))
        self.built = True

    def call(self, inputs: Any, return_attention_scores: bool = False, training: bool | None = None) -> Any:
        """Logits: with teacher forcing if there are targets, free-running otherwise."""
        source, targets = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        encoded = self.encoder(source, training=training)
        return self.decoder(encoded, targets, return_attention_scores=return_attention_scores, training=training)

    def score_ids(self, sources: Any, targets: Any) -> dict[str, np.ndarray]:
        """`TextModel.score_ids`; a language model scores a long text window by window, since the logits of a whole text
        may not fit into memory."""
        batch, length = np.shape(targets)[:2]
        if self.has_source or length <= WINDOW:
            return super().score_ids(sources, targets)
        check_ids("targets", targets, self.readout.vocabulary_size)
        scorer = self._window_scorer(batch)
        scorer.compile_at_once()  # the last window may be short
        scores = [
            scorer.predict_on_batch(
                {"sources": np.full((batch, 1), start > 0), "targets": targets[:, start : start + WINDOW]}
            )
            for start in range(0, length, WINDOW)
        ]
        return {name: np.concatenate([each[name] for each in scores], axis=1) for name in scores[0]}

    # === Training ===

    def in_parts(self, parts: int) -> keras.Model:
        """The Keras model that trains this compiled model, each batch in parts at the same time. TensorFlow only."""
        return self._in_parts(self.optimizer, parts)

    @property
    def has_independent_rows(self) -> bool:
        """Whether the loss of a batch is a mean over its targets that depends on nothing but their own rows."""
        return not self.losses and getattr(self.readout, "softmax_samples", None) is None

    # === What searches need ===

    def initialize(self, sources: Any) -> tuple[Memory, States]:
        """`Decoder.initialize` for the encoded sources."""
        return self.decoder.initialize(self.encoder(sources))

    def precompute(self, memory: Memory, steps: int) -> Memory:
        """`Decoder.precompute`."""
        return self.decoder.precompute(memory, steps)

    def step(self, previous: Any, states: States, memory: Memory) -> tuple[Any, States, Any]:
        """`Decoder.step`."""
        return self.decoder.step(previous, states, memory)

    @property
    def readout(self) -> Readout:
        """The readout of the decoder."""
        return self.decoder.readout

    @property
    def has_source(self) -> bool:
        """Whether there is a source; without one, this is a language model."""
        return not isinstance(self.encoder, NoEncoder)

    @property
    def has_attention(self) -> bool:
        """Whether the decoder attends to the source, and so has attention weights."""
        return self.decoder.has_attention

    @property
    def max_length(self) -> int:
        """The largest number of outputs of a free-running pass."""
        return self.decoder.max_length

    @property
    def step_policy(self) -> Any:
        """The dtype policy of the decoder."""
        return self.decoder.dtype_policy

    # === Keras ===

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "TextModel":
        """The model with the arguments that `get_config` returned."""
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
                f"The {side} vocabulary has no use: this {type(layer).__name__} is for vectors, not for ids. Leave it "
                f"out."
            )
        if own != needed:
            raise ValueError(
                f"The {side} vocabulary does not fit {type(layer).__name__}: {what} is {own} in the vocabulary and "
                f"{needed} in the layer. Build the layer with the sizes and ids of its vocabulary."
            )
