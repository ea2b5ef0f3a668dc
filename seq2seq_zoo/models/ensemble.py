"""Several models as one: an ensemble averages their probabilities, `average` their weights."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seq2seq_zoo.decoders.memory import Memory
from seq2seq_zoo.models.seq2seq import Seq2Seq
from seq2seq_zoo.models.text_model import TextModel


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Ensemble(TextModel):
    """Models with the same vocabulary as one model: each token's probability is the mean of theirs.

    The models may have different modes and sizes. An ensemble searches, scores, saves and exports like one model.

    Args:
        models: two or more built `Seq2Seq`.

    Call arguments:
        inputs: a pair of sources and targets.

    Returns:
        Log-probabilities `(batch, target length, vocabulary_size)`.

    Raises:
        ValueError: there are fewer than two models, they differ in their vocabularies, special ids or precision, or
            their outputs are not tokens.

    Example:

    >>> from seq2seq_zoo import BasicDecoder, Encoder, FeedbackDecoder, Seq2Seq, Tokens
    >>> def model(decoder):
    ...     model = Seq2Seq(Encoder(4, vocabulary_size=7), decoder(4, readout=Tokens(7), max_length=5))
    ...     model.build((None, None))
    ...     return model
    >>> Ensemble([model(BasicDecoder), model(FeedbackDecoder)]).search([[4, 5, 6]]).ids.shape
    (1, 1, 5)

    Reference:
        Sutskever et al. 2014, arXiv:1409.3215, section 3.6.
    """

    def __init__(self, models: Sequence[Seq2Seq], **kwargs: Any):
        _check_alike(models)
        first = models[0]
        if first.readout.vocabulary_size is None:
            raise ValueError(
                f"An ensemble averages the probabilities of tokens, but these models' readout is "
                f"{type(first.readout).__name__}: average their predictions, or their weights with `average`."
            )
        kwargs = {"source_vocabulary": first.source_vocabulary, "target_vocabulary": first.target_vocabulary, **kwargs}
        super().__init__(**kwargs)
        self.models = list(models)

    def build(self, input_shape: Any) -> None:
        """Create the models' weights, if they have none yet."""
        for model in self.models:
            if not model.built:
                model.build(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The logarithm of the models' mean probabilities."""
        return _mean([model(inputs) for model in self.models])

    def initialize(self, sources: Any) -> tuple[Memory, Any]:
        """The memory and the initial states of each model."""
        memories, states = zip(*(model.initialize(sources) for model in self.models), strict=True)
        return Memory(memories, None, (), memories[0].mask), states

    def precompute(self, memory: Memory, steps: int) -> Memory:
        """The memory of each model with its products."""
        pairs = zip(self.models, memory.source, strict=True)
        return memory._replace(source=tuple(model.precompute(own, steps) for model, own in pairs))

    def step(self, previous: Any, states: Any, memory: Memory) -> tuple[Any, Any, Any]:
        """One step of each model, after the same token. Attention weights are the mean of theirs."""
        steps = [
            model.step(previous, own_states, own_memory)
            for model, own_states, own_memory in zip(self.models, states, memory.source, strict=True)
        ]
        logits, states, weights = zip(*steps, strict=True)
        return _mean(logits), states, ops.mean(ops.stack(weights), axis=0) if self.has_attention else None

    @property
    def readout(self) -> Any:
        """The first model's readout, whose ids are those of all."""
        return self.models[0].readout

    @property
    def source_size(self) -> int | None:
        """The number of source ids of the models that have a source."""
        return next((model.source_size for model in self.models if model.source_size is not None), None)

    @property
    def has_source(self) -> bool:
        """Whether any model has a source."""
        return any(model.has_source for model in self.models)

    @property
    def has_attention(self) -> bool:
        """Whether every model has attention."""
        return all(model.has_attention for model in self.models)

    @property
    def max_length(self) -> int:
        """The greatest maximum length of the models."""
        return max(model.max_length for model in self.models)

    @property
    def step_policy(self) -> Any:
        """The dtype policy of a step, which is the same in all models."""
        return self.models[0].step_policy

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "TextModel":
        """The ensemble of a `get_config`."""
        models = [keras.saving.deserialize_keras_object(each, custom_objects) for each in config["models"]]
        return super().from_config({**config, "models": models}, custom_objects)


def average(models: Sequence[Seq2Seq]) -> Seq2Seq:
    """One model whose weights are the means of several models' weights.

    This is useful for checkpoints of one training, or for trainings that started from the same weights. The mean of
    independently initialized models is meaningless.

    Args:
        models: two or more built models of the same architecture and vocabulary.

    Returns:
        A new model, not compiled. Weights that are not trained (random states, counters) are the first model's.

    Raises:
        ValueError: there are fewer than two models, or they differ in more than the values of their weights.

    Example:

    >>> from seq2seq_zoo import BasicDecoder, Encoder, Seq2Seq, Tokens
    >>> models = [Seq2Seq(Encoder(4, vocabulary_size=7), BasicDecoder(4, readout=Tokens(7))) for _ in range(3)]
    >>> for model in models:
    ...     model.build((None, None))
    >>> average(models).count_params() == models[0].count_params()
    True
    """
    _check_alike(models)
    first = models[0]
    for number, model in enumerate(models, start=1):
        if _nameless(model.get_config()) != _nameless(first.get_config()):
            raise ValueError(f"Models to average need the same architecture, but model {number} has another one.")
    mean = Seq2Seq.from_config(first.get_config())
    mean.build((None, None))
    mean.set_weights(first.get_weights())
    for weights in zip(*(model.trainable_weights for model in (mean, *models)), strict=True):
        weights[0].assign(sum(ops.convert_to_numpy(weight).astype("float64") for weight in weights[1:]) / len(models))
    return mean


def _nameless(config: Any) -> Any:
    """A configuration without the layers' names, to which Keras adds numbers."""
    if isinstance(config, dict):
        layer = {"name", "trainable"} <= config.keys()
        return {key: _nameless(value) for key, value in config.items() if not (layer and key == "name")}
    return [_nameless(each) for each in config] if isinstance(config, list | tuple) else config


def _check_alike(models: Sequence[Seq2Seq]) -> None:
    """Refuse models whose outputs or weights cannot be combined."""
    if len(models) < 2:
        raise ValueError(f"Expected at least two models to combine, got {len(models)}.")
    first = models[0]
    for number, model in enumerate(models[1:], start=2):
        for side in ("source_vocabulary", "target_vocabulary"):
            if getattr(model, side) != getattr(first, side):
                raise ValueError(
                    f"Models to combine need the same vocabularies, but model {number} has another `{side}`."
                )
        for what, value in _output_format(model).items():
            if value != _output_format(first)[what]:
                raise ValueError(
                    f"Models to combine need the same `{what}`, but model {number} has {value} and the first has "
                    f"{_output_format(first)[what]}."
                )


def _output_format(model: Seq2Seq) -> dict[str, Any]:
    """What makes the outputs of models comparable, besides their vocabularies."""
    readout = model.readout
    return {
        "vocabulary_size": readout.vocabulary_size,
        "start": getattr(readout, "start", None),
        "end": getattr(readout, "end", None),
        "dtype": model.step_policy.name,
    }


def _mean(logits: Sequence[Any]) -> Any:
    """The logarithm of the mean probabilities."""
    return ops.logsumexp(ops.stack([ops.log_softmax(each) for each in logits]), axis=0) - math.log(len(logits))
