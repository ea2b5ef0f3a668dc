"""`seq2seq-zoo export`."""

import json
import shutil
from pathlib import Path

from cli.commands import call, refused


def test_export_writes_and_compares_with_the_model(first_25, folder):
    directory = first_25.directory
    done = call("export", directory, "--format", "savedmodel", "--out", "out")
    lines = done.stdout.splitlines()
    assert any(line.endswith("out/saved_model.pb") for line in lines)
    assert lines[-2:] == ["the same text as the model on 5 of 5 dev sources", "exact match 100.0%; the model's 100.0%"]
    assert refused("export", directory, "--format", "savedmodel", "--out", "out") == (
        "out already exists and is not overwritten: give another name with --out."
    )
    done = call("export", directory / "best.keras", "--format", "savedmodel", "--search", "beam", "--out", "beam")
    assert done.stderr == "Not compared with the model: that needs the data of its run directory.\n"
    assert Path("beam", "vocabularies.json").exists()


def test_export_refuses_what_it_cannot_do(first_25, folder):
    directory = first_25.directory

    def message(*options):
        return refused("export", directory, "--out", "new", "--format", *options)

    assert message("savedmodel", "--quantize", "float16").startswith("The format savedmodel cannot store weights")
    assert message("onnx", "--batch", "few") == "The batch must be an integer of at least 1 or 'dynamic', got 'few'."
    assert message("onnx", "--search", "sample").startswith("An exported search cannot be random")
    assert refused("export", directory, "--format", "savedmodel", "--out", directory / "best.keras" / "x")
    assert not Path("new").exists()


def test_export_writes_a_package_with_the_results_of_the_run(first_25, folder):
    done = call("export", first_25.directory, "--format", "package", "--name", "counting", "--out", "out")
    assert done.stdout.splitlines()[-2] == "the same text as the model on 5 of 5 dev sources"
    assert any(line.endswith("out/dist/counting-1.0.0-py3-none-any.whl") for line in done.stdout.splitlines())
    readme = Path("out/README.md").read_text(encoding="utf-8")
    assert "counting.generate(['1 2 3 4 5'])" in readme
    assert "| exact match | 100.00% (56.55% to 100.00%) | 100.00% (56.55% to 100.00%) |" in readme
    assert "name: first_25" in readme


def test_export_refuses_what_a_package_cannot_be(first_25, folder):
    directory = first_25.directory
    package = "--format", "package", "--name", "counting"
    assert refused("export", directory, "--format", "onnx", "--name", "a") == (
        "--name is for a package: add --format package, or leave it out."
    )
    assert refused("export", directory, *package, "--batch", "2").startswith("--batch: a package takes any number")
    assert "a package needs the run directory" in refused("export", directory / "best.keras", *package)
    assert refused("export", directory, *package, "--runtime", "onx").startswith("--runtime: unknown runtime 'onx'")
    assert refused("export", directory, *package[:3], "Counting", "--out", "new").endswith("Did you mean 'counting'?")
    assert not Path("new").exists()


def test_export_writes_a_page_of_one_model(first_25, folder):
    done = call("export", first_25.directory, "--format", "web", "--out", "page")
    assert done.stdout.splitlines()[-2] == "the same text as the model on 5 of 5 dev sources"
    assert done.stderr == "To open it: python -m http.server --bind 127.0.0.1 --directory page\n"
    site = json.loads(Path("page/models.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in site["models"]] == [first_25.directory.name]
    assert ["1 2 3 4 5", site["examples"][0][1]] == site["examples"][0]
    assert sorted(path.name for path in Path("page/models", first_25.directory.name).iterdir()) == [
        "search.onnx",
        "vocabularies.json",
    ]
    # It is an exported directory like any other.
    answers = call("predict", f"page/models/{first_25.directory.name}", "1 2 3 4 5").stdout
    assert answers.splitlines()[0] == f"1\t{site['examples'][0][1]}"


def test_export_writes_a_page_of_several_models(first_25, folder):
    again = shutil.copytree(first_25.directory, "again")
    done = call("export", first_25.directory, again, "--format", "web")
    lines = done.stdout.splitlines()
    assert [line for line in lines if "onnx" not in line and "web" not in line] == [
        str(first_25.directory),
        "the same text as the model on 5 of 5 dev sources",
        "exact match 100.0%; the model's 100.0%",
        "again",
        "the same text as the model on 5 of 5 dev sources",
        "exact match 100.0%; the model's 100.0%",
    ]
    site = json.loads(Path("web/models.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in site["models"]] == ["first_25", "again"]
    assert site["title"] == "The five pairs of 2016, side by side"
    assert site["about"] == []  # both have the same mode


def test_export_refuses_what_a_page_cannot_be(first_25, names, folder):
    directory = first_25.directory
    web = "--format", "web", "--out", "new"
    assert refused("export", directory, directory, "--format", "onnx") == (
        "--format onnx takes one model, got 2: export each, or use --format web."
    )
    assert refused("export", directory, *web, "--batch", "2").startswith("--batch: a page takes one text at a time")
    assert refused("export", directory, *web, "--name", "a").startswith("--name is for a package")
    assert refused("export", directory, directory, *web, "--search", "greedy").startswith("--search and --set: a page")
    assert refused("export", directory, directory, *web) == "The same model is given twice: leave one out."
    assert refused("export", directory, "zoo:words_to_digits", *web).startswith(
        "A page of several models needs equal vocabularies, but the source vocabularies of first_25 and "
        "words_to_digits differ"
    )
    assert refused("export", directory, names.directory, *web).startswith("A page needs a model that writes a text")
    assert refused("export", names.directory, *web).startswith("A page needs a model that writes a text for each text")
    assert refused("export", directory, "zoo:wrds_to_digits", *web).startswith(
        "There is no model 'wrds_to_digits' in the zoo. Did you mean 'words_to_digits'?"
    )
    assert not Path("new").exists()
