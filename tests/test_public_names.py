"""The names that the package exports."""

import ast
import importlib.metadata
from pathlib import Path

import pytest

import seq2seq_zoo

NAMES = [
    "AttentionDecoder",
    "BasicDecoder",
    "Decoder",
    "Encoded",
    "Encoder",
    "EncoderOnly",
    "Ensemble",
    "FeedbackDecoder",
    "Gaussian",
    "NoEncoder",
    "PeekDecoder",
    "Pronouncer",
    "Quantiles",
    "Seq2Seq",
    "Tokens",
    "Vectors",
    "average",
    "decoders",
    "load",
]


def test_these_names_and_no_others():
    assert sorted(seq2seq_zoo.__all__) == NAMES == dir(seq2seq_zoo)


def test_the_version_is_that_of_the_installed_package():
    assert seq2seq_zoo.__version__ == importlib.metadata.version("seq2seq-zoo")


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_imported(name):
    found = getattr(seq2seq_zoo, name)
    assert getattr(found, "__name__", "").split(".")[-1] == name


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(seq2seq_zoo.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert sorted(each.asname for line in block.body for each in line.names) == NAMES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'seq2seq_zoo' has no attribute 'Seq2seq'"):
        _ = seq2seq_zoo.Seq2seq


def test_the_modes_by_name():
    from seq2seq_zoo import decoders

    assert {"attention", "basic", "feedback", "peek"} <= set(decoders.list())
