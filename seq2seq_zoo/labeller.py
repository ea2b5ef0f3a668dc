"""An encoder with a readout and no decoder: something for each step of a source, or one label for all of it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seq2seq_zoo.data.padding import few_shapes
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.layers.encoder import Encoder
from seq2seq_zoo.layers.readout import Masked, Readout


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Labeller(keras.Model):
    """An encoder whose outputs are read out themselves: sequence labelling, frame-wise regression, classification.

        y[t] = readout(H[t]),  or  y = readout(c)  for the whole source

    Train with `fit(sources, targets)`; padding is left out of losses and metrics by the mask that the outputs carry.

    Args:
        encoder: an `Encoder`.
        readout: what an output is.
        whole: whether there is one output for the whole source, rather than one for each step.
        source_vocabulary: saved with the model, so that one file gives text in and labels out.
        target_vocabulary: the same for the labels.

    Call arguments:
        inputs: sources, as the encoder takes them.
        training: whether to drop out.

    Returns:
        Outputs `(batch, source length, size)`, or `(batch, size)` for the whole source: logits, or what else the
        readout gives.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import Encoder, Labeller, Vectors
    >>> model = Labeller(Encoder(8, bidirectional=True), Vectors(3))
    >>> model(np.zeros((2, 5, 4), "float32")).shape
    TensorShape([2, 5, 3])

    Reference:
        Graves and Schmidhuber 2005, "Framewise phoneme classification with bidirectional LSTM and other neural network
        architectures", section 3.
    """

    def __init__(
        self,
        encoder: Encoder,
        readout: Readout,
        whole: bool = False,
        source_vocabulary: Vocabulary | None = None,
        target_vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.readout = readout
        self.whole = whole
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary
        self.masked = Masked(name="masked", dtype="float32", autocast=False)

    def build(self, input_shape: Any) -> None:
        """Create the weights for sources of the given shape."""
        if not self.encoder.built:
            self.encoder.build(tuple(input_shape))
        if not self.readout.built:
            self.readout.build(self.encoder.compute_output_shape(tuple(input_shape)).summary[-1], feeds_back=False)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Read the source, and read out."""
        encoded = self.encoder(inputs, training=training)
        if self.whole:
            return self.masked((self.readout.read(encoded.summary), ops.any(encoded.mask, axis=1)))
        return self.masked((self.readout.read(encoded.sequence), encoded.mask))

    def labels(self, sources: Sequence[str], batch_size: int = 64) -> list[list[str]]:
        """The likeliest labels of each text: one for each of its symbols, or one for the whole text.

        Args:
            sources: texts, cut into symbols as the source vocabulary does.
            batch_size: texts read at once; changes no result.

        Raises:
            ValueError: the model has no vocabularies.
        """
        if self.source_vocabulary is None or self.target_vocabulary is None:
            raise ValueError("This model has no vocabularies, so it has no texts: give it ids (`predict`).")
        found: dict[int, list[str]] = {}
        encoded = [self.source_vocabulary.encode(source) for source in sources]
        for rows, (ids,) in few_shapes([encoded], batch_size):
            chosen = np.asarray(self.readout.choose(self.predict_on_batch(ids)))
            for row, choice in zip(rows, chosen, strict=False):
                said = [choice] if self.whole else choice[: len(encoded[row])]
                found[row] = [self.target_vocabulary.symbols[id] for id in said]
        return [found[row] for row in range(len(sources))]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "readout": keras.saving.serialize_keras_object(self.readout),
            "whole": self.whole,
            "source_vocabulary": self.source_vocabulary and self.source_vocabulary.get_config(),
            "target_vocabulary": self.target_vocabulary and self.target_vocabulary.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Labeller":
        """The model of a `get_config`."""
        config = dict(config)
        for part in ("encoder", "readout"):
            config[part] = keras.saving.deserialize_keras_object(config[part], custom_objects)
        for side in ("source_vocabulary", "target_vocabulary"):
            config[side] = config[side] and Vocabulary.from_config(config[side])
        return cls(**config)
