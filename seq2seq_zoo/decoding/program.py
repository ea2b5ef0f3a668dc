"""What a search and the scoring of targets share: a model around another one, compiled by XLA when that pays."""

import abc
from typing import Any

import keras

from seq2seq_zoo.layers.backend import compiled, use_xla


class Program(keras.Model, abc.ABC):
    """Runs a model in a way of its own. A Keras model itself, so that Keras compiles it on any backend. Abstract.

    On TensorFlow, `predict_on_batch` runs the first few steps of each shape eagerly, and then compiles it with XLA; see
    `compiled` in `layers/backend.py`. `compile(jit_compile=...)` overrides this: true compiles with XLA at once, false
    leaves XLA out.

    Args:
        model: the model to run.

    Call arguments:
        inputs: a mapping of arrays with a row for each source; among them `sources`.
    """

    def __init__(self, model: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.model = model

    def build(self, input_shape: Any) -> None:
        """Create the model's weights, if it has none yet."""
        if not self.model.built:
            self.model.build(input_shape["sources"])

    @abc.abstractmethod
    def max_steps(self, inputs: dict[str, Any]) -> int:
        """The largest number of steps that the loops over time take for these inputs, in all."""

    def compile_at_once(self) -> None:
        """Compile for many calls, with XLA where that is available, unless `compile` has been called already. The
        results are then the same in every call, to the last bit."""
        if use_xla() and not self.compiled:
            self.compile(jit_compile=True)

    def make_predict_function(self, force: bool = False) -> Any:
        """The function that Keras's `predict_on_batch` calls; with XLA, one without Keras's overhead of each call."""
        if self.run_eagerly or not use_xla() or (self.compiled and not self.jit_compile):
            return super().make_predict_function(force)
        if force or self.predict_function is None:
            run = compiled(self, (lambda inputs: 0) if self.compiled else self.max_steps)
            self.predict_function = lambda data: run(data[0][0])
        return self.predict_function
