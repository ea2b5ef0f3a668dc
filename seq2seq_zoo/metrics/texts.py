"""Metrics of translation and summarisation, computed on request: BLEU, chrF and ROUGE.

All are computed on the model's own tokens. Texts are not tokenized, lower-cased or stemmed again, so that placeholders
stay whole and Chinese is measured as it was segmented. A model of characters is measured in characters: its scores
cannot be compared with those of a model of words.
"""

import abc
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rapidfuzz.distance import LCSseq

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.metrics.tokens import Rows, require_pairs


class TextMetricError(ValueError):
    """A metric that cannot be computed on this installation."""


class TextMetric(abc.ABC):
    """A metric of outputs and references. Abstract; each metric is registered under its name.

    Raises:
        TextMetricError: on construction, before any training, if a package is not installed.
    """

    @abc.abstractmethod
    def __call__(self, references: Sequence[Rows], outputs: Rows) -> float:
        """The score of the outputs.

        Args:
            references: for each row its references, each of which is right: the target tokens without padding and end.
            outputs: the generated tokens of each row, without padding and end.

        Returns:
            From 0 to 1, higher is better; papers report it times 100.

        Raises:
            ValueError: there are no rows, or not as many outputs as rows of references.
        """


text_metrics: Registry[TextMetric] = Registry("metric", base=TextMetric)


class Sacrebleu(TextMetric):
    """A corpus-level metric of sacrebleu. Abstract."""

    def __init__(self) -> None:
        try:
            import sacrebleu
        except ModuleNotFoundError:
            raise TextMetricError(
                f"The metric {text_metrics.name_of(type(self))} needs the package sacrebleu: "
                "pip install 'seq2seq-zoo[text-metrics]'."
            ) from None
        self._sacrebleu = sacrebleu

    @staticmethod
    def _streams(references: Sequence[Sequence[str]]) -> list[Any]:
        """The references as sacrebleu takes them: the first of each row, then the second, ...; `None` for none."""
        return list(itertools.zip_longest(*references))


@text_metrics.register("bleu", "BLEU of the model's tokens, by sacrebleu")
class Bleu(Sacrebleu):
    """The precision of n-grams of one to four tokens, with a penalty for outputs that are too short.

    An n-gram is right if a reference of its row has it. This is sacrebleu's `corpus_bleu` without a tokenizer,
    signature `nrefs:1|case:mixed|eff:no|tok:none|smooth:exp`, or `nrefs:var` for several references.

    Example:

    >>> bleu = text_metrics.create("bleu")
    >>> round(bleu([[["TAG_DATE", "rain", "in", "Oslo"]]], [["TAG_DATE", "rain", "in", "Oslo", "today"]]), 4)
    0.6687

    Reference:
        Post 2018, arXiv:1804.08771.
    """

    def __call__(self, references: Sequence[Rows], outputs: Rows) -> float:
        """The BLEU of the corpus."""
        require_pairs(references, outputs)
        numbers: dict[str, str] = {}

        def text(tokens: Sequence[str]) -> str:
            # BLEU depends only on which tokens are equal. As numbers, tokens with white space in them stay whole.
            return " ".join(numbers.setdefault(token, str(len(numbers))) for token in tokens)

        expected = self._streams([[*map(text, row)] for row in references])
        return self._sacrebleu.corpus_bleu([*map(text, outputs)], expected, tokenize="none").score / 100


@text_metrics.register("chrf", "chrF2: characters of the text without its white space, by sacrebleu")
class Chrf(Sacrebleu):
    """The F-score of n-grams of one to six characters, with recall weighted twice as much as precision.

    White space is ignored, so the segmentation of a text does not matter. Of several references, the one with the
    highest score counts. This is sacrebleu's `corpus_chrf`, signature `nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no`,
    or `nrefs:var` for several references.

    Example:

    >>> text_metrics.create("chrf")([[["奥斯陆", "有", "雨"]]], [["奥斯陆有", "雨"]])
    1.0

    Reference:
        Popović 2015, aclanthology.org/W15-3049.
    """

    def __call__(self, references: Sequence[Rows], outputs: Rows) -> float:
        """The chrF2 of the corpus."""
        require_pairs(references, outputs)
        expected = self._streams([[*map(" ".join, row)] for row in references])
        return self._sacrebleu.corpus_chrf([*map(" ".join, outputs)], expected).score / 100


class Rouge(TextMetric):
    """The mean over rows of the F1 score, the harmonic mean of precision and recall. Abstract.

    Of several references, the one with the highest F1 counts.

    Reference:
        Lin 2004, aclanthology.org/W04-1013; section 2.1 for several references.
    """

    def __call__(self, references: Sequence[Rows], outputs: Rows) -> float:
        """The mean F1 of the rows."""
        require_pairs(references, outputs)
        rows = zip(references, outputs, strict=True)
        return sum(max(self.f1(reference, output) for reference in row) for row, output in rows) / len(references)

    @abc.abstractmethod
    def f1(self, reference: Sequence[str], output: Sequence[str]) -> float:
        """The F1 of an output and one reference."""


class RougeN(Rouge):
    """The F1 of n-grams. A shared n-gram counts as often as in the text that has it less often. Abstract."""

    n: int

    def f1(self, reference: Sequence[str], output: Sequence[str]) -> float:
        """Twice the number of shared n-grams, divided by the number of all n-grams."""
        expected, generated = (
            Counter(zip(*(row[i:] for i in range(self.n)), strict=False)) for row in (reference, output)
        )
        return 2 * (expected & generated).total() / max(1, expected.total() + generated.total())


@text_metrics.register("rouge_1", "ROUGE-1, F1 of the model's tokens")
class Rouge1(RougeN):
    """The F1 of single tokens.

    Example:

    >>> text_metrics.create("rouge_1")([[["奥斯陆", "今天", "有", "雨"]]], [["今天", "奥斯陆", "晴"]]) == 4 / 7
    True
    """

    n = 1


@text_metrics.register("rouge_2", "ROUGE-2, F1 of pairs of adjacent tokens")
class Rouge2(RougeN):
    """The F1 of pairs of adjacent tokens.

    Example:

    >>> text_metrics.create("rouge_2")([[["奥斯陆", "今天", "有", "雨"]]], [["今天", "有", "晴"]]) == 2 / 5
    True
    """

    n = 2


@text_metrics.register("rouge_l", "ROUGE-L, F1 of the longest common subsequence of tokens")
class RougeL(Rouge):
    """The F1 of the longest common subsequence: tokens in the same order, not necessarily adjacent.

    Example:

    >>> text_metrics.create("rouge_l")([[["奥斯陆", "今天", "有", "雨"]]], [["奥斯陆", "有", "雪"]]) == 4 / 7
    True
    """

    def f1(self, reference: Sequence[str], output: Sequence[str]) -> float:
        """Twice the length of the longest common subsequence, divided by the sum of both lengths."""
        return 2 * LCSseq.similarity(reference, output) / max(1, len(reference) + len(output))
