"""A layer inside a layer."""

import keras


class Part(keras.layers.Layer):
    """A layer whose owner builds it, with widths that only the owner knows, also after loading."""

    def get_build_config(self) -> None:
        """Nothing: the owner's is enough."""
