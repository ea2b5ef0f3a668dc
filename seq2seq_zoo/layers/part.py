"""A layer inside a layer."""

from typing import Any

import keras


class Part(keras.layers.Layer):
    """A layer whose owner builds it, with widths that only the owner knows, also after loading."""

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Nothing: masks are arguments here, and the one that Keras attaches to a tensor goes no further."""

    def get_build_config(self) -> None:
        """Nothing: the owner's is enough."""
