"""Several models as one: by the mean of what they say, or by the mean of what they weigh."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seq2seq_zoo.decoders.decoder import Memory
from seq2seq_zoo.models.seq2seq import Seq2Seq
from seq2seq_zoo.models.text_model import TextModel


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Ensemble(TextModel):
    """Models of one vocabulary that decide together: each output's probability is the mean of theirs.

    They may be of different modes and sizes. An ensemble searches, scores, saves and exports as one model does.

    Args:
        models: two or more `Seq2Seq`, built.

    Call arguments:
        inputs: a pair of sources and targets.

    Returns:
        Log-probabilities `(batch, target length, vocabulary_size)`.

    Raises:
        ValueError: fewer than two models; models that differ in vocabulary, in their readout's ids or in precision;
            outputs that are not tokens.

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
                f"An ensemble decides by the mean of probabilities, but these models put out "
                f"{type(first.readout).__name__}: take the mean of what they predict, or of their weights (`average`)."
            )
        kwargs = {"source_vocabulary": first.source_vocabulary, "target_vocabulary": first.target_vocabulary, **kwargs}
        super().__init__(**kwargs)
        self.models = list(models)

    def build(self, input_shape: Any) -> None:
        """Create the models' weights, where they have none yet."""
        for model in self.models:
            if not model.built:
                model.build(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The logarithm of the mean probability."""
        return _mean([model(inputs) for model in self.models])

    def initialize(self, sources: Any) -> tuple[Memory, Any]:
        """Each model's own memory and states."""
        memories, states = zip(*(model.initialize(sources) for model in self.models), strict=True)
        return Memory(memories, None, (), memories[0].mask), states

    def precompute(self, memory: Memory, steps: int) -> Memory:
        """Each model's own memory with its products."""
        pairs = zip(self.models, memory.source, strict=True)
        return memory._replace(source=tuple(model.precompute(own, steps) for model, own in pairs))

    def step(self, previous: Any, states: Any, memory: Memory) -> tuple[Any, Any, Any]:
        """One step of each, on the same outputs; attention weights are the mean of theirs."""
        steps = [
            model.step(previous, own_states, own_memory)
            for model, own_states, own_memory in zip(self.models, states, memory.source, strict=True)
        ]
        logits, states, weights = zip(*steps, strict=True)
        return _mean(logits), states, ops.mean(ops.stack(weights), axis=0) if self.has_attention else None

    @property
    def readout(self) -> Any:
        """The first model's."""
        return self.models[0].readout

    @property
    def has_source(self) -> bool:
        """Whether any model reads."""
        return any(model.has_source for model in self.models)

    @property
    def has_attention(self) -> bool:
        """Whether every model looks."""
        return all(model.has_attention for model in self.models)

    @property
    def max_length(self) -> int:
        """The greatest of theirs."""
        return max(model.max_length for model in self.models)

    @property
    def step_policy(self) -> Any:
        """The precision of all."""
        return self.models[0].step_policy

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "TextModel":
        """The ensemble of a `get_config`."""
        models = [keras.saving.deserialize_keras_object(each, custom_objects) for each in config["models"]]
        return super().from_config({**config, "models": models}, custom_objects)


def average(models: Sequence[Seq2Seq]) -> Seq2Seq:
    """One model whose weights are the mean of several models' weights: of checkpoints of one training, or of trainings
    that began at one point (the means of strangers say nothing).

    Args:
        models: two or more, built, of equal architecture and vocabulary.

    Returns:
        A new model, not compiled; what is not trained (random states, counters) is the first model's.

    Raises:
        ValueError: fewer than two models, or models that differ in more than their weights' values.

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
            raise ValueError(f"The mean is of models of one architecture, but that of model {number} is another.")
    mean = Seq2Seq.from_config(first.get_config())
    mean.build((None, None))
    mean.set_weights(first.get_weights())
    for weights in zip(*(model.trainable_weights for model in (mean, *models)), strict=True):
        weights[0].assign(sum(ops.convert_to_numpy(weight).astype("float64") for weight in weights[1:]) / len(models))
    return mean


def _nameless(config: Any) -> Any:
    """A configuration without the layers' names, which Keras numbers."""
    if isinstance(config, dict):
        layer = {"name", "trainable"} <= config.keys()
        return {key: _nameless(value) for key, value in config.items() if not (layer and key == "name")}
    return [_nameless(each) for each in config] if isinstance(config, list | tuple) else config


def _check_alike(models: Sequence[Seq2Seq]) -> None:
    """What must hold of models that go together."""
    if len(models) < 2:
        raise ValueError(f"An ensemble needs at least two models, got {len(models)}.")
    first = models[0]
    for number, model in enumerate(models[1:], start=2):
        for side in ("source_vocabulary", "target_vocabulary"):
            if getattr(model, side) != getattr(first, side):
                raise ValueError(
                    f"An ensemble's models share their vocabularies, but model {number} differs in `{side}`."
                )
        for what, value in _ids(model).items():
            if value != _ids(first)[what]:
                raise ValueError(
                    f"An ensemble's models share `{what}`, but model {number} has {value}, and the first "
                    f"{_ids(first)[what]}."
                )


def _ids(model: Seq2Seq) -> dict[str, Any]:
    readout = model.readout
    return {
        "vocabulary_size": readout.vocabulary_size,
        "start": getattr(readout, "start", None),
        "end": getattr(readout, "end", None),
        "dtype": model.step_policy.name,
    }


def _mean(logits: Sequence[Any]) -> Any:
    """The logarithm of the mean of the probabilities."""
    return ops.logsumexp(ops.stack([ops.log_softmax(each) for each in logits]), axis=0) - math.log(len(logits))
