"""What holds for every task in the registry."""

import contextlib
import io
import json
import os
import subprocess
import sys
import unicodedata

import pytest

from seq2seq_zoo.tasks import Data, Task, tasks
from seq2seq_zoo.tasks.task import Series

SMALL = {
    "addition": [{"train_size": 30, "dev_size": 5, "test_size": 5}],
    "articulation": [{"train_size": 3, "dev_size": 2, "test_size": 2}],
    "autoencode": [{"train": "SOURCES"}, {"train": "SOURCES", "tokens": "characters", "max_tokens": 20}],
    "copy": [{"train_size": 30, "dev_size": 5, "test_size": 5}],
    "date_normalization": [{"train_size": 30, "dev_size": 5, "test_size": 5}],
    "reverse": [{"train_size": 30, "dev_size": 5, "test_size": 5}],
    "words_to_digits": [{"train_size": 30, "dev_size": 5, "test_size": 5}],
    "digits_to_words": [
        {"train_size": 50, "dev_size": 10, "test_size": 10},
        {"train_size": 50, "dev_size": 10, "test_size": 10, "form": "each", "max_length": 12, "train_max_length": 6},
        {"train_size": 50, "dev_size": 10, "test_size": 10, "language": "fr", "draw": "uniform"},
        {"train_size": 50, "dev_size": 10, "test_size": 10, "language": "ja"},
    ],
    "file": [{"train": "FILE"}, {"train": "FILE", "source_tokens": "words", "target_tokens": "words"}],
    "first_25": [{}],
    "forecast": [{"file": "STEPS", "targets": ["load"], "known": ["day"], "history": 3, "horizon": 1}],
    "frames": [{"train": "STEPS", "sequence": "day", "targets": ["load"]}],
    "integers": [
        {"train_size": 30, "dev_size": 5, "test_size": 5, "max_length": 6, "train_max_length": 4},
        {"train_size": 30, "dev_size": 5, "test_size": 5, "pattern": "maxmin_dup", "high": 25},
    ],
    "labels": [{"train": "LABELS", "vocabulary": "SOURCES"}, {"train": "TAGS", "of": "tokens"}],
    "language": [
        {"train": "SOURCES"},
        {"train": "SOURCES", "tokens": "words"},
        {"train": "SOURCES", "window": 7},
        {},
    ],
    "melodies": [{"motif": 4, "train_size": 30, "dev_size": 5, "test_size": 5}],
    "parallel": [
        {"train_source": "SOURCES", "train_target": "TARGETS", "source_tokens": "words"},
        {"train_source": "SOURCES", "train_target": "TARGETS", "shared_vocabulary": True},
    ],
    "seasons": [{"steps": 800}],
    "scan": [{}, {"split": "length", "train_size": 50, "dev_size": 5}],
    "pig_latin": [{}, {"words": "WORDS", "dev_size": 3, "test_size": 3}],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    columns = [f"{n} plus {n}" for n in range(40)], [str(2 * n) for n in range(40)]
    contents = {"FILE": map("\t".join, zip(*columns, strict=True)), "SOURCES": columns[0], "TARGETS": columns[1]}
    contents["LABELS"] = [f"{n} plus {n}\t{'odd' if n % 2 else 'even'}" for n in range(40)]
    contents["TAGS"] = [f"{n} plus {n}\tnumber sign number" for n in range(40)]
    contents["WORDS"] = [a + b for a in "abcd" for b in "efghi"]
    contents["STEPS"] = ["day,load,wind", *(f"{n // 5},{n * n % 17},{n * n % 13}" for n in range(60))]
    for name, lines in contents.items():
        (folder / name).write_text("\n".join(lines))
    return {name: str(folder / name) for name in contents}


CASES = [pytest.param((name, n), id=f"{name}-{n}") for name in tasks for n in range(len(SMALL.get(name, [{}])))]


def identified(name, case, files):
    """A task by its name and its arguments, with the paths of files."""
    arguments = SMALL.get(name, [{}])[case]
    paths = {key: files[value] for key, value in arguments.items() if str(value) in files}
    return {"name": name, **arguments, **paths}


@pytest.fixture(params=CASES)
def identifier(request, files):
    return identified(*request.param, files)


def load(identifier) -> Data:
    task = tasks.create(identifier)
    assert isinstance(task, Task)
    data = task.load()
    if isinstance(data, Series):
        pytest.skip("real values, not texts")
    return data


def test_decoding_the_ids_of_a_text_gives_the_text(identifier):
    data = load(identifier)
    assert set(data.splits) == {"train", "dev", "test"}
    for split, pairs in data.splits.items():
        assert pairs
        encoded = data.encode(split)
        if identifier["name"] in ("autoencode", "file", "labels", "language", "parallel") and split != "train":
            continue  # its vocabulary is that of train
        for (source, target), (source_ids, target_ids) in zip(pairs, encoded, strict=True):
            assert data.source.unknown_in(source) == data.target.unknown_in(target) == []
            assert data.source.decode(source_ids) == source
            assert data.target.decode([*target_ids, data.target.end, 0]) == target


def normalized(text):
    """A text without what people would not call a difference: case, compatibility forms and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def test_no_source_is_in_two_splits(identifier):
    if identifier["name"] == "first_25":
        pytest.skip("documented: the same five pairs three times")
    splits = [{normalized(source or target) for source, target in pairs} for pairs in load(identifier).splits.values()]
    assert len(set.union(*splits)) == sum(map(len, splits))


PRINT = """
import json, sys
from seq2seq_zoo.tasks import tasks
for identifier in sys.argv[1:]:
    data = tasks.create(json.loads(identifier)).load()
    splits = {split: list(pairs) for split, pairs in data.splits.items()}
    names = [getattr(side, "get_config", lambda side=side: side)() for side in (data.source, data.target)]
    print(json.dumps([splits, *names], default=lambda array: array.tolist()))
"""


def in_another_process(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": "4321"}
    command = [sys.executable, "-c", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout


def test_the_same_arguments_give_the_same_data_in_another_process(files):
    identifiers = [json.dumps(identified(*case.values[0], files)) for case in CASES]
    with contextlib.redirect_stdout(io.StringIO()) as here, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["", *identifiers])
        exec(PRINT, {})
    for identifier, there, expected in zip(
        identifiers, in_another_process(PRINT, *identifiers).splitlines(), here.getvalue().splitlines(), strict=True
    ):
        assert there == expected, identifier


def test_tasks_have_a_description_and_reject_unknown_arguments(identifier):
    description = tasks.list()[identifier["name"]]
    assert description
    assert "\n" not in description
    with pytest.raises((ValueError, TypeError), match=r"sede|takes no arguments"):
        tasks.create({**identifier, "sede": 1})


def test_importing_tasks_imports_no_backend():
    backends = "{'keras', 'tensorflow', 'jax', 'torch'}"
    script = f"import sys, seq2seq_zoo.tasks, seq2seq_zoo.metrics; print({backends} & set(sys.modules))"
    assert in_another_process(script).strip() == "set()"
