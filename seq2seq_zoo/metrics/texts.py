"""How good texts are by the measures of translation and summarisation, for those who ask for them by name.

All are of the model's own tokens, as a pre-segmented text has them. Nothing is cut, lowered or stemmed here, so that a
placeholder stays whole and Chinese is measured as it was segmented. A model of characters is measured in characters:
its figures are not those of a model of words.
"""

import abc
from collections import Counter
from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.metrics.tokens import Rows, require_pairs


class TextMetricError(ValueError):
    """A metric that cannot be computed here."""


class TextMetric(abc.ABC):
    """A measure of outputs against references. Abstract; each is registered under its name.

    Raises:
        TextMetricError: a package is not installed (on construction, so that no training ends with it).
    """

    @abc.abstractmethod
    def __call__(self, references: Rows, outputs: Rows) -> float:
        """How good the outputs are.

        Args:
            references: the right tokens of each row, without padding and end.
            outputs: the tokens that came out, the same way.

        Returns:
            From 0 to 1, higher is better; papers print it times 100.

        Raises:
            ValueError: no rows, or not as many outputs as references.
        """


text_metrics: Registry[TextMetric] = Registry("metric", base=TextMetric)


class Sacrebleu(TextMetric):
    """A measure of sacrebleu's, of all rows together. Abstract."""

    def __init__(self) -> None:
        try:
            import sacrebleu
        except ModuleNotFoundError:
            raise TextMetricError(
                f"The metric {text_metrics.name_of(type(self))} needs the package sacrebleu: "
                "pip install 'seq2seq-zoo[text-metrics]'."
            ) from None
        self._sacrebleu = sacrebleu


@text_metrics.register("bleu", "BLEU of the model's tokens, by sacrebleu")
class Bleu(Sacrebleu):
    """Up to four tokens in a row that output and reference share, with a penalty on outputs that are too short.

    sacrebleu's `corpus_bleu` with no tokenizer; in its own terms `nrefs:1|case:mixed|eff:no|tok:none|smooth:exp`.

    Example:

    >>> bleu = text_metrics.create("bleu")
    >>> round(bleu([["TAG_DATE", "rain", "in", "Oslo"]], [["TAG_DATE", "rain", "in", "Oslo", "today"]]), 4)
    0.6687

    Reference:
        Post 2018, arXiv:1804.08771.
    """

    def __call__(self, references: Rows, outputs: Rows) -> float:
        """The corpus's BLEU."""
        require_pairs(references, outputs)
        numbers: dict[str, str] = {}
        # BLEU asks of tokens only which are the same. By their numbers, those with white space in them stay whole.
        right, said = (
            [" ".join(numbers.setdefault(token, str(len(numbers))) for token in row) for row in rows]
            for rows in (references, outputs)
        )
        return self._sacrebleu.corpus_bleu(said, [right], tokenize="none").score / 100


@text_metrics.register("chrf", "chrF2: characters of the text without its white space, by sacrebleu")
class Chrf(Sacrebleu):
    """Up to six characters in a row that output and reference share; how many of the reference's are found counts
    twice. White space is left out, so how a text was segmented changes nothing.

    sacrebleu's `corpus_chrf`; in its own terms `nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no`.

    Example:

    >>> text_metrics.create("chrf")([["奥斯陆", "有", "雨"]], [["奥斯陆有", "雨"]])
    1.0

    Reference:
        Popović 2015, aclanthology.org/W15-3049.
    """

    def __call__(self, references: Rows, outputs: Rows) -> float:
        """The corpus's chrF2."""
        require_pairs(references, outputs)
        right, said = ([" ".join(row) for row in rows] for rows in (references, outputs))
        return self._sacrebleu.corpus_chrf(said, [right]).score / 100


class Rouge(TextMetric):
    """The mean over rows of how much output and reference share, as the harmonic mean of precision and recall.
    Abstract.

    Reference:
        Lin 2004, aclanthology.org/W04-1013.
    """

    def __call__(self, references: Rows, outputs: Rows) -> float:
        """The rows' mean F1."""
        require_pairs(references, outputs)
        return sum(map(self.f1, references, outputs)) / len(references)

    @abc.abstractmethod
    def f1(self, reference: Sequence[str], output: Sequence[str]) -> float:
        """The harmonic mean of precision and recall of one row."""


class RougeN(Rouge):
    """What output and reference share in runs of `n` tokens, each as often as in the one that has it less often.
    Abstract."""

    n: int

    def f1(self, reference: Sequence[str], output: Sequence[str]) -> float:
        """Twice the runs that are shared over all runs."""
        right, said = (Counter(zip(*(row[i:] for i in range(self.n)), strict=False)) for row in (reference, output))
        return 2 * (right & said).total() / max(1, right.total() + said.total())


@text_metrics.register("rouge_1", "ROUGE-1, F1 of the model's tokens")
class Rouge1(RougeN):
    """Shared tokens.

    Example:

    >>> text_metrics.create("rouge_1")([["奥斯陆", "今天", "有", "雨"]], [["今天", "奥斯陆", "晴"]]) == 4 / 7
    True
    """

    n = 1


@text_metrics.register("rouge_2", "ROUGE-2, F1 of pairs of tokens in a row")
class Rouge2(RougeN):
    """Shared pairs of tokens in a row.

    Example:

    >>> text_metrics.create("rouge_2")([["奥斯陆", "今天", "有", "雨"]], [["今天", "有", "晴"]]) == 2 / 5
    True
    """

    n = 2


@text_metrics.register("rouge_l", "ROUGE-L, F1 of the longest common subsequence of tokens")
class RougeL(Rouge):
    """The tokens that output and reference have in the same order, whatever stands between them.

    Example:

    >>> text_metrics.create("rouge_l")([["奥斯陆", "今天", "有", "雨"]], [["奥斯陆", "有", "雪"]]) == 4 / 7
    True
    """

    def f1(self, reference: Sequence[str], output: Sequence[str]) -> float:
        """Twice the length of the longest common subsequence over both lengths."""
        return 2 * LCSseq.similarity(reference, output) / max(1, len(reference) + len(output))
