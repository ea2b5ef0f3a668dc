"""A trained model that writes a text for each text: `generate` gives its outputs, `predictions` their probabilities."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from seq2seq_zoo.data.vocabulary import Vocabulary, expect_texts, input_vocabulary, name_of
from seq2seq_zoo.runtime.graph import Graph, open_graph, run_in_batches
from seq2seq_zoo.runtime.prediction import Prediction, hypotheses_of
from seq2seq_zoo.runtime.vocabularies import read_vocabularies

FOLDER = Path(__file__).parent


@overload
def generate(sources: Sequence[str], n_best: None = None, batch_size: int = 64) -> list[str]: ...
@overload
def generate(sources: Sequence[str], n_best: int, batch_size: int = 64) -> list[list[str]]: ...
def generate(sources: Sequence[str], n_best: int | None = None, batch_size: int = 64) -> list[str] | list[list[str]]:
    """The best output for each text, or a list of its `n_best` best outputs. Arguments and errors are those of
    `predictions`."""
    found = predictions(sources, 1 if n_best is None else n_best, batch_size)
    if n_best is None:
        return [each.text for each in found]
    return [[hypothesis.text for hypothesis in each.hypotheses] for each in found]


def predictions(sources: Sequence[str], n_best: int | None = None, batch_size: int = 64) -> list[Prediction]:
    """The outputs for each text, best first, with their probabilities.

    Args:
        sources: texts. Tokens that the model does not know are listed in `Prediction.unknown`.
        n_best: how many outputs each text gets at most; all that the search returns by default.
        batch_size: number of texts that are searched at once.

    Raises:
        ValueError: the sources are not a list of texts, or the search returns fewer outputs than `n_best`.
    """
    return search_texts(*_opened(), sources, n_best, batch_size)


@functools.cache
def _opened() -> tuple[Graph, tuple[Vocabulary, Vocabulary]]:
    """The graph and the vocabularies of this package."""
    return open_graph(FOLDER), read_vocabularies(FOLDER)


def search_texts(
    graph: Graph,
    vocabularies: tuple[Vocabulary, Vocabulary],
    sources: Sequence[str],
    n_best: int | None = None,
    batch_size: int = 64,
) -> list[Prediction]:
    """`predictions` by any exported search."""
    expect_texts(sources)
    if n_best is not None and n_best < 1:
        raise ValueError(f"Expected an n_best of at least 1, got {n_best}.")
    vocabulary = input_vocabulary(*vocabularies)
    continues = vocabulary is vocabularies[1]
    if continues and (unknown := [token for source in sources for token in vocabulary.unknown_in(source)]):
        raise ValueError(f"A text contains {name_of(unknown[0])}, which this model does not know: leave it out.")
    ids = [vocabulary.encode(source) for source in sources]
    found: dict[int, Prediction] = {}
    for places, outputs in run_in_batches(graph, ids, batch_size):
        _, returned, longest = outputs["ids"].shape
        if n_best is not None and n_best > returned:
            raise ValueError(
                f"The search of this model returns {returned} output{'s' * (returned > 1)} for each text, fewer than "
                f"n_best={n_best}: export the model with a larger beam."
            )
        lengths = [len(ids[place]) for place in places]
        if continues and max(lengths) > longest:
            raise ValueError(f"A text has {max(lengths)} tokens, but an output has at most {longest}: shorten it.")
        for place, best in zip(places, hypotheses_of(outputs, vocabularies[1], lengths), strict=True):
            source = sources[place]
            found[place] = Prediction(source, vocabulary.unknown_in(source), best[:n_best])
    return [found[place] for place in range(len(sources))]


def main() -> None:
    """The console command."""
    from argparse import ArgumentParser, Namespace

    from seq2seq_zoo.runtime.command import run_on_texts

    def add_options(parser: ArgumentParser) -> None:
        parser.add_argument(
            "--n-best", type=int, metavar="N", help="print this many outputs for each text, after its number and a tab"
        )
        parser.add_argument(
            "--scores", action="store_true", help="print the log-probability of each output, and a tab, before it"
        )

    def answer(texts: Sequence[str], options: Namespace, first: int) -> list[tuple[list[str], list[str]]]:
        answers = []
        n_best = 1 if options.n_best is None else options.n_best
        for number, prediction in enumerate(predictions(texts, n_best), start=first + 1):
            start = "" if options.n_best is None else f"{number}\t"
            outputs = [(each.text, f"{each.log_prob:.4f}\t" * options.scores) for each in prediction.hypotheses]
            lines = [f"{start}{score}{text}" for text, score in outputs or [("", "")]]
            answers.append((lines, prediction.unknown))
        return answers

    run_on_texts("Write the model's output for each text, one on each line.", answer, add_options)
