"""The problem for all contestants: sizes, weights and pairs, made with numpy only."""

import collections
import dataclasses

import numpy as np

PADDING, START, END, SPECIALS = 0, 1, 2, 4

Weights = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Problem:
    """The sizes of an encoder, a decoder and pairs without padding."""

    mode: str
    units: int
    length: int
    """The length of every source, and of every target with its end."""
    cell: str = "lstm"
    batch: int = 64
    vocabulary: int = 64
    source_vocabulary: int | None = None
    """That of the targets if not given."""
    depth: int = 1
    pairs: int = 512
    endless: bool = False
    """Whether the bias of padding, start and end prevents their generation, so that every output has full length."""
    weights: str | None = None
    """A file with trained weights and padded `sources` for a search; random ones if not given."""
    steps: int = 20
    """The greatest number of steps of a search."""
    beams: int = 5
    sampling: float | None = None
    """The probability of reading the target in scheduled sampling, else teacher forcing; for ours only."""
    policy: str = "float32"
    """The precision, a Keras dtype policy; for ours only."""
    buckets: int = 1
    """The number of batch shapes for sequences of different lengths; for ours only."""
    file: str | None = None
    """A tab-separated file of pairs to train on, instead of random pairs."""
    pads: bool = False
    """Whether sources may have padding."""

    @property
    def sources(self) -> int:
        """Size of the sources' vocabulary."""
        return self.source_vocabulary or self.vocabulary

    @property
    def gates(self) -> int:
        """Blocks of a cell's kernel."""
        return {"lstm": 4, "gru": 3}[self.cell]

    @property
    def states(self) -> int:
        """State tensors of a cell."""
        return {"lstm": 2, "gru": 1}[self.cell]


def make_pairs(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Sources and targets, int32 `(pairs, length)`; every target ends with the end."""
    random = np.random.default_rng(0)
    shape = (2, problem.pairs, problem.length)
    sources, targets = random.integers(SPECIALS, problem.vocabulary, shape).astype("int32")
    targets[:, -1] = END
    return sources, targets


def make_sources(problem: Problem) -> np.ndarray:
    """Sources for a search, int32 `(sources, length)`, in a number that fills whole batches."""
    if problem.weights is None:
        return make_pairs(problem)[0]
    with np.load(problem.weights) as file:
        sources = file["sources"]
    return sources[: len(sources) // problem.batch * problem.batch]


def shifted(targets: np.ndarray) -> np.ndarray:
    """The decoder's input: the start token, then each target but the last."""
    return np.concatenate([np.full_like(targets[:, :1], START), targets[:, :-1]], axis=1)


def make_weights(problem: Problem) -> Weights:
    """Random weights, with kernels `(input, output)` and gates in the order i, f, g, o (lstm) or z, r, candidate (gru).

    The weights that TensorFlow Addons does not have are zero: the bias of the keys, and the rows of the readout that
    read the context.
    """
    if problem.weights is not None:
        with np.load(problem.weights) as file:
            return dict(file)
    random = np.random.default_rng(1)
    units, gates, attends = problem.units, problem.gates, problem.mode == "attention"

    def matrix(rows: int, columns: int) -> np.ndarray:
        limit = (6 / (rows + columns)) ** 0.5
        return random.uniform(-limit, limit, (rows, columns)).astype("float32")

    def vector(size: int) -> np.ndarray:
        return random.uniform(-0.1, 0.1, size).astype("float32")

    weights: Weights = {}
    for side in ("encoder", "decoder"):
        if (side, problem.mode) != ("decoder", "basic"):
            size = problem.sources if side == "encoder" else problem.vocabulary
            embedding = random.normal(size=(size, units))
            weights[f"{side}.embedding"] = embedding.astype("float32")
        reads = 2 * units if side == "decoder" and problem.mode in ("peek", "attention") else units
        for layer in range(problem.depth):
            weights[f"{side}.{layer}.kernel"] = matrix(units if layer else reads, gates * units)
            weights[f"{side}.{layer}.recurrent_kernel"] = matrix(units, gates * units)
            weights[f"{side}.{layer}.bias"] = vector(gates * units)
            if problem.cell == "gru":
                weights[f"{side}.{layer}.recurrent_bias"] = vector(units)
    states = problem.depth * problem.states * units
    weights |= {"bridge.kernel": matrix(units, states), "bridge.bias": vector(states)}
    if attends:
        weights |= {"attention.query_kernel": matrix(units, units), "attention.key_kernel": matrix(units, units)}
        weights |= {"attention.bias": np.zeros(units, "float32"), "attention.scale": matrix(units, 1)}
    readout = matrix(units, problem.vocabulary)
    weights["readout.kernel"] = np.concatenate([readout, np.zeros_like(readout)]) if attends else readout
    weights["readout.bias"] = vector(problem.vocabulary)
    if problem.endless:
        weights["readout.bias"][[PADDING, START, END]] = -1e9
    return weights


def products_of(problem: Problem) -> dict[tuple[int, int, int], int]:
    """The matrix products `(m, k, n)` of a training step, and the number of each.

    Products that can be computed outside the loop over time are, and the gradient of each weight is one product over
    all steps.
    """
    counts: collections.Counter[tuple[int, int, int]] = collections.Counter()
    batch, length, units, vocabulary = problem.batch, problem.length, problem.units, problem.vocabulary
    width = problem.gates * units

    def product(m: int, k: int, n: int, times: int = 1, rows: int | None = None) -> None:
        """Forward, and the gradients of the input and (over all rows at once) of the weight."""
        counts[m, k, n] += times
        counts[m, n, k] += times
        counts[k, rows or m, n] += 1

    def recurrence(first: int) -> None:
        for layer in range(problem.depth):
            if layer or first:
                product(length * batch, units if layer else first, width)
            product(batch, units, width, times=length, rows=length * batch)

    recurrence(units)
    product(batch, units, problem.depth * problem.states * units)
    recurrence(0 if problem.mode == "basic" else units)
    if problem.mode in ("basic", "peek"):
        product(batch, units, width)  # the summary, once for each sequence
    if problem.mode == "attention":
        product(batch, units, width, times=length, rows=length * batch)  # the context, at every step
        product(batch, units, units, times=length, rows=length * batch)  # the query
        product(length * batch, units, units)  # the keys
    product(length * batch, 2 * units if problem.mode == "attention" else units, vocabulary)
    return dict(counts)
