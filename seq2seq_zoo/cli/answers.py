"""What `predict` writes for texts, and what it reports at the end."""

import dataclasses
import gc
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_zoo.cli.models import UnknownTokens, make_search, require_vocabularies
from seq2seq_zoo.cli.shared import UsageError, note

if TYPE_CHECKING:
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.runtime.prediction import Prediction

JSON_LINES = (".jsonl", ".ndjson", ".json")
PARQUET = ".parquet"
BULK = 64
"""How many texts of a large number are searched at once. More fit less well into the caches of a processor."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The outputs that are wanted, and their form: the options of `predict`."""

    search: str = "greedy"
    overrides: tuple[str, ...] = ()
    n_best: int | None = None
    mass: float | None = None
    prefix: str | None = None
    stop: str | None = None
    forbid: tuple[str, ...] = ()
    copy_unknown: bool = False
    scores: bool = False
    as_json: bool = False

    @property
    def searching(self) -> bool:
        """Whether an option needs a search."""
        plain = Wanted(scores=self.scores, as_json=self.as_json)
        return self != plain

    @property
    def numbered(self) -> bool:
        """Whether the number of the source precedes each output."""
        return (self.n_best is not None or self.mass is not None) and not self.as_json

    def number(self, number: int, lines: list[str]) -> list[str]:
        """The lines for a text, with its number if it is wanted."""
        return [f"{number}\t{line}" for line in lines] if self.numbered else lines


class Answers:
    """The outputs of a model for texts, as lines.

    Args:
        model: the model.
        path: of the model, for messages.
        wanted: which outputs.
        alignments: whether attention weights are wanted.

    Raises:
        UsageError: an option does not fit the model.
    """

    def __init__(self, model: Any, path: Path, wanted: Wanted, alignments: bool = False):
        from seq2seq_zoo.runtime.directory import ExportedModel

        self.model: Any = require_vocabularies(model, path)
        self.wanted = wanted
        self.search = self.max_length = None
        if isinstance(model, ExportedModel):
            self.max_length = model.max_length
        elif hasattr(model, "searcher"):
            self.search = make_search(model, wanted.search, wanted.overrides, wanted.n_best, wanted.mass)
            if model.readout.end is not None:
                self.max_length = model.searcher(self.search).max_length
        elif wanted.searching or alignments:
            raise UsageError(
                f"{path} has no decoder, so it has no search: give it texts, --file, --scores or --json only."
            )
        for option, given in (("--alignments", alignments), ("--copy-unknown", wanted.copy_unknown)):
            if given and not model.has_attention:
                raise UsageError(f"{option}: {path} has no attention: train a model of mode attention.")
        if wanted.prefix is not None and not model.has_source:
            raise UsageError(
                f"--prefix: {path} is a language model, which continues its texts: give the prefix as a text."
            )

    @property
    def input_vocabulary(self) -> "Vocabulary":
        """The vocabulary of the texts."""
        return self.model.vocabularies[0 if self.model.has_source else 1]

    def counts(self) -> "Counts":
        """Counts of nothing yet."""
        return Counts(self.description())

    def description(self) -> dict[str, Any]:
        """What must be known of the model to read sources for it and to count, as plain JSON."""
        source, target = self.model.vocabularies
        stop = self.wanted.stop
        return {
            "has_source": self.model.has_source,
            "vocabulary": self.input_vocabulary.get_config(),
            "is_random": self.search is not None and self.search.is_random,
            "separators": [source.separator, target.separator],
            "max_length": self.max_length,
            "stop": None if stop is None else target.normalized(stop),
            "mass": self.wanted.mass,
        }

    def predictions(self, texts: Sequence[str], first: int, batch_size: int = 64) -> "list[Prediction]":
        """The outputs that the search finds for each text.

        Args:
            texts: the texts.
            first: the number of texts before these.
            batch_size: number of texts that are searched at once.
        """
        wanted = self.wanted
        if self.search is None:
            more = {"copy_unknown": True} if wanted.copy_unknown else {}
            return self.model.predictions(texts, batch_size=batch_size, **more)
        return self.model.predictions(
            texts,
            self.search,
            None if wanted.prefix is None else [wanted.prefix] * len(texts),
            batch_size=batch_size,
            stop=None if wanted.stop is None else [wanted.stop],
            first=first,
            forbidden=wanted.forbid or None,
            copy_unknown=wanted.copy_unknown,
        )

    def select(self, prediction: "Prediction", counts: "Counts", times: int = 1) -> "Prediction":
        """A prediction with the outputs that are wanted of it.

        Args:
            prediction: from `predictions`.
            counts: to which it is added.
            times: how often its text occurs.
        """
        mass = self.wanted.mass
        if mass is not None:
            start = (self.wanted.prefix or "") if self.model.has_source else prediction.source
            length = len(self.model.vocabularies[1].split(start))
            counts.uncovered += times * (prediction.mass(length) < mass)
            prediction = prediction.covering(mass, length)
        counts.add(prediction, times)
        return prediction

    def lines(self, number: int, prediction: "Prediction") -> list[str]:
        """The lines for a text, whose number is counted from 1."""
        return self.wanted.number(number, self._lines(prediction))

    def part(self, texts: Sequence[str], times: Sequence[int], first: int) -> "tuple[list[list[str]], Counts]":
        """The lines for many texts, without numbers. They depend on these texts alone, to the last bit.

        Args:
            texts: the texts.
            times: how often each of them occurs.
            first: the number of texts before these.
        """
        counts = self.counts()
        if self.search is not None:
            self.model.searcher(self.search).compile_at_once()
        gc.freeze()  # so that the collector does not look through the whole backend for each few thousand texts
        try:
            predictions = self.predictions(texts, first, BULK)
            pairs = zip(predictions, times, strict=True)
            return [self._lines(self.select(prediction, counts, each)) for prediction, each in pairs], counts
        finally:
            gc.unfreeze()

    def _lines(self, prediction: "Prediction") -> list[str]:
        if self.wanted.as_json:
            return [_as_json(prediction)]
        found = [(each.text, each.score) for each in prediction.hypotheses] or [("", -math.inf)]
        return [f"{score:.4f}\t{text}" if self.wanted.scores else text for text, score in found]


class Counts:
    """Counts what `predict` reports at the end: unknown tokens, outputs that were cut, probabilities not reached.

    Args:
        description: see `Answers.description`.
    """

    def __init__(self, description: dict[str, Any]):
        from seq2seq_zoo.data.vocabulary import Vocabulary

        self._max_length = description["max_length"]
        self._stop = description["stop"]
        self._mass = description["mass"]
        # A language model refuses unknown tokens.
        known = Vocabulary.from_config(description["vocabulary"])
        self._unknown = UnknownTokens(known) if description["has_source"] else None
        self.uncovered = self._cut = self._outputs = self._texts = 0

    def add(self, prediction: "Prediction", times: int = 1) -> None:
        """Count the outputs for one more text."""
        self._texts += times
        if self._unknown is not None:
            self._unknown.count(prediction.source, times)
        for each in prediction.hypotheses:
            self._outputs += times
            full = len(each.token_log_probs) == self._max_length
            self._cut += times * (full and not each.ended and each.tokens[-1:] != [self._stop])

    def report_outputs(self) -> None:
        """Print a line on unknown tokens and one on cut outputs, if there were any, and count them from zero."""
        if self._unknown is not None:
            self._unknown.report()
        if self._cut:
            note(
                f"{self._cut:,} of {self._outputs:,} outputs were cut at max_length {self._max_length} before their "
                f"end: raise it with --set max_length={2 * (self._max_length or 0)}."
            )
        self._cut = self._outputs = 0

    def report_mass(self) -> None:
        """Print a line on probabilities that are not reached, if there are any."""
        if self.uncovered:
            note(
                f"--mass {self._mass:g} is not reached by the outputs of {self.uncovered:,} of {self._texts:,} texts: "
                "give a larger --n-best."
            )

    def to_json(self) -> dict[str, Any]:
        """The counts as plain JSON."""
        unknown = None if self._unknown is None else self._unknown.to_json()
        return {
            "texts": self._texts,
            "outputs": self._outputs,
            "cut": self._cut,
            "uncovered": self.uncovered,
            "unknown": unknown,
        }

    def add_json(self, counts: dict[str, Any]) -> None:
        """Add the counts of a `to_json`."""
        self._texts += counts["texts"]
        self._outputs += counts["outputs"]
        self._cut += counts["cut"]
        self.uncovered += counts["uncovered"]
        if self._unknown is not None:
            self._unknown.add_json(counts["unknown"])


def _as_json(prediction: "Prediction") -> str:
    outputs = [
        {name: value for name, value in each._asdict().items() if name != "alignment"}
        | {"probability": each.probability}
        for each in prediction.hypotheses
    ]
    line = {"source": prediction.source, "unknown": prediction.unknown, "outputs": outputs}
    return json.dumps(line, ensure_ascii=False)


def to_parquet(content: Path) -> Path:
    """Write lines of JSON, as they are for `--json`, as Parquet.

    Returns:
        The path of the new file, beside the lines.
    """
    import pyarrow
    from pyarrow import json as lines
    from pyarrow import parquet

    text, number = pyarrow.string(), pyarrow.float64()
    output = {
        "text": text,
        "tokens": pyarrow.list_(text),
        "score": number,
        "log_prob": number,
        "token_log_probs": pyarrow.list_(number),
        "ended": pyarrow.bool_(),
        "probability": number,
    }
    schema = pyarrow.schema(
        {"source": text, "unknown": pyarrow.list_(text), "outputs": pyarrow.list_(pyarrow.struct(output))}
    )
    path = content.with_name("content.parquet")
    options = lines.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    with parquet.ParquetWriter(path, schema) as writer:
        if content.stat().st_size:  # the reader refuses an empty file
            for batch in lines.open_json(content, parse_options=options):
                writer.write_batch(batch)
    return path
