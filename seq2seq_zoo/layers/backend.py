"""What depends on the Keras backend, but for the loop over time (`scan`)."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import keras
from keras import tree

_exporting: ContextVar[bool] = ContextVar("exporting", default=False)


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """TensorFlow's loops traced inside keep their inputs and outputs in plain tensors.

    Other runtimes have no arrays of tensors, or take them to be written once a round and in order, which a loop that
    stops early or runs backwards does not do. Such a loop has no gradient that XLA could compile.
    """
    token = _exporting.set(True)
    try:
        yield
    finally:
        _exporting.reset(token)


def is_exporting() -> bool:
    """Whether a graph for another runtime is being traced."""
    return _exporting.get()


def use_xla() -> bool:
    """Whether XLA is to be asked for: Keras leaves it out on TensorFlow without a GPU, where these loops gain by it."""
    return keras.backend.backend() == "tensorflow"


def compiled(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """A function of named arrays, compiled by XLA once for each of their shapes and types, on TensorFlow.

    What Keras and TensorFlow otherwise ask of the arguments at every call takes as long as a small search.
    """
    import tensorflow as tf

    programs = {}

    def call(arrays):
        kind = tuple((name, array.shape, array.dtype) for name, array in arrays.items())
        tensors = [tf.convert_to_tensor(array) for array in arrays.values()]
        if kind not in programs:
            flat = tf.function(
                lambda *tensors: function(dict(zip(arrays, tensors, strict=True))), autograph=False, jit_compile=True
            )
            programs[kind] = flat.get_concrete_function(*tensors)
        return programs[kind](*tensors)

    return call


def is_unpadded(mask: Any) -> bool:
    """Whether a mask leaves nothing out, where it can be asked: on torch, which runs step by step."""
    return keras.backend.backend() == "torch" and not mask.is_meta and bool(mask.all())


def supports_custom_gradients() -> bool:
    """Whether `custom_gradient` can be used here: in a graph of TensorFlow that is not for another runtime."""
    if keras.backend.backend() != "tensorflow" or is_exporting():
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()


def custom_gradient(forward: Callable[..., Any], backward: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A function of structures of tensors, with a gradient by hand.

    Args:
        forward: `(*inputs) -> (outputs, saved)`.
        backward: `(saved, gradients) -> gradients`, from those of the outputs to those of the inputs, in their
            structures.
    """
    import tensorflow as tf

    def run(*inputs):
        structure = None

        @tf.custom_gradient
        def flat(*tensors):
            nonlocal structure
            outputs, saved = forward(*tree.pack_sequence_as(inputs, tensors))
            structure = outputs

            def gradient(*gradients):
                return tree.flatten(backward(saved, tree.pack_sequence_as(outputs, gradients)))

            return tree.flatten(outputs), gradient

        outputs = flat(*tree.flatten(inputs))
        return tree.pack_sequence_as(structure, outputs)

    return run


def gradient_of(function: Callable[..., Any], inputs: tuple[Any, ...], gradients: Any) -> Any:
    """The automatic gradient of a function, inside a gradient by hand: of its inputs, given that of its output."""
    import tensorflow as tf

    tensors = tree.flatten(inputs)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = function(*tree.pack_sequence_as(inputs, tensors))
    return tree.pack_sequence_as(inputs, tape.gradient(output, tensors, gradients, tf.UnconnectedGradients.ZERO))
