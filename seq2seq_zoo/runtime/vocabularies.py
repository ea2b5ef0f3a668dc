"""The vocabularies of an exported model."""

import json
from pathlib import Path

from seq2seq_zoo.data.vocabulary import Vocabulary

VOCABULARIES = "vocabularies.json"


def read_vocabularies(folder: Path) -> tuple[Vocabulary, Vocabulary]:
    """The source vocabulary and the target vocabulary in a folder."""
    texts = json.loads((folder / VOCABULARIES).read_text(encoding="utf-8"))
    return Vocabulary.from_config(texts["source"]), Vocabulary.from_config(texts["target"])
