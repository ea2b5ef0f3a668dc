"""Loads the weights of PyTorch and Keras models into the layers of this package.

Nothing is loaded unless everything fits: each weight must be given, and each given array must belong to a weight.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.layers.attention import AdditiveAttention, GeneralAttention
from seq2seq_zoo.layers.bridge import DenseBridge
from seq2seq_zoo.layers.cells import Cell, GRUCell, LSTMCell, SimpleCell
from seq2seq_zoo.layers.readouts.tokens import Tokens
from seq2seq_zoo.layers.stack import Stack
from seq2seq_zoo.layers.sublayer import Sublayer

Names = str | Sequence[str]
Pairs = Iterator[tuple[Any, np.ndarray]]
"""Weights of ours, each with its new value."""

# For each of our gates in turn, which of PyTorch's it is.
TORCH_ORDER: dict[type[Cell], list[int]] = {LSTMCell: [0, 1, 2, 3], GRUCell: [1, 0, 2], SimpleCell: [0]}


def from_torch(layer: keras.layers.Layer, state: Mapping[str, Any], names: Mapping[str, Names] | Names = "") -> None:
    """Load a PyTorch module's weights into a built layer. If anything does not fit, nothing changes.

    Layers of this package, and the modules that each is loaded from:

    - `Stack`: one `LSTM`, `GRU` or `RNN`; or for each layer one of depth 1, or an `LSTMCell`, `GRUCell` or `RNNCell`.
    - `Embedding`: an `Embedding`.
    - `Tokens`: an `Embedding` (if outputs are fed back) and the output's `Linear`.
    - `DenseBridge`: one `Linear`; or one for each state, layer by layer.
    - `AdditiveAttention`: three `Linear`, for the query, the keys and the score.
    - `GeneralAttention`: a `Linear` for the keys.

    For a module with `bias=False`, the bias becomes zero.

    Args:
        layer: a `Seq2Seq`, an encoder, a decoder, or one of the layers above.
        state: the module's `state_dict()`: arrays, or anything that `np.asarray` accepts, by name.
        names: a mapping from the path of each layer inside `layer` to the name of its module in `state`, or to a list
            of several modules' names: `{"encoder.stack": "encoder.rnn"}`. Names without a path belong to `layer`
            itself. By default, `state` is that of the layer's module.

    Raises:
        ValueError: a name does not exist; a shape or the number of layers, directions or modules does not fit; a weight
            is not given; or an array belongs to no weight.

    Example:

    >>> stack = Stack(4, "gru")
    >>> stack.build((3,))
    >>> shapes = {"weight_ih_l0": (12, 3), "weight_hh_l0": (12, 4), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    >>> from_torch(stack, {name: np.ones(shape) for name, shape in shapes.items()})  # of torch.nn.GRU(3, 4)
    >>> np.asarray(stack.cells[0][0].bias).tolist()  # two biases of the reset and update gates, added
    [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]

    Reference:
        The equations in the documentation of `torch.nn.LSTM`, `torch.nn.GRU` and `torch.nn.RNN`.
    """
    theirs = _Torch(state)
    paths = names if isinstance(names, Mapping) else {"": names}
    pairs = [
        pair
        for path, given in paths.items()
        for pair in theirs.part(*_part(layer, path), [given] if isinstance(given, str) else list(given))
    ]
    if unread := [name for name in state if name not in theirs.read]:
        raise ValueError(
            f"No weight of this {type(layer).__name__} is loaded from {_some(unread)}. Add the layer to `names`, or "
            f"remove from the state dict what is not needed."
        )
    _assign(layer, pairs)


def from_keras(layer: keras.layers.Layer, weights: Mapping[str, Sequence[Any]] | Sequence[Any]) -> None:
    """Load Keras layers' weights into a built layer. If anything does not fit, nothing changes.

    Layers of this package, and the Keras layers that each is loaded from:

    - `Stack`: an `LSTM`, `GRU` or `SimpleRNN` for each layer, inside a `Bidirectional` if it has two directions.
    - `Embedding`: an `Embedding`.
    - `Tokens`: an `Embedding` (if outputs are fed back) and the output's `Dense`.
    - Others: arrays of the same shapes and in the same order as their own.

    For a layer with `use_bias=False`, the bias becomes zero.

    Args:
        layer: a `Seq2Seq`, an encoder, a decoder, or one of the layers above.
        weights: a mapping from the path of each layer inside `layer` to the arrays of the Keras layers' `get_weights()`
            in sequence: `{"encoder.stack": [*lower.get_weights(), *upper.get_weights()]}`. Arrays without a path belong
            to `layer` itself.

    Raises:
        ValueError: the number of arrays or a shape does not fit; a weight is not given; or a GRU was made with
            `reset_after=False`, or without biases, which does not show how it was made.

    Example:

    >>> theirs = keras.layers.LSTM(4)
    >>> theirs.build((None, None, 3))
    >>> stack = Stack(4, "lstm")
    >>> stack.build((3,))
    >>> from_keras(stack, theirs.get_weights())

    Reference:
        `keras.layers.LSTM`, `keras.layers.GRU` and `keras.layers.SimpleRNN` of Keras 3.
    """
    paths = weights if isinstance(weights, Mapping) else {"": weights}
    _assign(layer, [pair for path, arrays in paths.items() for pair in _keras_part(*_part(layer, path), arrays)])


# === PyTorch ===


class _Torch:
    """A state dict, and the names of the arrays that have been read from it."""

    def __init__(self, state: Mapping[str, Any]):
        self.state = state
        self.read: set[str] = set()

    def part(self, where: str, part: Sublayer | keras.layers.Embedding, names: list[str]) -> Pairs:
        """The new weights of a layer, from the modules of these names; `where` is its path, for messages."""
        match part:
            case Stack():
                yield from self.stack(where, part, names)
            case Cell():
                (name,) = _counted(where, names, ["cell"])
                yield from self.cell(where, part, name, "")
            case keras.layers.Embedding():
                (name,) = _counted(where, names, ["embedding"])
                yield part.embeddings, self.array(where, name, "weight", part.embeddings.shape)
            case Tokens():
                yield from self.tokens(where, part, names)
            case DenseBridge():
                kernel, widths = part.dense.kernel, [width for layer in part.decoder_widths for width in layer]
                if _one_or_each(where, names, "state", len(widths)) == 1:
                    widths = [sum(widths)]
                linears = [
                    (self.array(where, name, "weight", (width, kernel.shape[0])), self.bias(where, name, width))
                    for name, width in zip(names, widths, strict=True)
                ]
                matrices, biases = zip(*linears, strict=True)
                yield kernel, np.concatenate(matrices).T
                yield part.dense.bias, np.concatenate(biases)
            case AdditiveAttention():
                query, key, score = _counted(where, names, ["query", "key", "score"])
                yield part.query_kernel, self.matrix(where, query, part.query_kernel)
                yield part.key_kernel, self.matrix(where, key, part.key_kernel)
                width = part.bias.shape[0]
                yield part.bias, self.bias(where, query, width) + self.bias(where, key, width)
                yield part.scale, self.matrix(where, score, part.scale)
                self.bias(where, score, 1)  # read, but not needed: softmax ignores what is added to all scores
            case GeneralAttention():
                (name,) = _counted(where, names, ["key"])
                yield part.kernel, self.matrix(where, name, part.kernel)
            case _:
                raise ValueError(f"{where}: a {type(part).__name__} cannot be loaded from a PyTorch module.")

    def stack(self, where: str, stack: Stack, names: list[str]) -> Pairs:
        """The new weights of a stack, from one module for all layers, or from one for each."""
        depth = stack.depth // _one_or_each(where, names, "layer", stack.depth)
        for number, name in enumerate(names):
            layers = enumerate(stack.cells[number * depth : (number + 1) * depth])
            cells = {
                f"_l{layer}{'_reverse' * way}": cell
                for layer, directions in layers
                for way, cell in enumerate(directions)
            }
            start = _joined(name, "weight_ih")
            found = [each.removeprefix(start) for each in self.state if each.startswith(start)]
            if found == [""] and len(cells) == 1:  # an LSTMCell, GRUCell or RNNCell
                cells = {"": cells["_l0"]}
            if set(found) != set(cells):
                hint = "" if found else nearest(start + next(iter(cells)), self.state)
                raise ValueError(
                    f"{where}: depth={stack.depth} and bidirectional={stack.bidirectional} expect "
                    f"{_listed(start + suffix for suffix in cells)}, found "
                    f"{_listed(start + suffix for suffix in found) or 'none'}.{hint}"
                )
            for suffix, cell in cells.items():
                yield from self.cell(where, cell, name, suffix)

    def cell(self, where: str, cell: Cell, name: str, suffix: str) -> Pairs:
        """The new weights of one layer in one direction: matrices transposed, gates in our order."""
        where, rows = _described(where, cell), cell.gates * cell.units

        def ours(array: np.ndarray) -> np.ndarray:
            return array.reshape(cell.gates, cell.units, -1)[TORCH_ORDER[type(cell)]].reshape(array.shape).T

        matrices = [
            ours(self.array(where, name, f"{which}{suffix}", (rows, width)))
            for which, width in (("weight_ih", sum(cell.widths)), ("weight_hh", cell.units))
        ]
        biases = [f"bias_ih{suffix}", f"bias_hh{suffix}"]
        if any(_joined(name, bias) in self.state for bias in biases):
            pair = [ours(self.array(where, name, bias, (rows,))) for bias in biases]
        else:
            pair = [np.zeros(rows)] * 2
        yield from _cell(cell, *matrices, *pair)

    def tokens(self, where: str, part: Tokens, names: list[str]) -> Pairs:
        """The new weights of a readout, from an embedding, if it has one, and from the output's linear layer."""
        inner = {"embedding": part.embedding, "projection": part.projection}
        roles = [role for role, weight in inner.items() if weight is not None] + ["output"]
        modules = dict(zip(roles, _counted(where, names, roles), strict=True))
        if part.embedding is not None:
            yield part.embedding, self.array(where, modules["embedding"], "weight", part.embedding.shape)
        if part.projection is not None:
            yield part.projection, self.matrix(where, modules["projection"], part.projection)
        if part.kernel is not None:
            yield part.kernel, self.matrix(where, modules["output"], part.kernel)
        else:
            embedding, output = (_joined(modules[role], "weight") for role in ("embedding", "output"))
            shape = (part.output_width, part.width)
            if not np.array_equal(self.array(where, "", output, shape), self.array(where, "", embedding, shape)):
                raise ValueError(f"{where}: tied=True needs {output!r} to equal {embedding!r}, but they differ.")
        yield part.bias, self.bias(where, modules["output"], part.output_width)

    def matrix(self, where: str, name: str, kernel: Any) -> np.ndarray:
        """A linear layer's matrix, transposed as our kernels are."""
        return self.array(where, name, "weight", tuple(kernel.shape)[::-1]).T

    def bias(self, where: str, name: str, width: int) -> np.ndarray:
        """A linear layer's bias, or zeros if it has none."""
        return self.array(where, name, "bias", (width,)) if _joined(name, "bias") in self.state else np.zeros(width)

    def array(self, where: str, module: str, parameter: str, shape: Sequence[int]) -> np.ndarray:
        """One array, which must have the given shape."""
        name = _joined(module, parameter)
        if name not in self.state:
            raise ValueError(
                f"{where}: expected {name!r} of shape {tuple(shape)}, which does not exist.{nearest(name, self.state)}"
            )
        self.read.add(name)
        return _shaped(where, repr(name), self.state[name], shape)


def _counted(where: str, names: list[str], roles: list[str]) -> list[str]:
    """The names, which must be one for each role."""
    if len(names) != len(roles):
        raise ValueError(f"{where}: expected one name for each of {', '.join(roles)}, got {_listed(names)}.")
    return names


def _one_or_each(where: str, names: list[str], what: str, count: int) -> int:
    """The number of names, which must be one for all, or one for each."""
    if len(names) not in (1, count):
        raise ValueError(f"{where}: expected one name, or one for each {what} ({count}), got {_listed(names)}.")
    return len(names)


def _joined(module: str, parameter: str) -> str:
    return f"{module}.{parameter}" if module else parameter


# === Keras ===


def _keras_part(where: str, part: Sublayer | keras.layers.Embedding, arrays: Sequence[Any]) -> Pairs:
    """The new weights of a layer."""
    if isinstance(part, Stack | Cell):
        cells = [part] if isinstance(part, Cell) else [cell for layer in part.cells for cell in layer]
        each = len(arrays) // len(cells)
        if each not in (2, 3) or len(arrays) % len(cells):
            raise ValueError(
                f"{where}: expected {3 * len(cells)} arrays (kernel, recurrent kernel and bias of each layer and "
                f"direction), or {2 * len(cells)} without biases, got {len(arrays)}."
            )
        for number, cell in enumerate(cells):
            yield from _keras_cell(where, cell, *arrays[number * each : (number + 1) * each])
        return
    own = list(part.weights)
    if len(arrays) == len(own) - 1 and own[-1].name == "bias":  # use_bias=False
        arrays = [*arrays, np.zeros(own[-1].shape)]
    if len(arrays) != len(own):
        expected = ", ".join(f"{weight.name} {tuple(weight.shape)}" for weight in own)
        raise ValueError(f"{where}: expected {len(own)} arrays ({expected}), got {len(arrays)}.")
    for weight, array in zip(own, arrays, strict=True):
        yield weight, _shaped(where, weight.name, array, weight.shape)


def _keras_cell(where: str, cell: Cell, kernel: Any, recurrent_kernel: Any, bias: Any = None) -> Pairs:
    """The new weights of one layer in one direction; the gates are in our order."""
    where, width = _described(f"{where}, {cell.name}", cell), cell.gates * cell.units
    kernel = _shaped(where, "kernel", kernel, (sum(cell.widths), width))
    recurrent_kernel = _shaped(where, "recurrent_kernel", recurrent_kernel, (cell.units, width))
    if not isinstance(cell, GRUCell):
        bias = np.zeros(width) if bias is None else _shaped(where, "bias", bias, (width,))
        yield from _cell(cell, kernel, recurrent_kernel, bias, np.zeros(width))
        return
    if bias is None:
        raise ValueError(
            f"{where}: without a bias, the weights do not show whether the GRU was made with reset_after=True. "
            f"If it was, add a bias of zeros of shape (2, {width})."
        )
    if np.shape(bias) == (width,):
        raise ValueError(
            f"{where}: expected a bias of shape (2, {width}), found ({width},), as of a GRU with reset_after=False. "
            f"Such a GRU resets the state before the matrix product, which this package's GRU cannot do."
        )
    yield from _cell(cell, kernel, recurrent_kernel, *_shaped(where, "bias", bias, (2, width)))


# === Ours ===


def _cell(
    cell: Cell, kernel: np.ndarray, recurrent_kernel: np.ndarray, bias: np.ndarray, recurrent_bias: np.ndarray
) -> Pairs:
    """The new weights of a cell, from weights with two biases for each gate. Nearly all of these are added to each
    other, so that one bias can be their sum."""
    yield cell.kernel, kernel
    yield cell.recurrent_kernel, recurrent_kernel
    if isinstance(cell, GRUCell):
        own = np.arange(len(bias)) >= 2 * cell.units  # the reset gate multiplies the candidate's second bias
        yield cell.recurrent_bias, recurrent_bias[own]
        recurrent_bias = np.where(own, 0, recurrent_bias)
    yield cell.bias, bias + recurrent_bias


def _part(layer: keras.layers.Layer, path: str) -> tuple[str, Sublayer | keras.layers.Embedding]:
    """The layer at a path, and its name for messages."""
    where, part = path or type(layer).__name__, layer
    for name in path.split(".") if path else ():
        if getattr(part, name, None) is None:
            known = [each for each in dir(part) if isinstance(getattr(part, each, None), keras.layers.Layer)]
            raise ValueError(f"{where}: this {type(part).__name__} has no {name!r}.{nearest(name, known)}")
        part = getattr(part, name)
    if not isinstance(part, Sublayer | keras.layers.Embedding):
        raise ValueError(
            f"{where}: a {type(part).__name__} is not loaded as a whole: name its layers, such as 'encoder.stack'."
        )
    if not part.built:
        raise ValueError(f"{where}: this {type(part).__name__} has no weights to load into yet: call `build` first.")
    return where, part


def _assign(layer: keras.layers.Layer, pairs: list[tuple[Any, np.ndarray]]) -> None:
    """Give the weights their new values, if there is one for each."""
    given = {id(weight) for weight, _ in pairs}
    if missing := [weight.path for weight in layer.trainable_variables if id(weight) not in given]:
        raise ValueError(
            f"No array is given for {_some(missing)} of this {type(layer).__name__}. Name the layer of these weights, "
            f"too."
        )
    for weight, array in pairs:
        weight.assign(array)


def _shaped(where: str, name: str, array: Any, shape: Sequence[int]) -> np.ndarray:
    array = np.asarray(array)
    if array.shape != tuple(shape):
        raise ValueError(f"{where}: expected {name} of shape {tuple(shape)}, found {array.shape}.")
    return array


def _described(where: str, cell: Cell) -> str:
    """A cell as messages describe it."""
    if type(cell) not in TORCH_ORDER:
        raise ValueError(f"{where}: a {type(cell).__name__} cannot be loaded from PyTorch or Keras.")
    return f"{where} ({type(cell).__name__}, {cell.units} units, reads {sum(cell.widths)})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _some(names: list[str]) -> str:
    return _listed(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
