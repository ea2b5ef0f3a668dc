"""The loop that runs a search over a model's steps: constrain, select, reorder, append; then trace back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops, tree

from seq2seq_zoo.decoding.program import Program
from seq2seq_zoo.decoding.search import IMPOSSIBLE, Candidates, Hypotheses, Search
from seq2seq_zoo.layers.readouts.readout import PAD
from seq2seq_zoo.layers.readouts.tokens import Tokens
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.sublayer import Tensor


class Generated(NamedTuple):
    """What a search returns: the `n_best` hypotheses of each row, best first."""

    ids: Tensor
    """`(batch, n_best, length)`: token ids, the end included; 0 after it."""
    lengths: Tensor
    """`(batch, n_best)`: number of tokens before the end."""
    scores: Tensor
    """`(batch, n_best)`: what the search ranks by; minus infinity where there are fewer than `n_best` hypotheses."""
    log_probs: Tensor
    """`(batch, n_best, length)`: log-probability that the model gives each token, the end included, without the
    search's constraints; 0 after the end."""
    weights: Tensor = None
    """`(batch, n_best, length, source length)`: attention weights of each token; 0 after the end; `None` for a model
    without attention."""

    @property
    def totals(self) -> Tensor:
        """`(batch, n_best)`: log-probability of each whole output."""
        return self.log_probs.sum(-1)


class Emitted(NamedTuple):
    """What a step adds to the hypotheses, `(batch, hypotheses, ...)`; the loop stacks it along a leading time axis."""

    ids: Tensor
    """The token."""
    log_probs: Tensor
    """Its log-probability by the model; 0 for padding."""
    weights: Tensor
    """Its attention weights; `()` without attention."""


class Searcher(Program):
    """Runs a search over a model.

    The calculation follows the steps:

    1. Encode the sources, and start with the first hypotheses.
    2. Until the search has finished, or at `max_length`:
       a. `_advance`: run the model one step, which gives the log-probabilities of the next tokens and the next states.
       b. `_constrain`: make the tokens that may not come impossible.
       c. `Search.select`: select the parents that go on, and the token that each new hypothesis adds.
       d. `_reorder`: move each parent's states to the places of the hypotheses that continue it.
       e. `_append`: add the tokens.
    3. `_backtrace`: follow the parents back from the best hypotheses, to collect their tokens.
    4. `_result`: arrange these as a `Generated`.

    The hypotheses of a row share its encoded source, which is not copied.

    Args:
        model: a `Seq2Seq`, or any model with its `initialize`, `precompute`, `step`, `readout`, `max_length`,
            `has_attention` and `step_policy`.
        search: the rule that selects tokens.

    Call arguments:
        inputs: a mapping of `sources`, as the model's encoder takes them, and optionally
            `prefix`: ids `(batch, length)` that the outputs start with, padded with 0;
            `allowed`: boolean `(vocabulary,)`, the tokens that outputs may have (the end is always allowed);
            `stop`: boolean `(vocabulary,)`, the tokens that end an output unless they belong to the prefix;
            `random_numbers`: `(max_length, batch, hypotheses)` numbers from [0, 1), if the search is random.

    Returns:
        The fields of a `Generated` as a mapping, without `weights` if the model has no attention.

    Raises:
        ValueError: the search needs attention and the model has none, the model's outputs are not tokens, or
            `min_length` is not below the model's `max_length`.
    """

    def __init__(self, model: Any, search: Search, **kwargs: Any):
        super().__init__(model, dtype=model.step_policy, **kwargs)  # the model's step runs here, outside its call
        if not isinstance(model.readout, Tokens):
            raise ValueError(
                f"A search needs a model that outputs tokens, but this model's readout is "
                f"{type(model.readout).__name__}: use `predict`."
            )
        if search.needs_attention and not model.has_attention:
            raise ValueError(
                f"{type(search).__name__}'s coverage penalty needs attention weights, but this model has no "
                f"attention: leave the penalty out, or use a mode with attention."
            )
        self.search = search
        self.max_length = search.max_length or model.max_length
        if search.min_length >= self.max_length:
            raise ValueError(
                f"`min_length` must be below the model's max_length, {self.max_length}, got {search.min_length}."
            )

    def max_steps(self, inputs: dict[str, Any]) -> int:
        """The steps of the encoder and those of the search."""
        return inputs["sources"].shape[1] + self.max_length

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Run the search."""
        search = self.search
        memory, states = self.model.initialize(inputs["sources"])
        memory = self.model.precompute(memory, search.hypotheses * self.max_length)
        forbidden = self._forbidden(inputs.get("allowed"))

        def step(hypotheses: Hypotheses, now: dict[str, Any]) -> tuple[Hypotheses, tuple[Tensor, Emitted]]:
            log_probs, weights, advanced = self._advance(hypotheses, memory)
            constrained = self._constrain(log_probs, hypotheses, forbidden, now.get("prefix"))
            totals, lengths, coverage = hypotheses.totals, advanced.lengths, advanced.coverage
            parents, ids = search.select(
                Candidates(constrained, totals, lengths, coverage, memory.mask, now.get("random_numbers"))
            )
            totals, log_probs = _selected((totals[..., None] + constrained, log_probs), parents, ids)
            advanced, weights = self._reorder((advanced, weights), parents)
            following = self._append(advanced, ids, totals, inputs.get("stop"), now.get("prefix"))
            emitted = Emitted(ids, ops.where(ops.equal(ids, PAD), 0.0, log_probs), weights)
            # Shifts instead of the parents, since the loop leaves zeros at steps that it does not reach: no shift.
            shifts = ops.zeros_like(ids) if parents is None else parents - ops.arange(search.hypotheses, dtype="int32")
            return following, (shifts, emitted)

        last, (shifts, emitted) = scan(
            step,
            self._start(states, memory.mask),
            self._given_at_each_step(inputs),
            self.max_length,
            until=lambda hypotheses: ops.all(search.finished(hypotheses, memory.mask, self.max_length)),
        )
        scores = search.rank(last.totals, last.lengths, last.coverage, memory.mask)
        if search.reorders:
            scores, best = ops.top_k(scores, search.n_best)
            emitted = self._backtrace(best, shifts, emitted)
        return self._result(scores, emitted)

    # === Before the loop ===

    def _start(self, states: Any, mask: Tensor) -> Hypotheses:
        """The hypotheses before the first step."""
        search, (batch, length) = self.search, ops.shape(mask)
        shape = (batch, search.hypotheses)
        return Hypotheses(
            states=tree.map_structure(lambda state: ops.repeat(state[:, None], search.hypotheses, axis=1), states),
            previous=ops.broadcast_to(self.model.readout.initial_output(batch)[:, None], shape),
            totals=ops.broadcast_to(ops.array(search.initial_totals(), "float32"), shape),
            lengths=ops.zeros(shape, "int32"),
            ended=ops.zeros(shape, "bool"),
            history=ops.zeros((*shape, self.max_length), "int32") if search.needs_history else (),
            coverage=ops.zeros((*shape, length), "float32") if search.needs_attention else (),
        )

    def _forbidden(self, allowed: Tensor) -> Tensor:
        """The tokens that no output may have: boolean `(vocabulary,)`."""
        readout = self.model.readout
        if allowed is None:
            return readout.never_generated
        ends = readout.is_end(ops.arange(readout.vocabulary_size, dtype="int32"))
        return ops.logical_or(readout.never_generated, ~ops.logical_or(allowed, ends))

    def _given_at_each_step(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs that differ from step to step, time first: the prefix and the random numbers."""
        given = {}
        if "prefix" in inputs:
            padded = ops.pad(inputs["prefix"], ((0, 0), (0, self.max_length)))  # its length may not be known yet
            given["prefix"] = ops.transpose(padded[:, : self.max_length])
        if self.search.is_random:
            given["random_numbers"] = inputs["random_numbers"]
        return given

    # === One step ===

    def _advance(self, hypotheses: Hypotheses, memory: Any) -> tuple[Tensor, Tensor, Hypotheses]:
        """Run the model one step.

        Returns:
            The log-probabilities of the next tokens, the attention weights (`()` without attention), and the hypotheses
            with their next states, lengths and coverage. `previous` and `totals` await the selection.
        """
        logits, states, weights = self.model.step(hypotheses.previous, hypotheses.states, memory)
        going_on = ops.cast(ops.logical_not(hypotheses.ended), "int32")
        coverage = ()
        if self.search.needs_attention:
            coverage = hypotheses.coverage + ops.cast(weights, "float32") * ops.cast(going_on, "float32")[..., None]
        advanced = hypotheses._replace(
            states=states, previous=(), totals=(), lengths=hypotheses.lengths + going_on, coverage=coverage
        )
        return ops.log_softmax(logits), () if weights is None else weights, advanced

    def _constrain(self, log_probs: Tensor, hypotheses: Hypotheses, forbidden: Tensor, prefix: Tensor) -> Tensor:
        """The log-probabilities `(batch, hypotheses, vocabulary)` that the search selects by.

        1. Forbidden tokens are impossible, and the search's own options apply.
        2. Where the prefix has a token, that token keeps the model's log-probability, and all others are impossible.
        3. A hypothesis that has ended can only be padded, with log-probability 0.
        """
        readout = self.model.readout
        ids = ops.arange(readout.vocabulary_size, dtype="int32")
        constrained = ops.where(forbidden, IMPOSSIBLE, log_probs)
        constrained = self.search.apply_constraints(constrained, hypotheses, readout.is_end(ids))
        if prefix is not None:
            prefix = prefix[:, None, None]
            is_free = ops.equal(prefix, PAD)
            # Two `where`, not one nested in the other: the converter to ONNX turns nested ones into products, and zero
            # times infinity is not a number.
            constrained = ops.where(is_free, constrained, log_probs)
            constrained = ops.where(ops.logical_or(is_free, ops.equal(prefix, ids)), constrained, IMPOSSIBLE)
        only_padding = ops.cast(ops.where(ops.equal(ids, PAD), 0.0, IMPOSSIBLE), log_probs.dtype)
        return ops.where(hypotheses.ended[..., None], only_padding, constrained)

    def _reorder(self, structure: Any, parents: Tensor) -> Any:
        """Move everything that belongs to a hypothesis to the places of the new ones that continue it.

        Args:
            structure: any structure of tensors `(batch, hypotheses, ...)`, such as states.
            parents: `(batch, hypotheses)`: which hypothesis each new one continues; `None` if each continues itself.
        """
        return structure if parents is None else tree.map_structure(lambda each: _gather(each, parents), structure)

    def _append(self, hypotheses: Hypotheses, ids: Tensor, totals: Tensor, stop: Tensor, prefix: Tensor) -> Hypotheses:
        """Add the selected tokens to the reordered hypotheses, and note which of these have ended."""
        is_last = ops.logical_or(self.model.readout.is_end(ids), ops.equal(ids, PAD))
        ended = ops.logical_or(hypotheses.ended, is_last)
        if stop is not None:
            is_stop = ops.take(stop, ids)
            if prefix is not None:
                is_stop = ops.logical_and(is_stop, prefix[:, None] == PAD)
            ended = ops.logical_or(ended, is_stop)
        history = hypotheses.history
        if self.search.needs_history:
            history = ops.concatenate([history[..., 1:], ids[..., None]], axis=-1)
        return hypotheses._replace(previous=ids, totals=totals, ended=ended, history=history)

    # === After the loop ===

    def _backtrace(self, best: Tensor, shifts: Tensor, emitted: Emitted) -> Emitted:
        """Collect what led to the best hypotheses.

        Args:
            best: `(batch, n_best)`: their places at the last step.
            shifts: `(time, batch, hypotheses)`: what leads from each place to its parent's, one step before.
            emitted: `(time, batch, hypotheses, ...)`, by place.

        Returns:
            The same, `(time, batch, n_best, ...)`, by hypothesis.
        """

        def back(places: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
            return places + _gather(shifts, places), places

        _, path = scan(back, ops.cast(best, "int32"), shifts, reverse=True)
        return tree.map_structure(lambda each: _gather_at_each_step(each, path), emitted)

    def _result(self, scores: Tensor, emitted: Emitted) -> dict[str, Any]:
        """The fields of a `Generated`, of what was emitted `(time, batch, n_best, ...)`."""
        ids, log_probs = (ops.transpose(each, (1, 2, 0)) for each in (emitted.ids, emitted.log_probs))
        exists = (scores > IMPOSSIBLE)[..., None]
        ids = ops.where(exists, ids, PAD)
        real = ops.not_equal(ids, PAD)
        before_end = ops.logical_and(real, ops.logical_not(self.model.readout.is_end(ids)))
        result = {
            "ids": ids,
            "lengths": ops.sum(ops.cast(before_end, "int32"), axis=-1),
            "scores": scores,
            "log_probs": ops.where(real, log_probs, 0.0),
        }
        if self.model.has_attention:
            weights = ops.transpose(emitted.weights, (1, 2, 0, 3))
            result["weights"] = ops.where(real[..., None], weights, 0.0)
        return result

    # === Chance ===

    def random_numbers(self, rows: Sequence[int]) -> np.ndarray:
        """The random numbers that a search needs. They depend on the search's seed and on the rows' numbers alone, so
        a row's samples do not depend on the other rows of its batch.

        Args:
            rows: a number for each row.

        Returns:
            `(max_length, rows, hypotheses)` numbers from [0, 1).
        """
        shape = (self.max_length, self.search.hypotheses)
        seed = getattr(self.search, "seed", 0)
        drawn = [np.random.Generator(np.random.PCG64([seed, row])).random(shape, np.float32) for row in rows]
        return np.stack(drawn, axis=1)


def _selected(each_token: tuple[Tensor, ...], parents: Tensor, ids: Tensor) -> list[Tensor]:
    """Of tensors `(batch, hypotheses, vocabulary)`, the entries of the selected parents and tokens."""
    count, size = each_token[0].shape[1:]
    places = (ops.arange(count, dtype="int32") if parents is None else parents) * size + ids
    return [_gather(ops.reshape(each, (-1, count * size)), places) for each in each_token]


def _gather(x: Tensor, index: Tensor) -> Tensor:
    """`x[b, index[b, i]]`: from `(batch, n, ...)` and `(batch, m)` to `(batch, m, ...)`, as one flat look-up."""
    batch, count = ops.shape(x)[:2]
    flat = ops.reshape(x, (-1, *ops.shape(x)[2:]))
    return ops.take(flat, index + count * ops.arange(batch, dtype="int32")[:, None], axis=0)


def _gather_at_each_step(x: Tensor, index: Tensor) -> Tensor:
    """`_gather` at every step: from `(time, batch, n, ...)` and `(time, batch, m)` to `(time, batch, m, ...)`."""
    time, batch = ops.shape(x)[:2]
    flat = ops.reshape(x, (-1, *ops.shape(x)[2:]))
    gathered = _gather(flat, ops.reshape(index, (-1, index.shape[-1])))
    return ops.reshape(gathered, (time, batch, *ops.shape(gathered)[1:]))
