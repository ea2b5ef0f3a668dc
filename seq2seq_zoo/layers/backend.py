"""What depends on the Keras backend, apart from the loop over time (`scan`)."""

import collections
import contextlib
import importlib
import inspect
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np
from keras import tree

from seq2seq_zoo.system.environment import cores

_exporting: ContextVar[bool] = ContextVar("exporting", default=False)


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """Context in which TensorFlow's loops are traced for another runtime: with plain tensors instead of `TensorArray`s.

    Other runtimes have no `TensorArray`, or expect one to be written once an iteration and in order; a loop that stops
    early or runs backwards does not do so. XLA cannot compile the gradient of such a loop.
    """
    token = _exporting.set(True)
    try:
        yield
    finally:
        _exporting.reset(token)


def is_exporting() -> bool:
    """Whether a graph is being traced for another runtime."""
    return _exporting.get()


def use_xla() -> bool:
    """Whether to compile with XLA: on TensorFlow, where Keras leaves it out without a GPU although these loops gain."""
    return keras.backend.backend() == "tensorflow"


def threads() -> int:
    """On how many threads TensorFlow computes at the same time; 1 with a GPU or on another backend."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return 1
    chosen = tf.config.threading.get_intra_op_parallelism_threads() or os.environ.get("TF_NUM_INTRAOP_THREADS")
    return int(chosen or cores())


EAGER_STEPS = 128
"""How many steps of loops run eagerly before a shape is compiled, which takes as long as some 200 of them."""


def compiled(
    function: Callable[[dict[str, Any]], Any], max_steps: Callable[[dict[str, Any]], int]
) -> Callable[[dict[str, Any]], Any]:
    """A function of named arrays, compiled by XLA once for each combination of shapes and types. TensorFlow only.

    The first calls of each combination run eagerly, as long as their loops have at most `EAGER_STEPS` steps in all: a
    handful of texts does not win back the seconds of compilation.

    It skips the checks of arguments that Keras and TensorFlow make at every call, which take as long as a small search.

    Args:
        function: of named tensors.
        max_steps: of the named arrays: how many steps the function's loops may take; 0 to compile at once.
    """
    import tensorflow as tf

    programs = {}
    steps: collections.Counter[Any] = collections.Counter()

    def call(arrays):
        kind = tuple((name, array.shape, array.dtype) for name, array in arrays.items())
        tensors = [tf.convert_to_tensor(array) for array in arrays.values()]
        if kind not in programs:
            steps[kind] += max_steps(arrays)
            if 0 < steps[kind] <= EAGER_STEPS:
                return function(dict(zip(arrays, tensors, strict=True)))
            flat = tf.function(
                lambda *tensors: function(dict(zip(arrays, tensors, strict=True))), autograph=False, jit_compile=True
            )
            programs[kind] = flat.get_concrete_function(*tensors)
        return programs[kind](*tensors)

    return call


def compiled_apart(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that XLA compiles on its own, for calls in a graph of TensorFlow. TensorFlow only.

    Calls that do not depend on one another run at the same time, on a thread each. They may read variables, but calls
    that write to one run one after the other.
    """
    import tensorflow as tf

    program = tf.function(function, autograph=False, jit_compile=True)
    # The function around it goes to another thread; without it, or inlined, a graph runs its programs in turn.
    return tf.function(lambda *tensors: program(*tensors), autograph=False, experimental_attributes={"_noinline": True})


def is_dataset(data: Any) -> bool:
    """Whether this is a `tf.data.Dataset`, on any backend."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(data, tensorflow.data.Dataset)


def with_check(dataset: Any, check: Callable[[Any], Any]) -> Any:
    """A `tf.data.Dataset` that calls a function with each of its elements, as numpy arrays, before it hands them out.

    The function runs where the data are made, outside the compiled step. A dataset of ragged or sparse tensors is
    returned unchanged.
    """
    import tensorflow as tf

    spec = dataset.element_spec
    if not all(isinstance(each, tf.TensorSpec) for each in tf.nest.flatten(spec)):
        return dataset

    def check_arrays(*arrays):
        check(tf.nest.pack_sequence_as(spec, arrays))

    def unchanged(*element):
        tensors = tf.nest.flatten(element)
        with tf.control_dependencies([tf.numpy_function(check_arrays, tensors, [])]):
            return tf.nest.pack_sequence_as(spec, [tf.identity(tensor) for tensor in tensors])

    return dataset.map(unchanged)


def is_unpadded(mask: Any) -> bool:
    """Whether a mask is true everywhere. Only torch, which runs eagerly, can tell; elsewhere the result is false."""
    return keras.backend.backend() == "torch" and not mask.is_meta and bool(mask.all())


def this_process() -> tuple[int, int]:
    """The number of this process and the number of all, as JAX has connected them; (0, 1) on other backends."""
    if keras.backend.backend() != "jax":
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()


def from_first_process(numbers: np.ndarray) -> np.ndarray:
    """The first process's numbers, in every process that JAX has connected.

    All processes must call this, with arrays of the same shape. Each waits for the others.
    """
    from jax.experimental import multihost_utils

    # As bytes, since JAX would round numbers of 64 bits to 32.
    content = np.frombuffer(numbers.tobytes(), np.uint8)
    return np.frombuffer(np.asarray(multihost_utils.broadcast_one_to_all(content)).tobytes(), numbers.dtype)


def supports_custom_gradients() -> bool:
    """Whether `custom_gradient` works here: in a TensorFlow graph that is not traced for another runtime."""
    if keras.backend.backend() != "tensorflow" or is_exporting():
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()


def custom_gradient(forward: Callable[..., Any], backward: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A function of structures of tensors, with a custom gradient.

    Args:
        forward: `(*inputs) -> (outputs, saved)`.
        backward: `(saved, gradients of the outputs) -> gradients of the inputs`, in the structures of the outputs and
            inputs.

    Returns:
        `(*inputs) -> outputs`.
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
        _give_gradients_to_their_graphs()
        return tree.pack_sequence_as(structure, outputs)

    return run


class _Gradients(dict[str, Callable[..., Any]]):
    """The custom gradients of one graph, which holds this mapping, by the names under which they are registered."""


def _give_gradients_to_their_graphs() -> None:
    """Let the graphs of custom gradients be freed with their models.

    In a graph, `tf.custom_gradient` registers a function for the whole process, and that function holds the graph, with
    all of its model. Here the graph itself gets the function. What stays in the registry, for as long as the graph
    lives, only finds it there. This includes the functions that Keras's optimizers have registered since the last call.

    TensorFlow has no public way to do so. A version without these private names keeps all graphs, as it does by itself.
    """
    registry: dict[str, Any] = {}
    with contextlib.suppress(ImportError, AttributeError):
        registry = importlib.import_module("tensorflow.python.framework.ops").gradient_registry._registry
    for name in [name for name in registry if name.startswith("CustomGradient-")]:
        function = registry[name].get("type")
        graph = _graph_of(function)
        if graph is None:
            continue
        if not hasattr(graph, "_seq2seq_zoo_gradients"):
            graph._seq2seq_zoo_gradients = _Gradients()
        gradients = graph._seq2seq_zoo_gradients
        gradients[name] = function
        registry[name] = {**registry[name], "type": _found_on(weakref.ref(gradients), name)}
        weakref.finalize(gradients, registry.pop, name, None)


def _found_on(gradients: "weakref.ref[_Gradients]", name: str) -> Callable[..., Any]:
    """The function to register in place of one that its graph holds."""

    def function(*arguments: Any) -> Any:
        alive = gradients()
        assert alive is not None, "the graph of this gradient was freed"
        return alive[name](*arguments)

    return function


def _graph_of(function: Any) -> Any:
    """The graph whose tensors a registered gradient holds; `None` if it holds none."""
    import tensorflow as tf

    gradient = _closure(function).get("tape_grad_fn")
    graphs = [each.graph for each in tree.flatten(_closure(gradient).get("result")) if tf.is_symbolic_tensor(each)]
    return graphs[0] if graphs and hasattr(graphs[0], "captures") else None


def _closure(function: Any) -> dict[str, Any]:
    """The variables of the enclosing functions that a function reads."""
    return dict(inspect.getclosurevars(function).nonlocals) if inspect.isfunction(function) else {}


def gradient_of(function: Callable[..., Any], inputs: tuple[Any, ...], gradients: Any) -> Any:
    """The automatic gradient of a function, for use inside a custom gradient: `gradients` are those of its output."""
    import tensorflow as tf

    tensors = tree.flatten(inputs)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = function(*tree.pack_sequence_as(inputs, tensors))
    return tree.pack_sequence_as(inputs, tape.gradient(output, tensors, gradients, tf.UnconnectedGradients.ZERO))


def gradient_of_weights(loss: Callable[[], tuple[Any, Any]], weights: list[Any]) -> tuple[list[Any], Any]:
    """The gradient of a loss with respect to Keras variables. TensorFlow only.

    Args:
        loss: returns the loss, and what else is wanted of the same calculation.
        weights: the variables.

    Returns:
        `(gradients, what else)`; the gradient is `None` for a variable that the loss does not depend on.
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value, other = loss()
    gradients = tape.gradient(value, [weight.value for weight in weights])
    return [None if each is None else tf.convert_to_tensor(each) for each in gradients], other
