"""A trained model that labels texts, or their tokens: `labels` gives the labels, `predictions` their probabilities."""

import functools
from collections.abc import Sequence
from pathlib import Path

from seq2seq_zoo.data.vocabulary import Vocabulary, expect_texts
from seq2seq_zoo.runtime.graph import Graph, open_graph, run_in_batches
from seq2seq_zoo.runtime.prediction import Prediction, labelled
from seq2seq_zoo.runtime.vocabularies import read_vocabularies

FOLDER = Path(__file__).parent


def labels(sources: Sequence[str], batch_size: int = 64) -> list[list[str]]:
    """The most likely labels of each text: one for each of its tokens, or one for the text. Arguments and errors are
    those of `predictions`."""
    return [each.hypotheses[0].tokens for each in predictions(sources, batch_size)]


def predictions(sources: Sequence[str], batch_size: int = 64) -> list[Prediction]:
    """The most likely labels of each text, with their log-probabilities.

    Args:
        sources: texts. Tokens that the model does not know are listed in `Prediction.unknown`.
        batch_size: number of texts that are read at once.

    Raises:
        ValueError: the sources are not a list of texts.
    """
    return label_texts(*_opened(), sources, batch_size)


@functools.cache
def _opened() -> tuple[Graph, tuple[Vocabulary, Vocabulary]]:
    """The graph and the vocabularies of this package."""
    return open_graph(FOLDER), read_vocabularies(FOLDER)


def label_texts(
    graph: Graph,
    vocabularies: tuple[Vocabulary, Vocabulary],
    sources: Sequence[str],
    batch_size: int = 64,
) -> list[Prediction]:
    """`predictions` by any exported model."""
    source_vocabulary, target_vocabulary = vocabularies
    expect_texts(sources)
    ids = [source_vocabulary.encode(source) for source in sources]
    found: dict[int, Prediction] = {}
    for places, outputs in run_in_batches(graph, ids, batch_size):
        rows = zip(*(outputs[name][:, 0].tolist() for name in ("ids", "log_probs", "lengths")), strict=True)
        for place, (row, log_probs, length) in zip(places, rows, strict=True):
            hypothesis = labelled(row[:length], log_probs[:length], target_vocabulary)
            found[place] = Prediction(sources[place], source_vocabulary.unknown_in(sources[place]), [hypothesis])
    return [found[place] for place in range(len(sources))]


def main() -> None:
    """The console command."""
    from argparse import Namespace

    from seq2seq_zoo.runtime.command import run_on_texts

    def answer(texts: Sequence[str], options: Namespace, first: int) -> list[tuple[list[str], list[str]]]:
        del options, first
        return [([each.text], each.unknown) for each in predictions(texts)]

    run_on_texts("Write the model's labels of each text, one line for each.", answer)
