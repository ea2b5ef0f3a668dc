"""A model without a decoder: one output for each step of a source, or one for the whole source."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seq2seq_zoo.config.options import NonNegativeFloat, checked
from seq2seq_zoo.data.padding import few_shapes
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.layers.encoder import Encoder
from seq2seq_zoo.layers.losses import SmoothedCrossentropy
from seq2seq_zoo.layers.readouts.readout import Readout, WithMask
from seq2seq_zoo.layers.readouts.tokens import Tokens
from seq2seq_zoo.models.vocabulary_model import VocabularyModel, expect_texts
from seq2seq_zoo.prediction import Hypothesis, Prediction


@keras.saving.register_keras_serializable("seq2seq_zoo")
class EncoderOnly(VocabularyModel):
    """An encoder and a readout, without a decoder: sequence labelling, frame-wise regression, classification.

        y[t] = readout(H[t]),  or  y = readout(c)  for the whole source

    Train with `fit(sources, targets)`. The outputs carry a mask, which keeps padding out of losses and metrics. Two
    options change the training loss, but not the outputs:

        linear gain:     loss = sum over t of w[t] * loss(readout(H[t]), y) / sum over t of w[t],  w[t] = (t-1) / (T-1)
        joint training:  loss = the labels' loss + joint_weight * -log p(x[t+1] | H[t]), the mean over t

    Args:
        encoder: an `Encoder`.
        readout: what an output is.
        whole: whether there is one output for the whole source instead of one for each step.
        source_vocabulary: turns source texts into ids; saved with the model.
        target_vocabulary: turns ids into labels; saved with the model.
        linear_gain: whether training compares the label of the whole source with an output at every step, with weights
            that increase linearly from 0 at the first step to 1 at the last.
        joint_weight: weight of a second training loss, that of predicting each next token of the source; 0 for none.

    Call arguments:
        inputs: sources, as the encoder takes them.
        training: whether to apply dropout.

    Returns:
        Outputs `(batch, source length, size)`, or `(batch, size)` for the whole source: logits, or whatever else the
        readout returns. In training with linear gain or joint training, a tuple of these, `H` and its mask, for
        `compute_loss`.

    Raises:
        ValueError: linear gain is given without `whole`, joint training with sources of vectors, or either of them with
            a bidirectional encoder.

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
        super().__init__(source_vocabulary, target_vocabulary, **kwargs)
        if linear_gain and not whole:
            raise ValueError(
                "linear_gain needs one label for the whole source, but with whole=False each step has its own."
            )
        if joint_weight and encoder.vocabulary_size is None:
            raise ValueError(f"joint_weight={joint_weight} needs sources of tokens, but this encoder reads vectors.")
        if (linear_gain or joint_weight) and encoder.bidirectional:
            option = "linear_gain" if linear_gain else f"joint_weight={joint_weight}"
            raise ValueError(
                f"{option} needs an encoder that reads in one direction, but with bidirectional=True each step has "
                f"already read what follows it."
            )
        self.encoder = encoder
        self.readout = readout
        self.whole = whole
        self.linear_gain = linear_gain
        self.joint_weight = joint_weight
        self.language = None
        if joint_weight:
            assert encoder.vocabulary_size is not None  # checked above
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
        """Encode the sources, and read out the outputs."""
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
        """Keras's loss, with linear gain and joint training."""
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
            next_is_real = ops.logical_and(mask[:, :-1], mask[:, 1:])
            next_tokens = self.masked((self.language.read(sequence[:, :-1]), next_is_real))
            loss += self.joint_weight * SmoothedCrossentropy()(x[:, 1:], next_tokens)
        return loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Keras's metrics, which compare the outputs alone."""
        return super().compute_metrics(x, y, y_pred[0] if isinstance(y_pred, tuple) else y_pred, sample_weight)

    # === Texts ===

    has_source = True
    """Whether there is a source; see `TextModel`."""

    def labels(self, sources: Sequence[str], batch_size: int = 64) -> list[list[str]]:
        """The most likely labels of each text. Arguments and errors are those of `predictions`."""
        return [each.hypotheses[0].tokens for each in self.predictions(sources, batch_size)]

    def predictions(self, sources: Sequence[str], batch_size: int = 64) -> list[Prediction]:
        """The most likely labels of each text with their log-probabilities: one for each token, or one for the text.

        Args:
            sources: texts, which the source vocabulary splits into tokens.
            batch_size: number of texts that are read at once; has no effect on the results.

        Raises:
            ValueError: the model has no vocabularies, or the sources are not a list of texts.
        """
        source_vocabulary, _ = self.vocabularies
        expect_texts(sources)
        encoded = [source_vocabulary.encode(source) for source in sources]
        predictions: dict[int, Prediction] = {}
        for rows, (ids,) in few_shapes([encoded], batch_size):
            labels, log_probs = self._most_likely(ids)
            for place, row in enumerate(rows):
                real = place, slice(1 if self.whole else len(encoded[row]))
                hypothesis = self._hypothesis(labels[real].tolist(), log_probs[real].tolist())
                predictions[row] = Prediction(sources[row], source_vocabulary.unknown_in(sources[row]), [hypothesis])
        return [predictions[row] for row in range(len(sources))]

    def _most_likely(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The most likely labels and their log-probabilities, `(batch, steps)`; one step for the whole source."""
        logits = self.predict_on_batch(ids)
        logits = logits[:, None] if self.whole else logits
        labels = np.asarray(self.readout.predict(logits))
        log_probs = np.asarray(ops.take_along_axis(ops.log_softmax(logits), labels[..., None], axis=-1))[..., 0]
        return labels, log_probs

    def _hypothesis(self, labels: list[int], log_probs: list[float]) -> Hypothesis:
        """The labels of one source as a hypothesis, which is complete."""
        target_vocabulary = self.vocabularies[1]
        tokens = [target_vocabulary.tokens[label] for label in labels]
        total = math.fsum(log_probs)
        text = target_vocabulary.join(tokens)
        return Hypothesis(text, tokens, total, total, log_probs, ended=True, alignment=None)

    # === Keras ===

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "EncoderOnly":
        """The model of a `get_config`."""
        parts = {
            part: keras.saving.deserialize_keras_object(config[part], custom_objects) for part in ("encoder", "readout")
        }
        return super().from_config({**config, **parts}, custom_objects)


def _linear_gain(mask: Any) -> Any:
    """The weight of each step, `(batch, length)`. With it, Keras's mean over all steps of the batch is the mean over
    rows of each row's weighted mean, without rows of nothing but padding."""
    real = ops.cast(mask, "float32")
    is_single = ops.sum(real, axis=1, keepdims=True) < 2
    weights = ops.where(is_single, 1.0, ops.cumsum(real, axis=1) - 1) * real  # 0, 1, 2, ... at the real steps
    share = weights / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
    rows = ops.maximum(ops.sum(share), 1.0)
    return share * ops.cast(ops.size(mask), "float32") / rows
