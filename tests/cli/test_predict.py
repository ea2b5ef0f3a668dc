"""`seq2seq-zoo predict`."""

import contextlib
import json
import math
import os
import pty
import shutil
from pathlib import Path

import pytest

from cli.commands import call, refused, started
from seq2seq_zoo.cli import bulk
from seq2seq_zoo.cli import predict as predict_command
from seq2seq_zoo.cli.answers import Wanted
from seq2seq_zoo.cli.models import exported_from
from seq2seq_zoo.cli.shared import UsageError
from seq2seq_zoo.system.partial import PartialFile

ROWS = {
    "1 2 3 4 5": "one two three four five",
    "21 22 23 24 25": "twenty_one twenty_two twenty_three twenty_four twenty_five",
}


def test_predict_arguments(first_25):
    directory = first_25.directory
    done = call("predict", directory, *ROWS)
    assert done.stdout.splitlines() == list(ROWS.values())
    assert done.stderr == ""
    assert call("predict", directory / "best.keras", *ROWS).stdout == done.stdout


def test_predict_answers_each_line_of_standard_input(first_25):
    directory = first_25.directory
    rows = list(ROWS)
    done = call("predict", directory, input=f"{rows[0]}\n\n{rows[1]}\r\nx 2 y x\n{rows[0]}")
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert [lines[0], lines[2], lines[4]] == [ROWS[rows[0]], ROWS[rows[1]], ROWS[rows[0]]]
    # An empty line is an empty source.
    assert lines[1] == call("predict", directory, "").stdout.removesuffix("\n")
    assert done.stderr == "Tokens that the model does not know: 3, in 1 of 5 texts: 'x', 'y'\n"
    assert call("predict", directory, input="").output == ""


def test_lines_end_as_in_training(first_25, folder):
    directory = first_25.directory
    rows, answers = list(ROWS), list(ROWS.values())
    mark = b"\xef\xbb\xbf"
    for content in (
        "\r".join(rows).encode(),
        "\r\n".join(rows).encode(),
        b"".join(mark + row.encode() + b"\n" for row in rows),  # concatenated files
    ):
        Path("sources.txt").write_bytes(content)
        assert call("predict", directory, input=content).stdout.splitlines() == answers
        done = call("predict", directory, "--file", "sources.txt")
        assert (done.stdout.splitlines(), done.stderr) == (answers, "")
    found = "a carriage return (\\r) without a newline (\\n) after it, at character 2"
    message = f"standard input, line 2: expected UTF-8 text, found {found}. Fix the line."
    assert refused("predict", directory, input=b"1 2 3 4 5\n1\r2\n") == message


def test_predict_shows_few_of_many_unknown_tokens(first_25):
    directory = first_25.directory
    line, *_ = call("predict", directory, " ".join(f"x{i}" for i in range(1234))).stderr.splitlines()
    assert line == (
        f"Tokens that the model does not know: 1,234, in 1 of 1 texts: {', '.join(repr(f'x{i}') for i in range(10))}, …"
    )


def test_predict_says_where_spaces_are_missing(first_25):
    assert call("predict", first_25.directory, "1235").stderr == (
        "Tokens that the model does not know: 1, in 1 of 1 texts: '1235'. The model knows its characters as tokens: "
        "write '1 2 3 5'\n"
    )


def test_predict_refuses_bytes_that_are_not_utf_8(first_25):
    directory = first_25.directory
    message = "standard input, line 2: expected UTF-8 text, found the byte 0xff, which is not UTF-8. Fix the line."
    assert refused("predict", directory, input=b"1 2 3 4 5\n1 \xff\n") == message


def test_predict_answers_each_line_as_it_arrives_and_ends_when_its_output_is_closed(first_25):
    directory = first_25.directory
    with started("predict", directory) as process:
        for row, answer in ROWS.items():
            process.stdin.write(f"{row}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{answer}\n"
        process.stdout.close()
        process.stdin.write("1 2 3 4 5\n")
        process.stdin.close()
        assert process.wait() == 0
        assert process.stderr.read() == ""


def test_predict_prompts_on_a_terminal(first_25):
    directory = first_25.directory
    ours, theirs = pty.openpty()
    shown = ""

    def until(text):
        nonlocal shown
        # When the other end closes, Linux answers with an error.
        with contextlib.suppress(OSError):
            while text not in shown:
                shown += os.read(ours, 1024).decode()
        assert text in shown
        before, _, shown = shown.partition(text)
        return before

    with started("predict", directory, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        assert until("> ").replace("\r", "") == "Type a text and press Enter; Ctrl-D ends.\n"
        os.write(ours, b"1 2 3 4 5\n")
        assert "one two three four five" in until("> ")
        os.write(ours, b"1 zwei\n")
        assert "Tokens that the model does not know: 1, in 1 of 1 texts: 'zwei'" in until("> ")
        os.write(ours, b"\x04")
        assert process.wait() == 0
    os.close(ours)


def test_predict_reads_a_file_line_by_line(first_25, folder):
    directory = first_25.directory
    Path("sources.txt").write_text("\n".join(ROWS), encoding="utf-8")
    assert call("predict", directory, "--file", "sources.txt").stdout.splitlines() == list(ROWS.values())
    Path("sources.txt").write_bytes(b"1\n\xff\n")
    message = "sources.txt, line 2: expected UTF-8 text, found the byte 0xff, which is not UTF-8. Fix the line."
    assert refused("predict", directory, "--file", "sources.txt") == message
    assert refused("predict", directory, "1", "--file", "sources.txt").startswith("Give texts as arguments or a --file")
    assert refused("predict", directory, "--file", "none.txt") == "none.txt: No such file or directory."


def test_predict_with_scores_and_several_outputs(first_25):
    directory = first_25.directory
    options = ["--search", "beam", "--set", "size=4"]
    lines = call("predict", directory, *ROWS, *options, "--n-best", 3, "--scores").stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    assert [number for number, _, _ in rows] == ["1"] * 3 + ["2"] * 3
    assert [rows[0][2], rows[3][2]] == list(ROWS.values())
    for of_one in (rows[:3], rows[3:]):
        scores = [float(score) for _, score, _ in of_one]
        assert scores == sorted(scores, reverse=True)
        assert len({text for _, _, text in of_one}) == 3
    first, *_ = call("predict", directory, *ROWS, *options, "--scores").stdout.splitlines()
    assert first.split("\t") == rows[0][1:]


def test_predict_as_json(first_25):
    directory = first_25.directory
    options = ["--json", "--search", "sample", "--n-best", 2, "--set", "top_k=1"]
    found = [json.loads(line) for line in call("predict", directory, "1 2 3 4 5", "1 é", *options).stdout.splitlines()]
    assert [(each["source"], each["unknown"]) for each in found] == [("1 2 3 4 5", []), ("1 é", ["é"])]
    for output in found[0]["outputs"]:
        assert output["text"] == " ".join(output["tokens"]) == ROWS["1 2 3 4 5"]
        assert output["ended"]
        assert output["score"] == pytest.approx(output["log_prob"]) == pytest.approx(sum(output["token_log_probs"]))
        assert output["probability"] == pytest.approx(math.exp(output["log_prob"]))
        assert 0 < output["probability"] <= 1


def test_predict_covers_a_probability(first_25):
    directory = first_25.directory

    def outputs(*options):
        done = call("predict", directory, "1 2 3 4 5", "--json", *options)
        return json.loads(done.stdout)["outputs"], done.stderr

    beam = ["--search", "beam", "--set", "size=8"]
    everything, _ = outputs(*beam, "--n-best", 8)
    probabilities = [each["probability"] for each in everything]
    for mass in (probabilities[0] / 2, sum(probabilities[:2]) - 1e-9, sum(probabilities[:3]) - 1e-9):
        found, stderr = outputs(*beam, "--mass", mass)
        assert sum(each["probability"] for each in found) >= mass
        assert sum(each["probability"] for each in found[:-1]) < mass
        assert [each["text"] for each in found] == [each["text"] for each in everything[: len(found)]]
        assert stderr == ""
    found, stderr = outputs(*beam, "--mass", 1)
    assert len(found) == 8
    assert stderr == "--mass 1 is not reached by the outputs of 1 of 1 texts: give a larger --n-best.\n"
    found, _ = outputs("--search", "sample", "--mass", 1, "--n-best", 20, "--set", "temperature=2")
    assert len({each["text"] for each in found}) == len(found) < 20
    assert [each["log_prob"] for each in found] == sorted([each["log_prob"] for each in found], reverse=True)
    lines = call("predict", directory, *ROWS, *beam, "--mass", probabilities[0] / 2).stdout.splitlines()
    assert lines == [f"{number}\t{answer}" for number, answer in enumerate(ROWS.values(), start=1)]
    assert refused("predict", directory, "1", "--mass", 0.9) == (
        "--mass 0.9: greedy returns one output: add --search beam or --search sample."
    )
    assert refused("predict", directory, "1", *beam, "--mass", 90) == (
        "--mass must be a probability above 0 and at most 1, got 90."
    )


def test_a_probability_to_cover_is_that_of_what_follows_the_given_text(names):
    options = ["--search", "beam", "--set", "size=8", "--set", "max_length=3", "--json"]

    def continuations(*chosen):
        (line,) = call("predict", names.directory, "jo", *options, *chosen).stdout.splitlines()
        return [each["log_prob"] - sum(each["token_log_probs"][:2]) for each in json.loads(line)["outputs"]]

    following = [math.exp(each) for each in continuations("--n-best", 8)]
    for number in (1, 3):
        assert len(continuations("--mass", sum(following[:number]) - 1e-6)) == number


def test_predict_forbids_tokens(first_25):
    directory = first_25.directory
    (row, answer), *_ = ROWS.items()
    words = call("predict", directory, row, "--forbid", "two", "--forbid", "<unk>").stdout.split()
    assert words[0] == answer.split()[0]
    assert "two" not in words
    assert refused("predict", directory, row, "--forbid", "zwei").startswith(
        "The forbidden token contains 'zwei', which is not in the model's vocabulary."
    )


def test_predict_copies_unknown_tokens_only_with_attention(first_25, names):
    directory = first_25.directory
    (row, answer), *_ = ROWS.items()
    assert call("predict", directory, row, "--copy-unknown").stdout == f"{answer}\n"
    assert refused("predict", names.directory, "a", "--copy-unknown") == (
        f"--copy-unknown: {names.directory} has no attention: train a model of mode attention."
    )


def test_predict_draws_alignments(first_25, folder):
    directory = first_25.directory
    done = call("predict", directory, *ROWS, "--alignments", "map.png")
    assert done.stderr == "Drew map-1.png.\nDrew map-2.png.\n"
    assert call("predict", directory, "1 2 3 4 5", "--alignments", "map.png").stderr == "Drew map.png.\n"
    for path in ("map.png", "map-1.png", "map-2.png"):
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert "Nothing to draw for ''." in call("predict", directory, "", "--alignments", "empty.png").stderr
    message = "--alignments draws the texts that are given as arguments: give one or more."
    assert refused("predict", directory, "--alignments", "map.png") == message


def test_predict_refuses_searches_that_the_model_cannot_run(first_25):
    directory = first_25.directory

    def message(*options):
        return refused("predict", directory, "1", *options)

    searches = "Did you mean 'beam'? Known: beam, greedy, sample."
    assert message("--search", "baem") == f"--search: unknown search 'baem'. {searches}"
    beam = ["--search", "beam", "--set"]
    assert message(*beam, "size=0") == "--set size=0: size: must be an integer of at least 1, got 0."
    assert message(*beam, "sise=2").startswith(
        "--set sise=2: sise: is not an option of search 'beam'. Did you mean 'size'?"
    )
    assert message(*beam, "n_best=9").startswith("Beam: `n_best` must be at most `size`")
    assert message("--set", "max_length=0") == (
        "--set max_length=0: max_length: must be an integer of at least 1 or null, got 0."
    )
    assert message("--n-best", 2) == ("--n-best 2: greedy returns one output: add --search beam or --search sample.")
    assert message("--set", "min_length=100") == "`min_length` must be below the model's max_length, 8, got 100."


def test_a_language_model_continues_a_text(names):
    directory = names.directory
    options = ["--search", "sample", "--set", "temperature=0.8"]
    rows = [
        line.split("\t") for line in call("predict", directory, "jo", "", *options, "--n-best", 3).stdout.splitlines()
    ]
    assert [number for number, _ in rows] == ["1"] * 3 + ["2"] * 3
    assert all(text.startswith("jo") for _, text in rows[:3])
    assert len({text for _, text in rows}) > 3
    (line,) = call("predict", directory, "jo", "--json").stdout.splitlines()
    assert (json.loads(line)["source"], json.loads(line)["unknown"]) == ("jo", [])
    assert call("predict", directory, input="jo\nma\n").stdout.splitlines() == [
        call("predict", directory, each).stdout.strip() for each in ("jo", "ma")
    ]
    assert call("predict", directory, input="\ufeffjo\n").stdout == call("predict", directory, "jo").stdout


def test_every_line_of_a_pipe_has_its_own_random_numbers(names, monkeypatch):
    directory = names.directory
    monkeypatch.setattr(predict_command, "AT_ONCE", 2)
    options = ["--search", "sample", "--set", "temperature=5"]
    found = call("predict", directory, *options, input="jo\n" * 6).stdout.splitlines()
    assert found == call("predict", directory, *["jo"] * 6, *options).stdout.splitlines()
    assert len(set(found)) > 3


def test_a_language_model_refuses_texts_that_it_cannot_continue(names):
    directory = names.directory
    assert refused("predict", directory, "Jo").startswith(
        "The prefix contains 'J', which is not in the model's vocabulary."
    )
    assert refused("predict", directory, "a" * 21) == (
        "A prefix has 21 tokens, but an output has at most 20: give the search a max_length above 21."
    )
    assert refused("predict", directory, "a", "--prefix", "b") == (
        f"--prefix: {directory} is a language model, which continues its texts: give the prefix as a text."
    )


def test_a_prefix_and_a_stop_token(first_25):
    directory = first_25.directory
    (row, answer), *_ = ROWS.items()
    assert call("predict", directory, row, "--prefix", "nine").stdout.split()[0] == "nine"
    assert call("predict", directory, row, "--stop", "three").stdout.split() == answer.split()[:3]
    assert refused("predict", directory, row, "--prefix", "neun").startswith("The prefix contains 'neun', which is")
    assert refused("predict", directory, row, "--stop", "drei").startswith("The stop token contains 'drei', which")


def test_outputs_that_are_cut_are_counted(first_25):
    directory = first_25.directory
    done = call("predict", directory, *ROWS, "--set", "max_length=3")
    assert done.stdout.splitlines() == [" ".join(answer.split()[:3]) for answer in ROWS.values()]
    assert (
        done.stderr == "2 of 2 outputs were cut at max_length 3 before their end: raise it with --set max_length=6.\n"
    )
    # With its end, an output of five words has six tokens; one that ends at a stop token is whole.
    for options in (["--set", "max_length=6"], ["--set", "max_length=3", "--stop", "three"]):
        done = call("predict", directory, "1 2 3 4 5", *options)
        assert done.stderr == ""


def test_predict_refuses_a_model_without_vocabularies(folder):
    from seq2seq_zoo import Encoder, FeedbackDecoder, Seq2Seq, Tokens

    model = Seq2Seq(Encoder(2, vocabulary_size=5), FeedbackDecoder(2, readout=Tokens(5)))
    model.build((None, None))
    model.save(folder / "ids.keras")
    message = "ids.keras: the model has no vocabularies, so it neither reads nor writes texts."
    assert refused("predict", "ids.keras", "a") == message


def test_unknown_marks_are_named_with_what_may_help(capsys):
    from seq2seq_zoo.cli.models import UnknownTokens
    from seq2seq_zoo.data.vocabulary import Vocabulary

    def report(known, texts, form="none"):
        unknown = UnknownTokens(Vocabulary.build([known], "", normalize=form))
        for text in texts:
            unknown.count(text)
        unknown.report()
        return " ".join(capsys.readouterr().err.split())

    mark = "U+0302 COMBINING CIRCUMFLEX ACCENT"
    start = "Tokens that the model does not know:"
    assert report("êeo", ["e\u0302", "ox\u0302"]) == (
        f"{start} 3, in 2 of 2 texts: {mark}, 'x'. In the normal form NFC, 1 of these texts have none: convert them, "
        "or train with task.normalize: nfc"
    )
    assert report("êeo", ["o\u0302x\u0302"], "none").startswith(f"{start} 3, in 1 of 1 texts: {mark}, 'x'. The model")
    assert report("êo", ["e\u0302x\u0302"], "nfc") == (
        f"{start} 2, in 1 of 1 texts: 'x', {mark}. The model knows {mark} only as a part of letters: with "
        "task.normalize: nfd in training, marks are tokens of their own"
    )
    assert report("eo", ["o\u0302"], "nfc") == f"{start} 1, in 1 of 1 texts: 'ô'"
    assert report("12", ["\uff11"], "nfc").endswith("train with task.normalize: nfkc")
    assert report("ab", ["a"]) == ""


# === Large files ===


@pytest.fixture
def in_bulk(monkeypatch):
    """Blocks of three lines."""
    monkeypatch.setattr(bulk, "LINES", 3)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # undone after the test


LINES = ["1 2 3 4 5", "21 22 23 24 25", "1 2 3 4 5", "", "x 2", "1 2 3 4 5", "x 2", "21 22 23 24 25"]


def stopping(function):
    """A function that ends like one after which the process is stopped."""

    def call_and_stop(*given):
        function(*given)
        raise KeyboardInterrupt

    return call_and_stop


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "max_length=3", "--scores"],
        ["--search", "beam", "--set", "size=4", "--mass", 1],
        ["--search", "sample", "--set", "temperature=3", "--n-best", 2, "--json"],
    ],
)
def test_a_killed_run_that_is_started_again_writes_the_same_file_and_notes(first_25, in_bulk, monkeypatch, options):
    Path("in.txt").write_text("\n".join(LINES), encoding="utf-8")
    command = ["predict", first_25.directory, "--file", "in.txt", *options]
    whole = call(*command, "--out", "whole.txt", "--workers", 1)
    printed = call(*command)
    assert (whole.stdout, whole.stderr) == ("", printed.stderr)

    with monkeypatch.context() as patch:
        patch.setattr(PartialFile, "append", stopping(PartialFile.append))
        assert call(*command, "--out", "out.txt", "--workers", 1).exit_code == 130
    assert not Path("out.txt").exists()
    again = call(*command, "--out", "out.txt", "--workers", 1)
    assert (again.exit_code, again.stderr) == (0, whole.stderr)
    assert Path("out.txt").read_bytes() == Path("whole.txt").read_bytes()
    if "--mass" in options:  # the numbers in the others are rounded otherwise in other batches
        assert Path("out.txt").read_text() == printed.stdout


def test_several_processes_keep_the_order(first_25, in_bulk):
    lines = [f"{number} 2 3\n" for number in range(1, 13)]
    Path("in.csv").write_text("text,x\n" + "".join(f"{line.strip()},y\n" for line in lines), encoding="utf-8")
    command = ["predict", first_25.directory, "--file", "in.csv", "--read", "source=text", "--out", "out.txt"]
    assert call(*command, "--workers", 2).exit_code == 0
    assert Path("out.txt").read_text() == call("predict", first_25.directory, input="".join(lines)).stdout


def test_an_output_of_another_run_or_of_other_texts_is_refused(first_25, in_bulk, monkeypatch):
    Path("in.txt").write_text("\n".join(LINES), encoding="utf-8")
    command = ["predict", first_25.directory, "--file", "in.txt", "--out", "out.txt", "--workers", 1]
    with monkeypatch.context() as patch:
        patch.setattr(PartialFile, "append", stopping(PartialFile.append))
        assert call(*command).exit_code == 130
    assert refused(*command, "--scores").startswith(
        "out.txt.partial: expected an output of this run, found one with another options: "
    )
    for texts in (LINES[1:], LINES[:2]):
        Path("in.txt").write_text("\n".join(texts), encoding="utf-8")
        assert refused(*command) == (
            "out.txt: the first 3 texts are no longer those whose outputs are in out.txt.partial. Restore the --file, "
            "or delete the folder to begin anew."
        )
    Path("in.txt").write_text("\n".join(LINES), encoding="utf-8")
    assert call(*command).exit_code == 0
    assert refused(*command) == "out.txt already exists and is not overwritten: give another name with --out."


def test_an_exported_search_answers_like_its_model(first_25, exported_25, in_bulk):
    Path("in.txt").write_text("\n".join(LINES), encoding="utf-8")
    for options in ([], ["--copy-unknown"]):
        found = [call("predict", path, *options, "--file", "in.txt") for path in (first_25.directory, exported_25)]
        assert found[0].exit_code == 0
        assert (found[0].stdout, found[0].stderr) == (found[1].stdout, found[1].stderr)
    done = call("predict", exported_25, "--copy-unknown", "--file", "in.txt", "--out", "out.txt", "--workers", 1)
    assert (Path("out.txt").read_text(), done.stderr) == (found[0].stdout, found[0].stderr)
    assert refused("predict", exported_25, "1", "--set", "max_length=3") == (
        f"--set goes with a model, but {exported_25} is an exported search, whose options are fixed: give the run, or "
        "export it with other options."
    )
    Path(exported_25.name).mkdir()
    shutil.copy(exported_25 / "vocabularies.json", exported_25.name)
    assert refused("predict", exported_25.name, "1") == (
        f"{exported_25.name}: expected an exported directory with search.onnx or model.tflite, found neither. Export "
        "the model with --format onnx."
    )


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_name_of_a_file_tells_its_form(ending, exported_25, in_bulk):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    texts = [text for text in LINES if text]
    if ending == "parquet":
        parquet.write_table(pyarrow.table({"source": texts, "number": range(len(texts))}), "in.parquet")
    else:
        Path("in.jsonl").write_text("".join(f"{json.dumps({'source': text})}\n" for text in texts))
    command = ["predict", exported_25, "--file", f"in.{ending}", "--out", f"out.{ending}", "--workers", 1]
    assert call(*command).exit_code == 0
    lines = call("predict", exported_25, *texts, "--json").stdout.splitlines()
    if ending == "parquet":
        found = parquet.read_table("out.parquet").to_pylist()
    else:
        found = [*map(json.loads, Path("out.jsonl").read_text().splitlines())]
    expected = [*map(json.loads, lines)]
    assert found[0].keys() == expected[0].keys()
    assert found[0]["outputs"][0].keys() == expected[0]["outputs"][0].keys()
    for one, other in zip(found, expected, strict=True):
        assert (one["source"], one["unknown"]) == (other["source"], other["unknown"])
        assert [each["tokens"] for each in one["outputs"]] == [each["tokens"] for each in other["outputs"]]


def test_files_at_urls(exported_25, folder):
    fsspec = pytest.importorskip("fsspec")
    lines = "\n".join(LINES)
    fsspec.filesystem("memory").pipe_file("/lists/in.txt", lines.encode())
    command = ["predict", exported_25, "--file", "memory://lists/in.txt", "--out", "memory://lists/out.txt"]
    assert call(*command, "--workers", 1).exit_code == 0
    found = fsspec.filesystem("memory").cat_file("/lists/out.txt").decode()
    assert found == call("predict", exported_25, input=lines).stdout
    assert not any(folder.iterdir())
    assert refused(*command) == (
        "memory://lists/out.txt already exists and is not overwritten: give another name with --out."
    )
    assert refused("predict", exported_25, "--file", "memory://lists/no.txt") == (
        "memory://lists/no.txt: no such file. Check the URL."
    )
    assert refused("predict", exported_25, "--file", "s4://lists/in.txt").startswith(
        "s4://lists/in.txt: cannot be read or written: Protocol not known: s4."
    )


def test_ray_is_for_the_outputs_of_a_file_by_an_exported_search(first_25, names):
    assert refused("predict", first_25.directory, "1", "--executor", "ray") == (
        "--executor ray is for the outputs of a --file in a file: give --out."
    )
    assert refused("predict", first_25.directory, "1", "--address", "auto") == (
        "--address goes with --executor ray, got --executor local."
    )
    for path, option, error in (
        (first_25.directory, ["--stop", "x"], "--stop goes with --executor local: a graph on Ray has no such input."),
        (
            names.directory,
            [],
            f"--executor ray: expected a model with sources and a decoder, but {names.directory} is a language model.",
        ),
    ):
        wanted = Wanted(stop=option[1] if option else None)
        with pytest.raises(UsageError) as caught, exported_from(path, wanted):
            pass
        assert str(caught.value) == error


def test_out_is_for_the_texts_of_a_file(first_25):
    assert refused("predict", first_25.directory, "1", "--out", "out.txt") == (
        "--out is for the outputs of a --file: give one, or redirect the standard output."
    )
    assert refused("predict", first_25.directory, "1", "--workers", 2) == (
        "--workers is for the outputs of a --file in a file: give --out."
    )
