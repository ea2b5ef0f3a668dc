"""g2p_en 2.1.0: its own code, and its network in the layers of this package."""

import importlib
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

from seq2seq_zoo import Encoder, FeedbackDecoder, Seq2Seq, Tokens
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.models import convert

NAME = "g2p_en"
VERSION = "2.1.0"
UNKNOWN, START, END = 1, 2, 3
"""Ids of its network. Padding is 0."""
WORD_END = "</s>"
"""The token that follows the letters of each word."""
LONGEST = 20
"""Its outputs have at most so many sounds."""


def load_peer(work: Path) -> Any:
    """An object of its class `G2p`, from the package, which is fetched into `work` if it is not there yet.

    NLTK and inflect, which it imports, are replaced by empty objects: they are for lines of text and need a download.
    `predict`, which runs the network on a word, uses neither of them.
    """
    folder = work / NAME
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*pip, f"{NAME}=={VERSION}"], check=True)
    replaced = {name: MagicMock() for name in ("nltk", "nltk.corpus", "nltk.tokenize", "inflect")}
    with (
        patch.dict(sys.modules, replaced),
        patch.object(sys, "path", [str(folder), *sys.path]),
        warnings.catch_warnings(action="ignore"),  # its patterns have escapes that newer versions of Python refuse
    ):
        return importlib.import_module("g2p_en.g2p").G2p()


def converted(peer: Any) -> Seq2Seq:
    """Its network as a model: a GRU encoder and a GRU decoder that starts from the encoder's last state.

    Args:
        peer: with the arrays and the tokens of `G2p`.
    """
    state = {"source.weight": peer.enc_emb, "target.weight": peer.dec_emb, "output.weight": peer.fc_w}
    state["output.bias"] = peer.fc_b
    for ours, theirs in (("encoder", "enc"), ("decoder", "dec")):
        for part in ("ih", "hh"):
            state[f"{ours}.weight_{part}_l0"] = getattr(peer, f"{theirs}_w_{part}")
            state[f"{ours}.bias_{part}_l0"] = getattr(peer, f"{theirs}_b_{part}")
    source = Vocabulary(peer.graphemes, " ", start=None, end=None, unknown=UNKNOWN)
    target = Vocabulary(peer.phonemes, " ", START, END, UNKNOWN)
    embedding, units = peer.enc_emb.shape[1], peer.enc_w_hh.shape[1]
    encoder = Encoder(units, "gru", embedding_dim=embedding, vocabulary_size=len(source), unknown=UNKNOWN)
    readout = Tokens(len(target), peer.dec_emb.shape[1], start=START, end=END)
    decoder = FeedbackDecoder(units, readout=readout, cell="gru", bridge="copy", max_length=LONGEST)
    model = Seq2Seq(encoder, decoder, source, target)
    model.build((None, None))
    names = {
        "encoder.embedding": "source",
        "encoder.stack": "encoder",
        "decoder.stack": "decoder",
        "decoder.readout": ["target", "output"],
    }
    convert.from_torch(model, state, names)
    return model


def source_of(model: Any, word: str) -> str:
    """A word as a model reads it: letters, or for g2p_en's network letters between spaces and the end of the word."""
    return " ".join([*word, WORD_END]) if WORD_END in model.vocabularies[0].ordinary else word


def equal_outputs(peer: Any, model: Any, words: Sequence[str]) -> int:
    """For how many words the converted network gives the sounds of `peer.predict`, which is written in NumPy."""
    found = model.generate([source_of(model, word) for word in words])
    return sum(text == " ".join(peer.predict(word)) for text, word in zip(found, words, strict=True))
