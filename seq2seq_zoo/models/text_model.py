"""Models that a search can run: ids in and ids out, or texts in and texts out."""

import abc
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.data.padding import few_shapes
from seq2seq_zoo.data.vocabulary import Vocabulary, expect_texts, name_of
from seq2seq_zoo.decoding.scorer import Scorer
from seq2seq_zoo.decoding.search import Search, searches
from seq2seq_zoo.decoding.searcher import Generated, Searcher
from seq2seq_zoo.models.vocabulary_model import VocabularyModel, check_ids
from seq2seq_zoo.runtime.prediction import Prediction, Score, copied, hypotheses_of

AnySearch = str | Mapping[str, Any] | Search
"""A registered search's name, a mapping of its `name` and options, or a `Search`."""


class TextError(ValueError):
    """A text that a model cannot process."""


class TextModel(VocabularyModel, abc.ABC):
    """A model that generates tokens step by step, so that a search can run it. Abstract: `Seq2Seq` and `Ensemble` are
    such models.

    Args:
        source_vocabulary: turns source texts into ids; `None` for a model of ids or vectors.
        target_vocabulary: turns ids into output texts; `None` for a model of ids or vectors.
    """

    readout: Any
    """What an output is."""
    has_source: bool
    """Whether there is a source; a language model has none, and reads only its own outputs."""
    has_attention: bool
    """Whether a step returns attention weights."""
    max_length: int
    """Maximum number of output tokens of a search that does not set its own."""
    step_policy: Any
    """The dtype policy of a step."""

    def __init__(
        self, source_vocabulary: Vocabulary | None = None, target_vocabulary: Vocabulary | None = None, **kwargs: Any
    ):
        super().__init__(source_vocabulary, target_vocabulary, **kwargs)
        # In caches, where Keras does not mistake them for sublayers.
        self._searcher = functools.cache(lambda search: Searcher(self, search))
        self._scorer = functools.cache(lambda: Scorer(self))

    # === What searches need ===

    @abc.abstractmethod
    def initialize(self, sources: Any) -> tuple[Any, Any]:
        """The memory (with a `mask`) and the initial states for a batch of sources; see `Decoder.initialize`."""

    @abc.abstractmethod
    def precompute(self, memory: Any, steps: int) -> Any:
        """The memory with the products that a loop would otherwise repeat at every step; see `Decoder.precompute`."""

    @abc.abstractmethod
    def step(self, previous: Any, states: Any, memory: Any) -> tuple[Any, Any, Any]:
        """`(logits, states, weights)` of one step; see `Decoder.step`."""

    # === Ids ===

    def searcher(self, search: AnySearch = "greedy") -> Searcher:
        """The Keras model that runs a search over this model. Equal searches share one."""
        return self._searcher(searches.create(search))

    def scorer(self) -> Scorer:  # a method, since Keras saves the models that are attributes
        """The Keras model that scores targets with this model."""
        return self._scorer()

    def search(
        self,
        sources: Any,
        search: AnySearch = "greedy",
        prefix: Any = None,
        allowed: Sequence[int] | np.ndarray | None = None,
        rows: Sequence[int] | None = None,
        stop: Sequence[int] | None = None,
        forbidden: Sequence[int] | np.ndarray | None = None,
    ) -> Generated:
        """Search for outputs, from ids to ids.

        Args:
            sources: ids `(batch, source length)`, or vectors as the encoder takes them.
            search: a registered search's name, a mapping of its `name` and options, or a `Search`.
            prefix: ids `(batch, length)` that the outputs start with, padded with 0. Their log-probabilities are the
                model's own.
            allowed: ids that outputs may have, besides the end; all by default.
            rows: for a random search, the number of each row, which selects its random numbers; 0, 1, ... by default.
            stop: ids that end an output, besides the end; in the prefix they do not.
            forbidden: ids that outputs may not have, except in the prefix; the end is always allowed.

        Returns:
            A `Generated` of numpy arrays.

        Raises:
            ValueError: the search or an option is unknown, or does not fit the model; an id is outside the vocabulary.
        """
        searcher = self.searcher(search)
        inputs = {"sources": np.asarray(sources)}
        check_ids("sources", inputs["sources"], self.source_size)
        size = self.readout.vocabulary_size
        if prefix is not None:
            inputs["prefix"] = np.asarray(prefix, "int32")
            check_ids("prefix", inputs["prefix"], size)
        everything = np.arange(size)
        if forbidden is not None:
            check_ids("forbidden", forbidden, size, rank=1)
            allowed = np.setdiff1d(everything if allowed is None else np.asarray(allowed, "int32"), forbidden)
        for name, ids in (("allowed", allowed), ("stop", stop)):
            if ids is not None:
                check_ids(name, ids, size, rank=1)
                inputs[name] = np.isin(everything, ids)
        if searcher.search.is_random:
            inputs["random_numbers"] = searcher.random_numbers(range(len(sources)) if rows is None else rows)
        return Generated(**searcher.predict_on_batch(inputs))

    def log_probs(self, sources: Any, targets: Any) -> np.ndarray:
        """The log-probability of each id of given targets, by teacher forcing.

        Args:
            sources: ids `(batch, source length)`, or vectors as the encoder takes them.
            targets: ids `(batch, target length)`, the end included, padded with 0.

        Returns:
            `(batch, target length)`; 0 for padding.
        """
        return self.score_ids(sources, targets)["log_probs"]

    def score_ids(self, sources: Any, targets: Any) -> dict[str, np.ndarray]:
        """The log-probability of each id of given targets, and whether it is the most likely one at its position.

        Args:
            sources: ids `(batch, source length)`, or vectors as the encoder takes them.
            targets: ids `(batch, target length)`, the end included, padded with 0.

        Returns:
            `log_probs` and `most_likely` as a `Scorer` returns them, `(batch, target length)` each.

        Raises:
            ValueError: an id is outside the vocabulary, or the model's outputs are not tokens.
        """
        check_ids("sources", sources, self.source_size)
        check_ids("targets", targets, self.readout.vocabulary_size)
        return self.scorer().predict_on_batch({"sources": np.asarray(sources), "targets": np.asarray(targets)})

    # === Texts ===

    def generate(
        self,
        sources: Sequence[str],
        search: AnySearch = "greedy",
        prefixes: Sequence[str] | None = None,
        allowed: Iterable[str] | None = None,
        batch_size: int = 64,
        stop: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
        copy_unknown: bool = False,
    ) -> list[str]:
        """The best output for each text. Arguments and errors are those of `predictions`."""
        given = {"stop": stop, "forbidden": forbidden, "copy_unknown": copy_unknown}
        return [each.text for each in self.predictions(sources, search, prefixes, allowed, batch_size, **given)]

    def predictions(
        self,
        sources: Sequence[str],
        search: AnySearch = "greedy",
        prefixes: Sequence[str] | None = None,
        allowed: Iterable[str] | None = None,
        batch_size: int = 64,
        stop: Iterable[str] | None = None,
        first: int = 0,
        forbidden: Iterable[str] | None = None,
        copy_unknown: bool = False,
    ) -> list[Prediction]:
        """The outputs for each text, with their scores and alignments.

        Texts are searched in batches of few shapes, since each shape is compiled once. No output depends on the other
        texts of its batch.

        Args:
            sources: texts, which the source vocabulary splits into tokens; unknown tokens get the unknown id. A
                language model has no sources: its outputs start with these texts.
            search: a registered search's name, a mapping of its `name` and options, or a `Search`.
            prefixes: a text for each source that its outputs start with.
            allowed: tokens that outputs may have; all by default.
            batch_size: number of texts that are searched at once; has no effect on the results.
            stop: tokens that end an output, such as a full stop; in a prefix they do not.
            first: number of the first source, if these are part of a longer list. A random search takes its random
                numbers from its seed and the source's number.
            forbidden: tokens that outputs may not have, except in a prefix; "<unk>" for the unknown token.
            copy_unknown: whether to replace each unknown token of an output by the source token with the largest
                attention weight at its step. Log-probabilities remain those of the unknown token.

        Raises:
            TextError: a prefix or token is not in the vocabulary, a prefix is longer than an output can be, there are
                several tokens in place of one, or unknown tokens are to be copied without attention.
            ValueError: the model has no vocabularies, the sources are not a list of texts, the numbers of prefixes and
                sources differ, a language model gets prefixes besides its texts, or the search or an option is unknown
                or does not fit the model.
        """
        source_vocabulary, target_vocabulary = self.vocabularies
        expect_texts(sources)
        if copy_unknown and not self.has_attention:
            raise TextError(
                "copy_unknown replaces unknown tokens by the source tokens that attention selects, but this model has "
                "no attention: leave it out, or use a mode with attention."
            )
        texts = sources
        if not self.has_source:
            sources, prefixes = [""] * len(texts), _texts_as_prefixes(texts, prefixes)
        columns = [[source_vocabulary.encode(source) for source in sources]]
        if prefixes is not None:
            columns.append(self._encode_prefixes(prefixes, len(sources), self.searcher(search).max_length))
        allowed_ids = _token_ids(target_vocabulary, allowed, "allowed token")
        stop_ids = _token_ids(target_vocabulary, stop, "stop token")
        forbidden_ids = _token_ids(target_vocabulary, forbidden, "forbidden token")
        constraints = {"allowed": allowed_ids, "stop": stop_ids, "forbidden": forbidden_ids}
        predictions: dict[int, Prediction] = {}
        for rows, (source_ids, *prefix_ids) in few_shapes(columns, batch_size):
            numbers = [*(first + row for row in rows), *[0] * (len(source_ids) - len(rows))]  # any for filled-up rows
            generated = self.search(source_ids, search, *prefix_ids, rows=numbers, **constraints)
            found = hypotheses_of(generated._asdict(), target_vocabulary, [len(columns[0][row]) for row in rows])
            for row, hypotheses in zip(rows, found, strict=True):
                if copy_unknown:
                    source_tokens = source_vocabulary.split(sources[row])
                    hypotheses = [copied(each, source_tokens, target_vocabulary) for each in hypotheses]
                predictions[row] = Prediction(texts[row], source_vocabulary.unknown_in(sources[row]), hypotheses)
        return [predictions[row] for row in range(len(sources))]

    def _encode_prefixes(self, prefixes: Sequence[str], count: int, max_length: int) -> list[list[int]]:
        """The ids of each source's prefix."""
        expect_texts(prefixes)
        if len(prefixes) != count:
            raise ValueError(f"Expected a prefix for each source, got {len(prefixes)} for {count}.")
        encoded = [_known_ids(self.vocabularies[1], prefix, "prefix") for prefix in prefixes]
        longest = max(map(len, encoded), default=0)
        if longest > max_length:
            raise TextError(
                f"A prefix has {longest} tokens, but an output has at most {max_length}: give the search a max_length "
                f"above {longest}."
            )
        return encoded

    def score(self, sources: Sequence[str], targets: Sequence[str], batch_size: int = 64) -> list[Score]:
        """How likely given targets are: their log-probabilities by teacher forcing.

        Args:
            sources: texts.
            targets: one text for each source, without the end, which is added; unknown tokens count as the unknown id.
            batch_size: number of pairs that are scored at once; has no effect on the results.

        Raises:
            ValueError: the model has no vocabularies, the sources or targets are not a list of texts, or their numbers
                differ.
        """
        source_vocabulary, target_vocabulary = self.vocabularies
        expect_texts(sources)
        expect_texts(targets)
        if len(sources) != len(targets):
            raise ValueError(f"Expected a target for each source, got {len(targets)} for {len(sources)}.")
        end = [] if target_vocabulary.end is None else [target_vocabulary.end]
        source_ids = [source_vocabulary.encode(source) for source in sources]
        target_ids = [[*target_vocabulary.encode(target), *end] for target in targets]
        scores: dict[int, Score] = {}
        for rows, batch in few_shapes([source_ids, target_ids], batch_size):
            scored = self.score_ids(*batch)
            for place, row in enumerate(rows):
                real = place, slice(len(target_ids[row]))
                log_probs = scored["log_probs"][real].tolist()
                scores[row] = Score(sum(log_probs), log_probs, scored["most_likely"][real].tolist())
        return [scores[row] for row in range(len(sources))]


def _texts_as_prefixes(texts: Sequence[str], prefixes: Sequence[str] | None) -> Sequence[str]:
    """What a language model's outputs start with: the texts that it is given in place of sources."""
    if prefixes is None:
        return texts
    if any(texts):
        raise ValueError("A language model's outputs start with the texts that it is given: leave `prefixes` out.")
    return prefixes


def _token_ids(vocabulary: Vocabulary, tokens: Iterable[str] | None, what: str) -> list[int] | None:
    """The id of each of some texts, each of which is one token."""
    if tokens is None:
        return None
    ids = []
    for token in tokens:
        if not isinstance(token, str):
            raise TextError(f"Expected one token as {what}, got {token!r}.")
        if vocabulary.unknown is not None and token == vocabulary.tokens[vocabulary.unknown]:
            ids.append(vocabulary.unknown)
            if token not in vocabulary.ordinary:  # texts may contain the name itself
                continue
        found = _known_ids(vocabulary, token, what)
        if len(found) != 1:
            form = "" if vocabulary.normalize == "none" else f" in the normal form {vocabulary.normalize}"
            raise TextError(f"Expected one token as {what}, got {token!r}, which has {len(found)} tokens{form}.")
        ids += found
    return ids


def _known_ids(vocabulary: Vocabulary, text: str, what: str) -> list[int]:
    """The ids of a text, all of whose tokens must be in the vocabulary."""
    if unknown := vocabulary.unknown_in(text):
        token = unknown[0]
        raise TextError(
            f"The {what} contains {name_of(token)}, which is not in the model's vocabulary."
            f"{nearest(token, vocabulary.tokens)}"
        )
    return vocabulary.encode(text)
