"""What all models share whose sources and outputs may be texts."""

from collections.abc import Sequence
from typing import Any

import keras

from seq2seq_zoo.config.options import config_of
from seq2seq_zoo.data.vocabulary import Vocabulary


class VocabularyModel(keras.Model):
    """A model with two vocabularies, which are saved with it. Abstract.

    Args:
        source_vocabulary: turns source texts into ids; `None` for a model of ids or vectors.
        target_vocabulary: turns ids into output texts; `None` for a model of ids or vectors.
    """

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


def expect_list(texts: Sequence[str]) -> None:
    """Refuse one text in place of a list of texts.

    Raises:
        ValueError: it is one text.
    """
    if isinstance(texts, str):
        raise ValueError(f"Expected a list of texts, got one text: write [{texts!r}].")
