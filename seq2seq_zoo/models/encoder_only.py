"""An encoder with a readout and no decoder: something for each step of a source, or one label for all of it."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seq2seq_zoo.config.options import NonNegativeFloat, checked, config_of
from seq2seq_zoo.data.padding import few_shapes
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.layers.encoder import Encoder
from seq2seq_zoo.layers.losses import SmoothedCrossentropy
from seq2seq_zoo.layers.readouts.readout import Readout, WithMask
from seq2seq_zoo.layers.readouts.tokens import Tokens
from seq2seq_zoo.models.text_model import Hypothesis, Prediction, serialized


@keras.saving.register_keras_serializable("seq2seq_zoo")
class EncoderOnly(keras.Model):
    """An encoder whose outputs are read out themselves: sequence labelling, frame-wise regression, classification.

        y[t] = readout(H[t]),  or  y = readout(c)  for the whole source

    Train with `fit(sources, targets)`; padding is left out of losses and metrics by the mask that the outputs carry.
    Two options change what is trained with, and nothing of what the model says:

        linear gain:     loss = sum over t of w[t] * loss(readout(H[t]), y) / sum over t of w[t],  w[t] = (t-1) / (T-1)
        joint training:  loss = the labels' loss + joint_weight * -log p(x[t+1] | H[t]), the mean over t

    Args:
        encoder: an `Encoder`.
        readout: what an output is.
        whole: whether there is one output for the whole source, rather than one for each step.
        source_vocabulary: saved with the model, so that one file gives text in and labels out.
        target_vocabulary: the same for the labels.
        linear_gain: whether the label of a whole source is asked for at every step in training, by weights that grow
            linearly from 0 at the first to 1 at the last.
        joint_weight: how much it counts in training, beside the labels, to foretell each next token of the source; 0
            for not at all.

    Call arguments:
        inputs: sources, as the encoder takes them.
        training: whether to drop out.

    Returns:
        Outputs `(batch, source length, size)`, or `(batch, size)` for the whole source: logits, or what else the
        readout gives. In training with linear gain or joint training, beside them `H` and its mask, for `compute_loss`.

    Raises:
        ValueError: linear gain without one label for the whole source, or joint training of a source of vectors; either
            of the two with an encoder of two directions.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import Encoder, EncoderOnly, Vectors
    >>> model = EncoderOnly(Encoder(8, bidirectional=True), Vectors(3))
    >>> model(np.zeros((2, 5, 4), "float32")).shape
    TensorShape([2, 5, 3])

    Reference:
        Graves and Schmidhuber 2005, "Framewise phoneme classification with bidirectional LSTM and other neural network
        architectures", section 3. Linear gain and joint training: Dai and Le 2015, arXiv:1511.01432, section 3.
    """

    @checked
    def __init__(
        self,
        encoder: Encoder,
        readout: Readout,
        whole: bool = False,
        source_vocabulary: Vocabulary | None = None,
        target_vocabulary: Vocabulary | None = None,
        linear_gain: bool = False,
        joint_weight: NonNegativeFloat = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if linear_gain and not whole:
            raise ValueError("linear_gain is for one label of a whole source, and here each step has its own.")
        if joint_weight and encoder.vocabulary_size is None:
            raise ValueError(f"joint_weight={joint_weight} is for sources of tokens, but this encoder reads vectors.")
        if (linear_gain or joint_weight) and encoder.bidirectional:
            option = "linear_gain" if linear_gain else f"joint_weight={joint_weight}"
            raise ValueError(
                f"{option} needs an encoder that reads in one direction: with bidirectional=True a step knows what "
                "comes after it."
            )
        self.encoder = encoder
        self.readout = readout
        self.whole = whole
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary
        self.linear_gain = linear_gain
        self.joint_weight = joint_weight
        self.language = None
        if joint_weight:
            self.language = Tokens(encoder.vocabulary_size, start=None, end=None, name="language")
        self.masked = WithMask(name="masked", dtype="float32", autocast=False)

    def build(self, input_shape: Any) -> None:
        """Create the weights for sources of the given shape."""
        if not self.encoder.built:
            self.encoder.build(tuple(input_shape))
        for readout in (self.readout, self.language):
            if readout is not None and not readout.built:
                readout.build(self.encoder.compute_output_shape(tuple(input_shape)).summary[-1], feeds_back=False)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Read the source, and read out."""
        encoded = self.encoder(inputs, training=training)
        if self.whole:
            outputs = self.masked((self.readout.read(encoded.summary), ops.any(encoded.mask, axis=1)))
        else:
            outputs = self.masked((self.readout.read(encoded.sequence), encoded.mask))
        if training and (self.linear_gain or self.joint_weight):
            return outputs, encoded.sequence, encoded.mask
        return outputs

    # === Training ===

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Keras's loss, and what linear gain and joint training make of it."""
        if not isinstance(y_pred, tuple):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        outputs, sequence, mask = y_pred
        if self.linear_gain:
            outputs = self.readout.read(sequence)
            y = ops.broadcast_to(ops.expand_dims(y, 1), (*ops.shape(mask), *y.shape[1:]))
            gain = _linear_gain(mask)
            sample_weight = gain if sample_weight is None else ops.multiply(gain, ops.expand_dims(sample_weight, 1))
        loss = super().compute_loss(x, y, outputs, sample_weight, training)
        if self.language is not None:
            both = ops.logical_and(mask[:, :-1], mask[:, 1:])
            loss += self.joint_weight * SmoothedCrossentropy()(
                x[:, 1:], self.masked((self.language.read(sequence[:, :-1]), both))
            )
        return loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Keras's metrics, of the outputs alone."""
        return super().compute_metrics(x, y, y_pred[0] if isinstance(y_pred, tuple) else y_pred, sample_weight)

    # === Texts ===

    has_source = True
    """Whether there is anything to read: as of every model of texts."""

    @property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """The source's and the labels'.

        Raises:
            ValueError: the model has none.
        """
        if self.source_vocabulary is None or self.target_vocabulary is None:
            raise ValueError("This model has no vocabularies, so it has no texts: give it ids (`predict`).")
        return self.source_vocabulary, self.target_vocabulary

    def labels(self, sources: Sequence[str], batch_size: int = 64) -> list[list[str]]:
        """The likeliest labels of each text; arguments and errors as of `predictions`."""
        return [answer.hypotheses[0].tokens for answer in self.predictions(sources, batch_size)]

    def predictions(self, sources: Sequence[str], batch_size: int = 64) -> list[Prediction]:
        """The likeliest labels of each text, with their log-probabilities: one for each of its tokens, or one for all.

        Args:
            sources: texts, cut into tokens as the source vocabulary does.
            batch_size: texts read at once; changes no result.

        Raises:
            ValueError: the model has no vocabularies; one text in place of a list.
        """
        source_vocabulary, target_vocabulary = self.vocabularies
        if isinstance(sources, str):
            raise ValueError("Expected a list of texts, got one text: put it in brackets.")
        answers: dict[int, Prediction] = {}
        encoded = [source_vocabulary.encode(source) for source in sources]
        for rows, (ids,) in few_shapes([encoded], batch_size):
            logits = self.predict_on_batch(ids)
            logits = logits[:, None] if self.whole else logits
            chosen = np.asarray(self.readout.predict(logits))
            log_probs = np.asarray(ops.take_along_axis(ops.log_softmax(logits), chosen[..., None], axis=-1))[..., 0]
            for place, row in enumerate(rows):
                count = 1 if self.whole else len(encoded[row])
                tokens = [target_vocabulary.tokens[id] for id in chosen[place, :count]]
                each = log_probs[place, :count].tolist()
                total = math.fsum(each)
                text = target_vocabulary.join(tokens)
                hypothesis = Hypothesis(text, tokens, total, total, each, ended=True, alignment=None)
                answers[row] = Prediction(sources[row], source_vocabulary.unknown_in(sources[row]), [hypothesis])
        return [answers[row] for row in range(len(sources))]

    # === Keras ===

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **config_of(self, serialized)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "EncoderOnly":
        """The model of a `get_config`."""
        config = dict(config)
        for part in ("encoder", "readout"):
            config[part] = keras.saving.deserialize_keras_object(config[part], custom_objects)
        for side in ("source_vocabulary", "target_vocabulary"):
            config[side] = config[side] and Vocabulary.from_config(config[side])
        return cls(**config)


def _linear_gain(mask: Any) -> Any:
    """The weight of each step `(batch, length)`, such that Keras's mean over all steps is the mean over real rows of
    their weighted means."""
    real = ops.cast(mask, "float32")
    alone = ops.sum(real, axis=1, keepdims=True) < 2
    weights = ops.where(alone, 1.0, ops.cumsum(real, axis=1) - 1) * real  # 0, 1, 2, ... at the real steps
    share = weights / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
    rows = ops.maximum(ops.sum(share), 1.0)
    return share * ops.cast(ops.size(mask), "float32") / rows
