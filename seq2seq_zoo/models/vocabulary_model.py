"""What all models share whose sources and outputs may be texts."""

from typing import Any

import keras
import numpy as np

from seq2seq_zoo.config.options import config_of
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.layers.losses import SmoothedCrossentropy
from seq2seq_zoo.models.checked_batches import CheckedBatches


class VocabularyModel(keras.Model):
    """A model with two vocabularies, which are saved with it. Abstract.

    Args:
        source_vocabulary: turns source texts into ids; `None` for a model of ids or vectors.
        target_vocabulary: turns ids into output texts; `None` for a model of ids or vectors.
    """

    readout: Any
    """What an output is."""

    def __init__(
        self, source_vocabulary: Vocabulary | None = None, target_vocabulary: Vocabulary | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary

    @property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """The source vocabulary and the target vocabulary.

        Raises:
            ValueError: the model has none.
        """
        if self.source_vocabulary is None or self.target_vocabulary is None:
            raise ValueError(
                "This model has no vocabularies, so it takes ids instead of texts: give them to `search`, or to "
                "`predict` if the model has no decoder."
            )
        return self.source_vocabulary, self.target_vocabulary

    @property
    def source_size(self) -> int | None:
        """The number of source ids; `None` if sources are vectors, or if there are none."""
        return getattr(getattr(self, "encoder", None), "vocabulary_size", None)

    # === Keras's own methods, which check the ids first ===

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's `fit`. Ids outside the vocabularies are refused: in arrays before the training, in a
        `tf.data.Dataset`, a `PyDataset` or a generator in the batch that has them. Other data, such as a `DataLoader`
        of torch, is not checked."""
        self._check_arrays(x, y)
        validation = kwargs.get("validation_data")
        batches = CheckedBatches(self._check_arrays)
        if isinstance(validation, tuple | list):
            self._check_arrays(*validation[:2])
        elif validation is not None:
            kwargs["validation_data"] = batches.of(validation)
        with batches.refusals():
            return super().fit(batches.of(x), y, *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's `evaluate`. Ids outside the vocabularies are refused, as in `fit`."""
        self._check_arrays(x, y)
        batches = CheckedBatches(self._check_arrays)
        with batches.refusals():
            return super().evaluate(batches.of(x), y, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Keras's `predict`. Ids outside the vocabularies are refused, as in `fit`."""
        self._check_arrays(x)
        batches = CheckedBatches(lambda sources, _: self._check_arrays(sources))
        with batches.refusals():
            return super().predict(batches.of(x), *args, **kwargs)

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's `train_on_batch`. Arrays with ids outside the vocabularies are refused."""
        self._check_arrays(x, y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's `test_on_batch`. Arrays with ids outside the vocabularies are refused."""
        self._check_arrays(x, y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Keras's `predict_on_batch`. Arrays with ids outside the vocabularies are refused."""
        self._check_arrays(x)
        return super().predict_on_batch(x)

    def _check_arrays(self, x: Any, y: Any = None) -> None:
        """Check the ids of sources, or of sources and targets, and of the targets of the loss."""
        sources, targets = x if isinstance(x, tuple | list) and len(x) == 2 else (x, None)
        check_ids("sources", sources, self.source_size)
        check_ids("targets", targets, self.readout.vocabulary_size)
        if _expects_ids(self.loss):
            rank = 1 if getattr(self, "whole", False) else 2
            check_ids("targets", y, self.readout.vocabulary_size, rank)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **config_of(self, _serialized)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The model of a `get_config`."""
        config = dict(config)
        for side in ("source_vocabulary", "target_vocabulary"):
            config[side] = config[side] and Vocabulary.from_config(config[side])
        return cls(**config)


def _serialized(value: Any) -> Any:
    """A vocabulary as plain data, a layer or a model as Keras serializes it."""
    return value.get_config() if isinstance(value, Vocabulary) else keras.saving.serialize_keras_object(value)


def _expects_ids(loss: Any) -> bool:
    """Whether a loss compares the outputs with ids, all of which count."""
    if isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
        return loss.ignore_class is None
    return isinstance(loss, SmoothedCrossentropy) or loss == "sparse_categorical_crossentropy"


def check_ids(what: str, ids: Any, size: int | None, rank: int = 2) -> None:
    """Refuse ids outside a vocabulary, one-hot vectors and texts.

    Args:
        what: what the ids are, for the message.
        ids: arrays, tensors or lists. Anything else, such as a dataset, is not read here.
        size: of the vocabulary; `None` if there is none.
        rank: the number of axes of an array of ids. One axis more, as long as the vocabulary, is one-hot.

    Raises:
        ValueError: there is such an id, or something else in place of ids.

    Example:

    >>> check_ids("sources", [[4, 50]], size=10)
    Traceback (most recent call last):
        ...
    ValueError: sources[0, 1] is 50, but the vocabulary has 10 tokens: expected ids from 0 to 9.
    """
    if size is None:
        return
    if not isinstance(ids, np.ndarray | list | tuple):
        if not keras.ops.is_tensor(ids):
            return
        ids = keras.ops.convert_to_numpy(ids)
    ids = np.asarray(ids)
    if ids.dtype.kind not in "biuf":
        raise ValueError(f"{what} has values of type {ids.dtype}: expected integer ids. Texts are for `predictions`.")
    if ids.ndim == rank + 1 and ids.shape[-1] == size:
        raise ValueError(
            f"{what} has the shape {ids.shape} of one-hot vectors: expected ids of shape {ids.shape[:-1]}. Pass "
            f"{what}.argmax(-1)."
        )
    if ids.size and not 0 <= ids.min() <= ids.max() < size:
        place = tuple(np.argwhere((ids < 0) | (ids >= size))[0].tolist())
        raise ValueError(
            f"{what}[{', '.join(map(str, place))}] is {ids[place]:g}, but the vocabulary has {size:,} tokens: expected "
            f"ids from 0 to {size - 1}."
        )
