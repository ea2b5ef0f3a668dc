"""What every search is: one loop over a model's step, which keeps one or several hypotheses of each row."""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops, tree

from seq2seq_zoo.config.options import NonNegative, Positive, PositiveFloat, checked, options_of
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.decoding.constraints import ends_ngram, seen_tokens
from seq2seq_zoo.layers.backend import compiled, use_xla
from seq2seq_zoo.layers.readouts.readout import PAD
from seq2seq_zoo.layers.readouts.tokens import Tokens
from seq2seq_zoo.layers.scan import scan

NEVER = -float("inf")
"""The log-probability of what may not come."""


class Generated(NamedTuple):
    """What a search returns: `n_best` hypotheses of each row, the best first."""

    ids: Any
    """`(batch, n_best, length)`: the outputs, the end id included; 0 after it."""
    lengths: Any
    """`(batch, n_best)`: outputs before the end."""
    scores: Any
    """`(batch, n_best)`: what the search ranks by; minus infinity where it found fewer hypotheses than asked for."""
    log_probs: Any
    """`(batch, n_best, length)`: the model's own log-probability of each output, the end included, whatever the search
    made of it; 0 after the end."""
    weights: Any = None
    """`(batch, n_best, length, source length)`: where each output looked; 0 after the end; `None` if the mode does
    not look."""

    @property
    def totals(self) -> Any:
        """`(batch, n_best)`: the log-probability of each whole output."""
        return self.log_probs.sum(-1)


class Hypotheses(NamedTuple):
    """The loop's carry. Every tensor has the shape `(batch, hypotheses, ...)`; a field that is not needed is `()`."""

    states: Any
    previous: Any
    """The last output."""
    totals: Any
    """Sum of the steered log-probabilities so far."""
    lengths: Any
    """Outputs so far, the end included."""
    ended: Any
    history: Any
    """`(batch, hypotheses, max_length)`: the outputs so far, the last one last, padding before them."""
    coverage: Any
    """`(batch, hypotheses, source length)`: attention so far, summed."""


class Candidates(NamedTuple):
    """What may come next, for a search to select from."""

    log_probs: Any
    """`(batch, hypotheses, vocabulary)`: of each output, steered. A hypothesis that has ended can only be padded, at
    no cost."""
    totals: Any
    """`(batch, hypotheses)`: the hypotheses' sums so far."""
    lengths: Any
    """`(batch, hypotheses)`: outputs with the next one."""
    coverage: Any
    """`(batch, hypotheses, source length)`: attention summed, the next output's included."""
    mask: Any
    """`(batch, source length)`: real source positions."""
    draws: Any
    """`(batch, hypotheses)`: a number from [0, 1) each, for a search that leaves it to chance."""


class Search(abc.ABC):
    """How outputs are chosen. Abstract: a search is a subclass that says how to `select`.

    The same search serves any model; it holds options and nothing else.

    Args:
        max_length: the most outputs, the end included; the model's own `max_length` if not given.
        min_length: the fewest outputs before the end.
        repetition_penalty: the log-probability of an output that was said before is multiplied by this; above one
            makes repetition rarer.
        no_repeat_ngram: no run of so many outputs occurs twice in a hypothesis; `None` to allow it.

    Raises:
        ValueError: an option outside its range; `min_length` not below `max_length`.

    Reference:
        Repetition penalty: Keskar et al. 2019, arXiv:1909.05858, section 4.1, on log-probabilities rather than logits.
        Blocked n-grams: Paulus et al. 2018, arXiv:1705.04304, section 2.5.
    """

    hypotheses: int = 1
    """How many are followed at once."""
    n_best: int = 1
    """How many are returned."""
    reorders: bool = False
    """Whether a hypothesis may take the place of another."""
    is_random: bool = False
    """Whether it leaves anything to chance."""
    needs_attention: bool = False
    """Whether it asks what has been looked at, and so needs a mode that looks."""

    @checked
    def __init__(
        self,
        max_length: Positive | None = None,
        min_length: NonNegative = 0,
        repetition_penalty: PositiveFloat = 1.0,
        no_repeat_ngram: Positive | None = None,
    ):
        if max_length is not None and min_length >= max_length:
            raise ValueError(
                f"{type(self).__name__}: `min_length` must be below `max_length`, whose last output may be the end, "
                f"got {min_length} and {max_length}."
            )
        self.max_length = max_length
        self.min_length = min_length
        self.repetition_penalty = repetition_penalty
        self.no_repeat_ngram = no_repeat_ngram

    # === What a search says ===

    def initial_totals(self) -> Sequence[float]:
        """Where each hypothesis begins: 0, or minus infinity for one that is not there yet."""
        return [0.0] * self.hypotheses

    @abc.abstractmethod
    def select(self, candidates: Candidates) -> tuple[Any, Any]:
        """The next hypotheses.

        Returns:
            `(parents, outputs)`, `(batch, hypotheses)` each: which hypothesis goes on, and with what output. Parents
            are `None` in a search that does not reorder.
        """

    def rank(self, totals: Any, lengths: Any, coverage: Any, mask: Any) -> Any:
        """The score of each hypothesis, `(batch, hypotheses)`; the total itself unless a search thinks otherwise."""
        del lengths, coverage, mask
        return totals

    def finished(self, found: Hypotheses, mask: Any, max_length: int) -> Any:
        """For which rows nothing can change any more: boolean `(batch,)`."""
        del mask, max_length
        return ops.all(found.ended, axis=1)

    # === What all share ===

    def apply_constraints(self, log_probs: Any, found: Hypotheses, ends: Any) -> Any:
        """The log-probabilities after the options that every search has; `ends` are the outputs that end one."""
        size = log_probs.shape[-1]
        if self.repetition_penalty != 1:
            log_probs = ops.where(seen_tokens(found.history, size), log_probs * self.repetition_penalty, log_probs)
        if self.no_repeat_ngram is not None:
            log_probs = ops.where(ends_ngram(found.history, self.no_repeat_ngram, size), NEVER, log_probs)
        if self.min_length:
            early = ops.expand_dims(ops.less(found.lengths, self.min_length), -1)
            log_probs = ops.where(ops.logical_and(early, ends), NEVER, log_probs)
        return log_probs

    @property
    def needs_history(self) -> bool:
        """Whether it asks what has been said."""
        return self.repetition_penalty != 1 or self.no_repeat_ngram is not None

    @property
    def options(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {name: getattr(self, name) for name in options_of(type(self))}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.options == self.options

    def __hash__(self) -> int:
        return hash((type(self), *self.options.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.options.items())})"


searches: Registry[Search] = Registry("search", base=Search)


class Searcher(keras.Model):
    """A search over a model, as a Keras model of its own, so that Keras compiles it on any backend.

    The loop stops as soon as nothing can change any more. The encoder's output is not copied for each hypothesis.

    Args:
        model: a `Seq2Seq`, or whatever has its `initialize`, `step`, `readout`, `max_length` and `looks`.
        search: how to choose.

    Call arguments:
        inputs: a mapping of `sources`, as the model's encoder takes them, and, where wanted,
            `prefix`: ids `(batch, length)` that the outputs begin with, padded with 0;
            `allowed`: boolean `(vocabulary,)`, the outputs there may be (the end always may);
            `stops`: boolean `(vocabulary,)`, the outputs after which there is nothing more, unless the prefix has them;
            `draws`: `(max_length, batch, hypotheses)` numbers from [0, 1), for a search that leaves it to chance.

    Returns:
        The fields of a `Generated`; no weights in a mode that does not look.

    Raises:
        ValueError: a search that asks what was looked at, in a mode that does not look; outputs that are not tokens.
    """

    def __init__(self, model: Any, search: Search, **kwargs: Any):
        super().__init__(dtype=model.step_policy, **kwargs)  # the model's step runs here, outside its call
        if not isinstance(model.readout, Tokens):
            raise ValueError(f"A search chooses among tokens, but this model puts out {type(model.readout).__name__}.")
        if search.needs_attention and not model.has_attention:
            raise ValueError(
                f"{type(search).__name__}'s coverage penalty asks where the model has looked, but this one does not "
                f"look at its source: leave the penalty out, or use a mode with attention."
            )
        self.model = model
        self.search = search
        self.max_length = search.max_length or model.max_length
        if search.min_length >= self.max_length:
            raise ValueError(
                f"`min_length` must be below the model's max_length, {self.max_length}, got {search.min_length}."
            )

    def build(self, input_shape: Any) -> None:
        """Create the model's weights, where it has not been called yet."""
        if not self.model.built:
            self.model.build(input_shape["sources"])

    def make_predict_function(self, force: bool = False) -> Any:
        """What Keras's `predict_on_batch` calls with its data."""
        if self.run_eagerly or not (self.jit_compile and use_xla()):
            return super().make_predict_function(force)
        if force or self.predict_function is None:
            search = compiled(self)
            self.predict_function = lambda data: search(data[0][0])
        return self.predict_function

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Search."""
        model, search, readout = self.model, self.search, self.model.readout
        count, size = search.hypotheses, readout.vocabulary_size
        memory, states = model.initialize(inputs["sources"])
        memory = model.precompute(memory, count * self.max_length)
        batch = ops.shape(memory.mask)[0]
        shape = (batch, count)
        never = readout.never_generated
        if "allowed" in inputs:
            ids = ops.arange(size)
            never = ops.logical_or(never, ~ops.logical_or(inputs["allowed"], readout.is_end(ids)))

        def step(found: Hypotheses, x: dict[str, Any]) -> tuple[Hypotheses, Any]:
            logits, states, weights = model.step(found.previous, found.states, memory)
            own = ops.log_softmax(logits)
            steered = search.apply_constraints(ops.where(never, NEVER, own), found, readout.is_end(ops.arange(size)))
            if "prefix" in x:
                told = x["prefix"][:, None, None]
                free = ops.equal(told, PAD)
                # Not one in the other: the converter to ONNX makes products of such, and infinity times zero is none.
                steered = ops.where(free, steered, own)
                steered = ops.where(ops.logical_or(free, ops.equal(told, ops.arange(size))), steered, NEVER)
            padding = ops.where(ops.equal(ops.arange(size), PAD), 0.0, NEVER)
            steered = ops.where(found.ended[..., None], padding, steered)
            going = ops.cast(ops.logical_not(found.ended), "int32")
            lengths = found.lengths + going
            coverage = ()
            if search.needs_attention:
                coverage = found.coverage + ops.cast(weights, "float32") * ops.cast(going, "float32")[..., None]
            candidates = Candidates(steered, found.totals, lengths, coverage, memory.mask, x.get("draws"))
            parents, outputs = search.select(candidates)

            chosen = (ops.arange(count) if parents is None else parents) * size + outputs
            totals = found.totals[..., None] + steered
            totals, own = (_gather(ops.reshape(each, (batch, count * size)), chosen) for each in (totals, own))
            shifts = ops.zeros(shape, "int32")
            kept, ended, history = (states, weights, lengths, coverage), found.ended, found.history
            if parents is not None:
                # What the loop never reaches is left zero, which then means: stays where it is.
                shifts = parents - ops.arange(count)
                kept = tree.map_structure(lambda each: None if each is None else _gather(each, parents), kept)
                ended, history = tree.map_structure(lambda each: _gather(each, parents), (ended, history))
            states, weights, lengths, coverage = kept
            ended = ops.logical_or(ended, ops.logical_or(readout.is_end(outputs), ops.equal(outputs, PAD)))
            if "stop" in inputs:
                stop = ops.take(inputs["stop"], outputs)
                stop = ops.logical_and(stop, x["prefix"][:, None] == PAD) if "prefix" in x else stop
                ended = ops.logical_or(ended, stop)
            if search.needs_history:
                history = ops.concatenate([history[..., 1:], outputs[..., None]], axis=-1)
            own = ops.where(ops.equal(outputs, PAD), 0.0, own)
            following = Hypotheses(states, outputs, totals, lengths, ended, history, coverage)
            return following, (shifts, outputs, own, *(() if weights is None else (weights,)))

        first = Hypotheses(
            states=tree.map_structure(lambda state: ops.repeat(state[:, None], count, axis=1), states),
            previous=ops.broadcast_to(readout.initial_output(batch)[:, None], shape),
            totals=ops.broadcast_to(ops.array(search.initial_totals(), "float32"), shape),
            lengths=ops.zeros(shape, "int32"),
            ended=ops.zeros(shape, "bool"),
            history=ops.zeros((*shape, self.max_length), "int32") if search.needs_history else (),
            coverage=ops.zeros((*shape, ops.shape(memory.mask)[1]), "float32") if search.needs_attention else (),
        )
        xs = {}
        if "prefix" in inputs:
            padded = ops.pad(inputs["prefix"], ((0, 0), (0, self.max_length)))  # whatever its length
            xs["prefix"] = ops.transpose(padded[:, : self.max_length])
        if search.is_random:
            xs["draws"] = inputs["draws"]
        last, (shifts, outputs, log_probs, *weights) = scan(
            step,
            first,
            xs,
            self.max_length,
            until=lambda found: ops.all(search.finished(found, memory.mask, self.max_length)),
        )

        scores = search.rank(last.totals, last.lengths, last.coverage, memory.mask)
        if search.reorders:
            scores, best = ops.top_k(scores, search.n_best)

            def back(slots: Any, shifts: Any) -> tuple[Any, Any]:
                return slots + _gather(shifts, slots), slots

            _, path = scan(back, ops.cast(best, "int32"), shifts, reverse=True)
            outputs, log_probs, *weights = (_along(each, path) for each in (outputs, log_probs, *weights))
        ids, log_probs = (ops.transpose(each, (1, 2, 0)) for each in (outputs, log_probs))
        alive = (scores > NEVER)[..., None]
        ids = ops.where(alive, ids, PAD)
        real = ops.not_equal(ids, PAD)
        spoken = ops.logical_and(real, ops.logical_not(readout.is_end(ids)))
        found = {
            "ids": ids,
            "lengths": ops.sum(ops.cast(spoken, "int32"), axis=-1),
            "scores": scores,
            "log_probs": ops.where(real, log_probs, 0.0),
        }
        if weights:
            found["weights"] = ops.where(real[..., None], ops.transpose(weights[0], (1, 2, 0, 3)), 0.0)
        return found

    def random_numbers(self, rows: Sequence[int]) -> np.ndarray:
        """What chance decides, from the search's seed and the rows' numbers alone: so no row's samples depend on its
        batch.

        Args:
            rows: a number for each row.

        Returns:
            `(max_length, rows, hypotheses)`.
        """
        shape = (self.max_length, self.search.hypotheses)
        seed = getattr(self.search, "seed", 0)
        drawn = [np.random.Generator(np.random.PCG64([seed, row])).random(shape, np.float32) for row in rows]
        return np.stack(drawn, axis=1)


def _gather(x: Any, index: Any) -> Any:
    """`x[b, index[b, i]]`: from `(batch, n, ...)` and `(batch, m)` to `(batch, m, ...)`, as one flat look-up."""
    batch, count = ops.shape(x)[:2]
    flat = ops.reshape(x, (-1, *ops.shape(x)[2:]))
    return ops.take(flat, index + count * ops.arange(batch)[:, None], axis=0)


def _along(x: Any, path: Any) -> Any:
    """`_gather` at every step: from `(time, batch, n, ...)` and `(time, batch, m)` to `(time, batch, m, ...)`."""
    time, batch = ops.shape(x)[:2]
    flat = ops.reshape(x, (-1, *ops.shape(x)[2:]))
    found = _gather(flat, ops.reshape(path, (-1, path.shape[-1])))
    return ops.reshape(found, (time, batch, *ops.shape(found)[1:]))
