"""The models that come with the package."""

import re
import subprocess
import sys
import zipfile

import pytest

from cli.commands import call, refused
from seq2seq_zoo.experiment.card import about
from seq2seq_zoo.system.model_file import located, zoo
from seq2seq_zoo.tasks.digits_to_words import spell, spell_as_written

MOST = 20 << 20
"""How many bytes the models may add to the wheel."""


def test_every_model_is_listed_with_its_title():
    lines = call("list", "models").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*zoo()]
    assert all(len(line.split()) > 3 for line in lines)


def test_all_models_together_are_small():
    files = [file for directory in zoo().values() for file in directory.iterdir()]
    assert sum(file.stat().st_size for file in files) < MOST


@pytest.mark.parametrize("name", zoo())
def test_a_model_does_what_its_card_says(name):
    import seq2seq_zoo

    card = call("card", f"zoo:{name}").stdout
    assert card.startswith(f"# {about(located(f'zoo:{name}'))['title']}\n")
    (example,) = re.findall(rf"\$ seq2seq-zoo predict zoo:{name} (.+)\n((?:.+\n)+?)```", card)
    sources = [quoted or bare for quoted, bare in re.findall(r'"(.+?)"|(\S+)', example[0])]
    assert seq2seq_zoo.load(f"zoo:{name}", compile=False).generate(sources) == example[1].splitlines()


@pytest.mark.parametrize("name", zoo())
def test_a_model_has_neither_optimizer_nor_paths_of_a_machine(name):
    directory = located(f"zoo:{name}")
    with zipfile.ZipFile(directory / "best.keras") as model:
        assert b"optimizer" not in model.read("model.weights.h5")
    texts = [file.read_text() for file in directory.iterdir() if file.suffix in (".json", ".yaml")]
    assert not any(re.search(r'["\s:](/\w+){2}', text) for text in texts)


def test_the_nearest_name_on_a_miss():
    assert refused("predict", "zoo:word_to_digits", "one") == (
        f"There is no model 'word_to_digits' in the zoo. Did you mean 'words_to_digits'? Models: {', '.join(zoo())}."
    )
    assert refused("card", "zoo:").startswith("There is no model '' in the zoo. Models: ")


def test_commands_take_a_model_of_the_zoo():
    assert call("predict", "zoo:words_to_digits", "twenty-one", "twenty one").stdout.splitlines() == ["21", "21"]
    scored = call("score", "zoo:words_to_digits", "--help")
    assert scored.exit_code == 0


@pytest.mark.parametrize("name", [name for name in zoo() if name.startswith("digits_to_words")])
def test_digits_to_words_knows_all_short_numbers(name):
    """Its card says so. Short numbers are rare among all numbers, and what people try first."""
    import seq2seq_zoo

    outputs = seq2seq_zoo.load(f"zoo:{name}", compile=False).generate([" ".join(str(n)) for n in range(1000)])
    assert outputs == [" ".join(spell(n)) for n in range(1000)]


def test_words_to_digits_knows_all_short_numbers_in_every_way_of_writing():
    import seq2seq_zoo

    written = {
        spelt if conjunction else spelt.replace(" and ", " "): str(n)
        for n in range(1000)
        for spelt in (spell_as_written(n), " ".join(spell(n)))
        for conjunction in (True, False)
    }
    assert seq2seq_zoo.load("zoo:words_to_digits", compile=False).generate([*written]) == [*written.values()]


def test_a_card_of_a_run_that_has_not_ended(tmp_path):
    assert refused("card", tmp_path).startswith(f"{tmp_path} is not a run: expected config.yaml in it.")
    (tmp_path / "config.yaml").write_text("task: {name: copy}\n")
    assert refused("card", tmp_path).startswith(f"{tmp_path} has no metrics.json: the run has not ended.")


def test_a_list_of_models_imports_no_backend():
    code = "import sys; from seq2seq_zoo.cli.list import list_; list_('models'); assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
