"""Weights of foreign encoder-decoders, PyTorch's and Keras's, loaded into our layers.

All or nothing: each weight of ours must be given, and each foreign array must have its place.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from seq2seq_zoo.config.registry import nearest
from seq2seq_zoo.layers.attention import AdditiveAttention, GeneralAttention
from seq2seq_zoo.layers.bridge import DenseBridge
from seq2seq_zoo.layers.cells import Cell, GRUCell, LSTMCell, SimpleCell
from seq2seq_zoo.layers.readouts.tokens import Tokens
from seq2seq_zoo.layers.stack import Stack
from seq2seq_zoo.layers.sublayer import Sublayer

Names = str | Sequence[str]
Pairs = Iterator[tuple[Any, np.ndarray]]  # a weight of ours, and what it shall be

# Where each of our gates' blocks is among theirs.
TORCH_ORDER: dict[type[Cell], list[int]] = {LSTMCell: [0, 1, 2, 3], GRUCell: [1, 0, 2], SimpleCell: [0]}


def from_torch(layer: keras.layers.Layer, state: Mapping[str, Any], names: Mapping[str, Names] | Names = "") -> None:
    """Load a PyTorch module's weights into a layer of ours, which is built. If anything does not fit, nothing changes.

    What each layer of ours is loaded from:

    - `Stack`: an `LSTM`, `GRU` or `RNN`; or one of depth 1, an `LSTMCell`, `GRUCell` or `RNNCell` for each layer.
    - `Embedding`: an `Embedding`.
    - `Tokens`: an `Embedding` (where outputs are fed back), then the output's `Linear`.
    - `DenseBridge`: a `Linear`; or one for each state, layer by layer.
    - `AdditiveAttention`: three `Linear`, of the query, the keys and the score; `GeneralAttention`: the keys' `Linear`.

    A module made with `bias=False` has a bias of zeros here.

    Args:
        layer: a `Seq2Seq`, an encoder, a decoder, or one of the layers above.
        state: the module's `state_dict()`: by name, arrays or whatever `np.asarray` understands.
        names: for each layer inside `layer` its path, and its module's name in `state`, or several modules' names:
            `{"encoder.stack": "encoder.rnn"}`. Names without paths are of `layer` itself; if none are given, `state` is
            that of its module.

    Raises:
        ValueError: a name that is not there; a shape, or a number of layers, directions or modules, that does not fit;
            a weight that nothing is given for; an array that nothing takes.

    Example:

    >>> stack = Stack(4, "gru")
    >>> stack.build((3,))
    >>> shapes = {"weight_ih_l0": (12, 3), "weight_hh_l0": (12, 4), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    >>> from_torch(stack, {name: np.ones(shape) for name, shape in shapes.items()})  # of torch.nn.GRU(3, 4)
    >>> np.asarray(stack.cells[0][0].bias).tolist()  # the gates' two biases as one
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
            f"Nothing in this {type(layer).__name__} takes {_some(unread)}. Name the layer that should; what is not "
            f"needed, leave out of the state dict."
        )
    _assign(layer, pairs)


def from_keras(layer: keras.layers.Layer, weights: Mapping[str, Sequence[Any]] | Sequence[Any]) -> None:
    """Load Keras layers' weights into a layer of ours, which is built. If anything does not fit, nothing changes.

    What each layer of ours is loaded from:

    - `Stack`: an `LSTM`, `GRU` or `SimpleRNN` for each layer; each in a `Bidirectional` where there are two directions.
    - `Embedding`: an `Embedding`.
    - `Tokens`: an `Embedding` (where outputs are fed back), then the output's `Dense`.
    - Others: the same arrays as they have themselves.

    A layer made with `use_bias=False` has a bias of zeros here.

    Args:
        layer: a `Seq2Seq`, an encoder, a decoder, or one of the layers above.
        weights: for each layer inside `layer` its path, and the arrays of their `get_weights()`, one after another:
            `{"encoder.stack": [*lower.get_weights(), *upper.get_weights()]}`. Without paths, the arrays are of `layer`
            itself.

    Raises:
        ValueError: a number of arrays or a shape that does not fit; a weight that nothing is given for; a GRU made with
            `reset_after=False`, or one without the bias that tells.

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
    """A state dict, and which of its arrays have been read."""

    def __init__(self, state: Mapping[str, Any]):
        self.state = state
        self.read: set[str] = set()

    def part(self, where: str, part: Sublayer | keras.layers.Embedding, names: list[str]) -> Pairs:
        """What each weight of a part of ours shall be, of the modules of these names."""
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
                self.bias(where, score, 1)  # it moves all scores alike, which a softmax ignores
            case GeneralAttention():
                (name,) = _counted(where, names, ["key"])
                yield part.kernel, self.matrix(where, name, part.kernel)
            case _:
                raise ValueError(f"{where}: no PyTorch module is known to be a {type(part).__name__}.")

    def stack(self, where: str, stack: Stack, names: list[str]) -> Pairs:
        """Of one module for all layers, or of one for each."""
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
        """Of one layer in one direction: matrices transposed, gates in our order."""
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
        """Of an embedding and of the output's linear layer, or what there is of them."""
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
                raise ValueError(f"{where}: tied=True expects {output!r} to equal {embedding!r}, found other numbers.")
        yield part.bias, self.bias(where, modules["output"], part.output_width)

    def matrix(self, where: str, name: str, kernel: Any) -> np.ndarray:
        """A linear layer's matrix, as our kernel."""
        return self.array(where, name, "weight", tuple(kernel.shape)[::-1]).T

    def bias(self, where: str, name: str, width: int) -> np.ndarray:
        """A linear layer's bias, zeros where it was made without."""
        return self.array(where, name, "bias", (width,)) if _joined(name, "bias") in self.state else np.zeros(width)

    def array(self, where: str, module: str, parameter: str, shape: Sequence[int]) -> np.ndarray:
        """One array, of a given shape."""
        name = _joined(module, parameter)
        if name not in self.state:
            raise ValueError(
                f"{where}: expected {name!r} of shape {tuple(shape)}, which is not there.{nearest(name, self.state)}"
            )
        self.read.add(name)
        return _shaped(where, repr(name), self.state[name], shape)


def _counted(where: str, names: list[str], roles: list[str]) -> list[str]:
    """The names, one for each role."""
    if len(names) != len(roles):
        raise ValueError(f"{where}: expected one name for each of {', '.join(roles)}, got {_listed(names)}.")
    return names


def _one_or_each(where: str, names: list[str], what: str, count: int) -> int:
    """How many names there are: one for all, or one for each."""
    if len(names) not in (1, count):
        raise ValueError(f"{where}: expected one name, or one for each {what} ({count}), got {_listed(names)}.")
    return len(names)


def _joined(module: str, parameter: str) -> str:
    return f"{module}.{parameter}" if module else parameter


# === Keras ===


def _keras_part(where: str, part: Sublayer | keras.layers.Embedding, arrays: Sequence[Any]) -> Pairs:
    """What each weight of a part of ours shall be."""
    if isinstance(part, Stack | Cell):
        cells = [part] if isinstance(part, Cell) else [cell for layer in part.cells for cell in layer]
        each = len(arrays) // len(cells)
        if each not in (2, 3) or len(arrays) % len(cells):
            raise ValueError(
                f"{where}: expected {3 * len(cells)} arrays (kernel, recurrent kernel and bias of each layer and "
                f"direction), or {2 * len(cells)} where there are no biases, got {len(arrays)}."
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
    """Of one layer in one direction: the gates are in our order."""
    where, width = _described(f"{where}, {cell.name}", cell), cell.gates * cell.units
    kernel = _shaped(where, "kernel", kernel, (sum(cell.widths), width))
    recurrent_kernel = _shaped(where, "recurrent_kernel", recurrent_kernel, (cell.units, width))
    if not isinstance(cell, GRUCell):
        bias = np.zeros(width) if bias is None else _shaped(where, "bias", bias, (width,))
        yield from _cell(cell, kernel, recurrent_kernel, bias, np.zeros(width))
        return
    if bias is None:
        raise ValueError(
            f"{where}: weights without a bias do not tell whether the GRU was made with reset_after=True. "
            f"If it was, add a bias of zeros of shape (2, {width})."
        )
    if np.shape(bias) == (width,):
        raise ValueError(
            f"{where}: expected a bias of shape (2, {width}), found ({width},), which is that of reset_after=False: "
            f"such a GRU resets the state before the product, and no weights make ours do so."
        )
    yield from _cell(cell, kernel, recurrent_kernel, *_shaped(where, "bias", bias, (2, width)))


# === Ours ===


def _cell(
    cell: Cell, kernel: np.ndarray, recurrent_kernel: np.ndarray, bias: np.ndarray, recurrent_bias: np.ndarray
) -> Pairs:
    """Our cell's weights, of those with two biases for each gate: most are only ever added to each other."""
    yield cell.kernel, kernel
    yield cell.recurrent_kernel, recurrent_kernel
    if isinstance(cell, GRUCell):
        own = np.arange(len(bias)) >= 2 * cell.units  # the candidate's second bias comes in before the reset gate
        yield cell.recurrent_bias, recurrent_bias[own]
        recurrent_bias = np.where(own, 0, recurrent_bias)
    yield cell.bias, bias + recurrent_bias


def _part(layer: keras.layers.Layer, path: str) -> tuple[str, Sublayer | keras.layers.Embedding]:
    """The part at a path, and how messages call it."""
    where, part = path or type(layer).__name__, layer
    for name in path.split(".") if path else ():
        if getattr(part, name, None) is None:
            known = [each for each in dir(part) if isinstance(getattr(part, each, None), keras.layers.Layer)]
            raise ValueError(f"{where}: this {type(part).__name__} has no {name!r}.{nearest(name, known)}")
        part = getattr(part, name)
    if not isinstance(part, Sublayer | keras.layers.Embedding):
        raise ValueError(
            f"{where}: a {type(part).__name__} is not loaded as one: name the layers in it, such as 'encoder.stack'."
        )
    if not part.built:
        raise ValueError(f"{where}: not built yet, so there are no weights to load into: call `build` before.")
    return where, part


def _assign(layer: keras.layers.Layer, pairs: list[tuple[Any, np.ndarray]]) -> None:
    given = {id(weight) for weight, _ in pairs}
    if missing := [weight.path for weight in layer.trainable_variables if id(weight) not in given]:
        raise ValueError(
            f"Nothing is given for {_some(missing)} of this {type(layer).__name__}. Name their layer, too."
        )
    for weight, array in pairs:
        weight.assign(array)


def _shaped(where: str, name: str, array: Any, shape: Sequence[int]) -> np.ndarray:
    array = np.asarray(array)
    if array.shape != tuple(shape):
        raise ValueError(f"{where}: expected {name} of shape {tuple(shape)}, found {array.shape}.")
    return array


def _described(where: str, cell: Cell) -> str:
    """What a message says of a cell."""
    if type(cell) not in TORCH_ORDER:
        raise ValueError(f"{where}: neither PyTorch nor Keras is known to have a {type(cell).__name__}.")
    return f"{where} ({type(cell).__name__}, {cell.units} units, reads {sum(cell.widths)})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _some(names: list[str]) -> str:
    return _listed(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
