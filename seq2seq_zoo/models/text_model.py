"""Text in, text out: what every model does that knows its vocabularies."""

import abc
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from seq2seq_zoo.config.options import config_of
from seq2seq_zoo.config.registry import nearest
from seq2seq_zoo.data.padding import few_shapes
from seq2seq_zoo.data.vocabulary import PADDING, Vocabulary
from seq2seq_zoo.decoding import Generated, Scorer, Search, Searcher, searches
from seq2seq_zoo.layers.backend import use_xla

AnySearch = str | Mapping[str, Any] | Search
"""A registered search's name, a mapping of its `name` and options, or a `Search`."""


class TextError(ValueError):
    """A text with which a model can do nothing."""


class Hypothesis(NamedTuple):
    """One output for one source."""

    text: str
    tokens: list[str]
    score: float
    """What the search ranks by: a log-probability, unless a penalty says otherwise."""
    log_prob: float
    """The model's log-probability of the whole output."""
    token_log_probs: list[float]
    """The model's log-probability of each token, and of the end after them if `ended`."""
    ended: bool
    """Whether the model said the end; else it was stopped, or cut at the greatest length."""
    alignment: np.ndarray | None
    """`(outputs, source tokens)`: where each of `token_log_probs`'s outputs looked; `None` in a mode that does
    not look."""


class Prediction(NamedTuple):
    """What a model makes of one source."""

    source: str
    unknown: list[str]
    """The source's tokens that the model does not know, each once."""
    hypotheses: list[Hypothesis]
    """The best first; empty where a search's constraints left nothing to say."""

    @property
    def text(self) -> str:
        """The best output."""
        return self.hypotheses[0].text if self.hypotheses else ""


class Score(NamedTuple):
    """How likely a model finds one given target."""

    log_prob: float
    """Of the whole target, its end included if there is one."""
    token_log_probs: list[float]
    """Of each token, and of the end."""
    most_likely: list[bool]
    """Whether each of them is the likeliest where it stands."""

    @property
    def perplexity(self) -> float:
        """`exp(-mean of token_log_probs)`."""
        return math.exp(-self.log_prob / max(1, len(self.token_log_probs)))


class TextModel(keras.Model, abc.ABC):
    """A model that a search can run. Abstract: `Seq2Seq` is one, and an `Ensemble` of them is another.

    Args:
        source_vocabulary: saved with the model, so that one file gives text in and text out.
        target_vocabulary: the same for the target side.
    """

    def __init__(
        self, source_vocabulary: Vocabulary | None = None, target_vocabulary: Vocabulary | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary
        # In caches, where Keras does not take them for sublayers.
        self._searcher = functools.cache(lambda search: compiled(Searcher(self, search)))
        self._scorer = functools.cache(lambda: compiled(Scorer(self)))

    @property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """The source's and the target's.

        Raises:
            ValueError: the model has none.
        """
        if self.source_vocabulary is None or self.target_vocabulary is None:
            raise ValueError("This model has no vocabularies, so it has no texts: give it ids (`search`).")
        return self.source_vocabulary, self.target_vocabulary

    # === Ids ===

    def searcher(self, search: AnySearch = "greedy") -> Searcher:
        """The Keras model that runs a search over this one; the same one for equal searches."""
        return self._searcher(searches.create(search))

    def search(
        self,
        sources: Any,
        search: AnySearch = "greedy",
        prefix: Any = None,
        allowed: Sequence[int] | np.ndarray | None = None,
        rows: Sequence[int] | None = None,
        stop: Sequence[int] | None = None,
    ) -> Generated:
        """Search for outputs, ids to ids.

        Args:
            sources: ids `(batch, source length)`, or vectors as the encoder takes them.
            search: a registered search's name, a mapping of its `name` and options, or a `Search`.
            prefix: ids `(batch, length)` that the outputs begin with, padded with 0; log-probabilities are still the
                model's own.
            allowed: the ids that an output may have (the end it always may); all if not given.
            rows: for a search by chance, a number for each row that says which chances are its; 0, 1, ... if not
                given.
            stop: the ids after which there is nothing more, unless the prefix has them; the end is one anyway.

        Returns:
            A `Generated` of numpy arrays.

        Raises:
            ValueError: an unknown search or option, or one that does not fit the model.
        """
        searcher = self.searcher(search)
        inputs = {"sources": np.asarray(sources)}
        if prefix is not None:
            inputs["prefix"] = np.asarray(prefix, "int32")
        for name, ids in (("allowed", allowed), ("stop", stop)):
            if ids is not None:
                inputs[name] = np.isin(np.arange(self.readout.vocabulary_size), ids)
        if searcher.search.is_random:
            inputs["random_numbers"] = searcher.random_numbers(range(len(sources)) if rows is None else rows)
        return Generated(**searcher.predict_on_batch(inputs))

    def log_probs(self, sources: Any, targets: Any) -> np.ndarray:
        """The log-probability of each id of given targets, told the right ones before it.

        Args:
            sources: ids `(batch, source length)`, or vectors as the encoder takes them.
            targets: ids `(batch, target length)`, the end included, padded with 0.

        Returns:
            `(batch, target length)`; 0 on padding.
        """
        return self.score_ids(sources, targets)["log_probs"]

    def score_ids(self, sources: Any, targets: Any) -> dict[str, np.ndarray]:
        """The same, and whether each id is the likeliest where it stands: what a `Scorer` returns."""
        return self._scorer().predict_on_batch((sources, targets))

    # === Texts ===

    def generate(
        self,
        sources: Sequence[str],
        search: AnySearch = "greedy",
        prefixes: Sequence[str] | None = None,
        allowed: Iterable[str] | None = None,
        batch_size: int = 64,
        stop: Iterable[str] | None = None,
    ) -> list[str]:
        """The best output for each text; arguments and errors as of `predictions`."""
        return [answer.text for answer in self.predictions(sources, search, prefixes, allowed, batch_size, stop)]

    def predictions(
        self,
        sources: Sequence[str],
        search: AnySearch = "greedy",
        prefixes: Sequence[str] | None = None,
        allowed: Iterable[str] | None = None,
        batch_size: int = 64,
        stop: Iterable[str] | None = None,
        first: int = 0,
    ) -> list[Prediction]:
        """Outputs for each text, with their scores and alignments.

        Texts go through in batches of few shapes, each of which is compiled once; no answer depends on the others in
        its batch.

        Args:
            sources: texts, cut into tokens as the source vocabulary does. Unknown tokens are read as the unknown id.
                A language model reads nothing: to it, they are what the outputs begin with.
            search: a registered search's name, a mapping of its `name` and options, or a `Search`.
            prefixes: what each output begins with.
            allowed: the tokens that outputs may have; all if not given.
            batch_size: texts searched at once; changes no result.
            stop: the tokens with which an output is over, such as a full stop, unless the prefix has them.
            first: the number of the first source, where they are a part of many: what chance decides follows from a
                search's seed and this number.

        Raises:
            TextError: a prefix or token that the model does not know; a prefix longer than an output can be; several
                tokens in place of one.
            ValueError: the model has no vocabularies; not as many prefixes as sources; prefixes besides the texts that
                a language model is given; an unknown search or option, or one that does not fit the model.
        """
        source_vocabulary, target_vocabulary = self.vocabularies
        if isinstance(sources, str):
            raise ValueError("Expected a list of texts, got one text: put it in brackets.")
        given = sources
        if not self.has_source:
            if prefixes is not None and any(given):
                raise ValueError("To a language model, its sources are what outputs begin with: leave prefixes out.")
            sources, prefixes = [""] * len(given), given if prefixes is None else prefixes
        columns = [[source_vocabulary.encode(source) for source in sources]]
        if prefixes is not None:
            if len(prefixes) != len(sources):
                raise ValueError(f"Expected a prefix for each source, got {len(prefixes)} for {len(sources)}.")
            columns.append([_known(target_vocabulary, prefix, "prefix") for prefix in prefixes])
            longest, most = max(map(len, columns[1]), default=0), self.searcher(search).max_length
            if longest > most:
                raise TextError(
                    f"A prefix of {longest} tokens is longer than an output can be: give the search a max_length of "
                    f"more than {longest}, in place of {most}."
                )
        named = {"allowed": ("allowed token", allowed), "stop": ("token to stop at", stop)}
        ids = {
            name: [_one(target_vocabulary, token, what) for token in tokens]
            for name, (what, tokens) in named.items()
            if tokens is not None
        }
        answers: dict[int, Prediction] = {}
        for rows, arrays in few_shapes(columns, batch_size):
            numbers = [*(first + row for row in rows), *[0] * (len(arrays[0]) - len(rows))]
            found = self.search(arrays[0], search, *arrays[1:], rows=numbers, **ids)
            for place, row in enumerate(rows):
                hypotheses = _hypotheses(found, place, target_vocabulary, len(columns[0][row]))
                answers[row] = Prediction(given[row], source_vocabulary.unknown_in(sources[row]), hypotheses)
        return [answers[row] for row in range(len(sources))]

    def score(self, sources: Sequence[str], targets: Sequence[str], batch_size: int = 64) -> list[Score]:
        """How likely the model finds given targets: their forced log-probabilities.

        Args:
            sources: texts.
            targets: a text each, and after it the end if there is one; unknown tokens count as the unknown id.
            batch_size: pairs scored at once; changes no result.

        Raises:
            ValueError: the model has no vocabularies; not as many targets as sources.
        """
        source_vocabulary, target_vocabulary = self.vocabularies
        if len(sources) != len(targets):
            raise ValueError(f"Expected a target for each source, got {len(targets)} for {len(sources)}.")
        end = [] if target_vocabulary.end is None else [target_vocabulary.end]
        said = [[*target_vocabulary.encode(target), *end] for target in targets]
        scores: dict[int, Score] = {}
        for rows, arrays in few_shapes([[source_vocabulary.encode(source) for source in sources], said], batch_size):
            found = self.score_ids(*arrays)
            for place, row in enumerate(rows):
                each, most_likely = (
                    found[what][place, : len(said[row])].tolist() for what in ("log_probs", "most_likely")
                )
                scores[row] = Score(sum(each), each, most_likely)
        return [scores[row] for row in range(len(sources))]

    # === What searches need ===

    @abc.abstractmethod
    def initialize(self, sources: Any) -> tuple[Any, Any]:
        """The memory (with a `mask`) and the first states for a batch of sources; see `Decoder.initialize`."""

    @abc.abstractmethod
    def precompute(self, memory: Any, steps: int) -> Any:
        """The memory with the products that a loop would otherwise repeat at every step; see `Decoder.precompute`."""

    @abc.abstractmethod
    def step(self, previous: Any, states: Any, memory: Any) -> tuple[Any, Any, Any]:
        """`(logits, states, weights)` of one step; see `Decoder.step`."""

    @property
    @abc.abstractmethod
    def readout(self) -> Any:
        """What an output is."""

    @property
    @abc.abstractmethod
    def has_source(self) -> bool:
        """Whether there is anything to read but its own outputs."""

    @property
    @abc.abstractmethod
    def has_attention(self) -> bool:
        """Whether steps give attention weights."""

    @property
    @abc.abstractmethod
    def max_length(self) -> int:
        """The most outputs of a search that does not say otherwise."""

    @property
    @abc.abstractmethod
    def step_policy(self) -> Any:
        """The precision in which steps run."""

    # === Keras ===

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **config_of(self, serialized)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "TextModel":
        """The model of a `get_config`."""
        config = dict(config)
        for side in ("source_vocabulary", "target_vocabulary"):
            config[side] = config[side] and Vocabulary.from_config(config[side])
        return cls(**config)


def serialized(value: Any) -> Any:
    """A vocabulary as plain data, a layer or a model as Keras serializes it."""
    return value.get_config() if isinstance(value, Vocabulary) else keras.saving.serialize_keras_object(value)


def compiled(model: keras.Model) -> Any:
    """The model, compiled to predict as fast as it can here."""
    if use_xla():
        model.compile(jit_compile=True)
    return model


def _one(vocabulary: Vocabulary, text: str, what: str) -> int:
    """The id of a text that is one token."""
    ids = _known(vocabulary, text, what)
    if len(ids) != 1:
        raise TextError(f"Expected one token as {what}, got {text!r}, which has {len(ids)}.")
    return ids[0]


def _known(vocabulary: Vocabulary, text: str, what: str) -> list[int]:
    if unknown := vocabulary.unknown_in(text):
        token = unknown[0]
        raise TextError(f"The {what} has {token!r}, which the model does not know.{nearest(token, vocabulary.tokens)}")
    return vocabulary.encode(text)


def _hypotheses(found: Generated, row: int, vocabulary: Vocabulary, source_length: int) -> list[Hypothesis]:
    hypotheses = []
    for place, score in enumerate(found.scores[row].tolist()):
        if score == -math.inf:
            continue
        ids = found.ids[row, place]
        count = int((ids != PADDING).sum())
        log_probs = found.log_probs[row, place, :count].tolist()
        tokens = vocabulary.tokens_of(ids.tolist())
        alignment = None if found.weights is None else found.weights[row, place, :count, :source_length]
        ended = count > found.lengths[row, place]
        text = vocabulary.join(tokens)
        hypotheses.append(Hypothesis(text, tokens, score, sum(log_probs), log_probs, bool(ended), alignment))
    return hypotheses
