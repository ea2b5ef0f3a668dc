import json
import re
import shutil
import xml.etree.ElementTree

import numpy as np
import pytest
from synthetic import FEW, LONG, MODES, TUNE, make_record, make_run, make_study

from seq2seq_zoo.benchmark import plots
from seq2seq_zoo.benchmark.compare import compare
from seq2seq_zoo.benchmark.page import difference, plain, table
from seq2seq_zoo.benchmark.records import RecordError, read_results, trial_scores, write_record
from seq2seq_zoo.benchmark.report import _how_to_read_tuning, report
from seq2seq_zoo.figures import INK

FEW_SHORT = {**FEW, "x": {**FEW["x"], "values": [250, 1000]}}


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A whole run with one failed cell, reported once; read it, change nothing."""
    run = make_run(tmp_path_factory.mktemp("whole") / "run", questions=(FEW_SHORT, LONG))
    write_record(run, make_record(FEW_SHORT, 250, "basic", 3, status="failed", reason="out of memory <script>"))
    report(run)
    return run


@pytest.fixture(scope="module")
def pages(reported):
    return [(reported / name).read_text() for name in ("report.html", "report.md")]


def small(directory, modes=("peek", "attention"), seeds=(1, 2), question=LONG, **changes):
    """A run of one question without x, each record changed."""
    run = make_run(directory, questions=(question,), modes=modes, seeds=seeds)
    for mode in modes:
        for seed in seeds:
            write_record(run, make_record(question, None, mode, seed, **changes))
    return run


# === Contents ===


def test_both_pages_have_the_same_content(pages):
    for page in pages:
        for words in ("How many training pairs", "35 of 36 cells finished, 1 failed", "Learning curves", "Attention"):
            assert words in page
        for mode in MODES:
            assert mode in page
        assert "With 3 seeds, it is the range" in page
        assert "about 10 cases of 100" in page
        assert "seq2seq-zoo report ." in page
        assert "16 GiB" in page
        assert "3.15.1" in page


def test_scores_follow_from_the_records(reported, pages):
    scores = [make_record(LONG, None, "peek", seed)["metrics"]["exact_match"] for seed in (1, 2, 3)]
    mean, low, high = (f"{100 * score:.1f}" for score in (sum(scores) / 3, min(scores), max(scores)))
    assert f"{mean}<small>{low}\N{EN DASH}{high}</small>" in pages[0]
    assert f"{mean} <sub>{low}\N{EN DASH}{high}</sub>" in pages[1]


def test_two_modes_are_compared_by_seeds_and_by_test_sources(pages):
    markdown = pages[1]
    assert "|  | probability of improvement, % | p, 250 | p, 1,000 |" in markdown
    assert re.search(r"\| attention over basic \| 100 <sub>\S+</sub> \| (\*\*|)\S.* \|", markdown)
    assert "With 3 seeds, it rests on 9 pairs of runs in a condition." in markdown
    assert "corrected for the 12 comparisons of this table (Holm)" in markdown


def test_records_that_do_not_say_which_sources_were_right_have_no_test(tmp_path):
    run = small(tmp_path / "run")
    for path in (run / "records").iterdir():
        record = json.loads(path.read_text())
        del record["right"]
        path.write_text(json.dumps(record))
    report(run)
    page = (run / "report.md").read_text()
    assert "|  | probability of improvement, % |\n" in page
    assert "Holm" not in page


def test_failed_cells_are_rows_with_their_reason(pages):
    html, markdown = pages
    assert "Failed cells" in html
    assert "out of memory &lt;script&gt;" in html
    assert r"| basic | 250 | 3 | out of memory \<script> |" in markdown
    assert "<small>n=2</small>" in html
    assert "2 of 3" in markdown


def test_the_html_page_needs_no_other_file(pages):
    html = pages[0]
    assert "<script" not in html
    assert "@import" not in html
    links = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)


def test_every_link_within_the_page_has_exactly_one_target(pages):
    html = pages[0]
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', html)) <= {(i, "") for i in ids} | {("", i) for i in ids}


def test_one_mode_alone_leads_nothing(tmp_path):
    run = make_run(tmp_path / "one", questions=(LONG,), modes=["attention"])
    report(run)
    assert re.search(r"\| all test pairs \| \d", (run / "report.md").read_text())


def test_errors_are_counted_for_each_mode(pages):
    markdown = pages[1].split("### Errors")[1].split("###")[0]
    assert "| attention | 1.93 | 4.00 | 5.93 | seven → six (9), and → \\| (4) |" in markdown
    assert markdown.count("| attention |") == 2


def test_a_report_of_records_without_errors_does_not_mention_them(tmp_path):
    run = make_run(tmp_path / "old", questions=(LONG,))
    for path in (run / "records").iterdir():
        record = json.loads(path.read_text())
        path.write_text(
            json.dumps({key: value for key, value in record.items() if key not in ("edits", "by_position")})
        )
    report(run)
    assert "Errors" not in (run / "report.md").read_text()


def test_the_markdown_page_finds_its_figures(reported, pages):
    named = re.findall(r"\]\((figures/[^)]*)\)", pages[1])
    assert len(named) == 10
    assert sorted(named) == sorted(f"figures/{path.name}" for path in (reported / "figures").iterdir())


def test_figures_take_the_text_colour_of_the_page(pages):
    assert "currentColor" in pages[0]
    assert INK not in pages[0].split("<figure>", 1)[1]


def test_the_findings_follow_from_the_records(tmp_path):
    def reading(name, best, worst):
        run = make_run(tmp_path / name, questions=(LONG,), modes=("peek", "basic"), seeds=(1, 2))
        for mode, base in ((best, 0.8), (worst, 0.5)):
            for seed in (1, 2):
                changed = {"exact_match": base + seed / 100}
                write_record(run, make_record(LONG, None, mode, seed, metrics=changed))
        report(run)
        return (run / "report.md").read_text()

    assert "- Intervals separate: peek > basic." in reading("one", "peek", "basic")
    assert "- Intervals separate: basic > peek." in reading("other", "basic", "peek")


def test_a_metric_of_which_less_is_better(tmp_path):
    question = {**LONG, "metric": "token_error_rate"}
    run = small(tmp_path / "run", question=question)
    for mode, error in (("peek", 0.3), ("attention", 0.1)):
        for seed in (1, 2):
            write_record(run, make_record(question, None, mode, seed, metrics={"token_error_rate": error + seed / 100}))
    report(run)
    page = (run / "report.md").read_text()
    assert "Intervals separate: attention > peek." in page
    assert "**11.5**" in page


# === Rebuilding ===


def test_a_report_from_the_export_is_the_same(reported, tmp_path):
    published = tmp_path / "published"
    published.mkdir()
    for name in ("suite.json", "records.jsonl"):
        shutil.copy(reported / name, published)
    written = report(published)
    assert {path.relative_to(published) for path in written} >= {(reported / "report.html").relative_to(reported)}
    for path in written:
        assert path.read_bytes() == (reported / path.relative_to(published)).read_bytes()


def test_a_broken_record_prevents_the_report(tmp_path):
    run = small(tmp_path / "run")
    (run / "records" / "broken.json").write_text("{")
    with pytest.raises(RecordError, match=r"broken\.json"):
        report(run)
    assert not (run / "report.html").exists()


# === Tuning ===


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A reported run that was tuned, with one failed study and one that has not run."""
    run = small(tmp_path_factory.mktemp("tuned") / "run", modes=MODES)
    suite = json.loads((run / "suite.json").read_text())
    (run / "suite.json").write_text(json.dumps({**suite, "tune": TUNE}))
    for mode in MODES[1:]:
        write_record(run, make_study(LONG, None, mode))
    failed = make_study(LONG, None, "feedback")
    del failed["trials"]
    write_record(run, {**failed, "status": "failed", "reason": "No trial was trained to its end"})
    report(run)
    return run


def test_the_report_has_the_chosen_settings_and_the_importance_of_options(tuned):
    page = (tuned / "report.md").read_text().replace("\N{EN DASH}", "-").replace("\N{MULTIPLICATION SIGN}", "x")
    assert "1 condition x 4 modes x 2 seeds after 16 trials on dev, 8 of 8 cells finished." in page
    assert "| training.learning_rate | - | - | 0.008 <sub>90%</sub> | 0.008 <sub>90%</sub> |" in page
    assert "| decoder.cell | - | - | gru <sub>10%</sub> | gru <sub>10%</sub> |" in page
    assert "| exact match, % (dev) | - | - | 65.0 | 75.0 |" in page
    assert "| trials | - | - | 8 <sub>1 pruned, 1 failed</sub> | 8 <sub>1 pruned, 1 failed</sub> |" in page
    assert "| feedback | tuning | No trial was trained to its end |" in page
    assert "figures/long-trials.png" in page
    assert (tuned / "figures" / "long-trials.png").is_file()


def test_the_report_says_what_the_expected_score_is_not(tuned):
    page = (tuned / "report.md").read_text()
    assert "the sampler tpe chooses later trials by the scores of earlier ones" in page
    assert "a trial that the pruner median stops counts with its best score until then" in page
    random = _how_to_read_tuning({**TUNE, "sampler": "random", "pruner": "none"})
    assert not any("independent" in line for line in random)


def test_studies_are_exported_with_the_records(tuned, tmp_path):
    for name in ("suite.json", "records.jsonl"):
        shutil.copy(tuned / name, tmp_path)
    report(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == (tuned / "report.html").read_bytes()
    assert len(read_results(tmp_path).studies) == 3


def test_a_failed_trial_without_a_score_counts_as_the_worst():
    assert trial_scores(make_study(LONG, None, "basic"))[3:6] == pytest.approx([0.25, 0.1, 0.35])


# === Few ===


def test_published_figures_are_lines_in_the_figure_and_in_the_text(tmp_path):
    figures = [
        {"label": "theirs", "value": [5.0, None], "source": "A paper, table 1", "caveat": "tuned"},
        {"label": "an older one", "value": 1.5, "source": "Another", "caveat": ""},
    ]
    question = {**FEW_SHORT, "published": figures}
    figure = plots.against_x(
        read_results(make_run(tmp_path, questions=[question], modes=["peek"], seeds=[1])), question
    )
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["theirs", "an older one"]
    *_, theirs, older = figure.axes[0].lines
    np.testing.assert_array_equal(theirs.get_ydata(), [5, np.nan])
    np.testing.assert_array_equal(older.get_ydata(), [1.5, 1.5])
    report(tmp_path)
    assert ("### Published\n\n- theirs: 250 5.0; A paper, table 1; tuned\n- an older one: 1.5; Another\n") in (
        tmp_path / "report.md"
    ).read_text()


def test_one_seed_has_no_intervals(tmp_path):
    run = small(tmp_path / "run", seeds=(1,))
    report(run)
    page = (run / "report.md").read_text()
    assert "One seed gives no interval, so this order may be due to chance: attention" in page
    assert "nan" not in (run / "report.html").read_text().replace("feature", "").lower().split("<figure>")[0]
    assert "cases of 100" not in page


def test_a_single_mode_has_no_comparison(tmp_path):
    run = small(tmp_path / "run", modes=("peek",))
    report(run)
    assert "There is only one mode, so no comparison: peek" in (run / "report.md").read_text()


def test_a_run_without_finished_cells(tmp_path):
    run = small(tmp_path / "run", status="failed", reason="no memory")
    report(run)
    page = (run / "report.md").read_text()
    assert "No cell of this question has finished yet." in page
    assert "| peek | 1 | no memory |" in page
    shutil.rmtree(run / "records")
    (run / "records.jsonl").unlink()
    report(run)
    assert "0 of 4 cells finished, 4 not run yet" in (run / "report.md").read_text()


def test_a_record_with_only_the_required_fields(tmp_path):
    run = make_run(tmp_path / "run", questions=(FEW_SHORT,), modes=("peek",), seeds=(1,))
    for x in (250, 1000):
        bare = make_record(FEW_SHORT, x, "peek", 1)
        keys = ("id", "question", "x", "mode", "seed", "status", "metrics")
        write_record(run, {key: bare[key] for key in keys})
    report(run)
    assert "1 of 1" in (run / "report.md").read_text()


def test_x_may_be_names(tmp_path):
    question = {**FEW, "x": {"label": "form", "key": "task.form", "values": ["whole", "each"]}}
    run = make_run(tmp_path / "run", questions=(question,), modes=("peek", "attention"), seeds=(1, 2))
    report(run)
    assert "form: whole" in (run / "report.md").read_text()


# === Tokens ===

HARD = [
    "<script>alert(1)</script>",
    "$\\frac$",
    "|",
    "`",
    "語",
    "\U0001f600",
    "שלום",
    "é",
    "\u0301",
    " ",
    "",
    "\n",
    "*",
    "&lt;",
]


def test_tokens_of_any_kind_are_escaped(tmp_path):
    weights = [[1 / len(HARD)] * len(HARD)] * len(HARD)
    run = small(
        tmp_path / "run",
        modes=("attention", "<my mode>"),
        examples=[{"source": HARD, "reference": HARD, "output": HARD[::-1]}],
        attention={"source": HARD, "output": HARD, "weights": weights},
    )
    report(run)
    html, markdown = ((run / name).read_text() for name in ("report.html", "report.md"))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;my mode&gt;" in html
    assert "語" in html
    assert "<my mode>" not in html
    body = re.search(r"<body>.*</body>", html, re.DOTALL)
    xml.etree.ElementTree.fromstring(body[0].replace("\u0301", ""))  # every tag opened is closed
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert rows
    assert all(line.endswith(" |") for line in rows)


@pytest.mark.parametrize(
    ("reference", "output", "markdown", "html"),
    [
        ("a b", "a b", "✓ `a b`", "a b"),
        ("a b", "a", "✗ `a [-b-]`", "a <del>b</del>"),
        ("a", "a b", "✗ `a {+b+}`", "a <ins>b</ins>"),
        ("a b", "a c", "✗ `a [-b-]{+c+}`", "a <del>b</del>\N{THIN SPACE}<ins>c</ins>"),
        ("a", "", "✗ `[-a-]`", "<del>a</del>"),
        ("", "", "✓ `∅`", "∅"),
        ("`", "`", "✓ `` ` ``", "`"),
    ],
)
def test_differences_are_marked(reference, output, markdown, html):
    piece = difference(reference.split(), output.split())
    assert piece.markdown == markdown
    assert f">{html}</span>" in piece.html


def test_a_character_and_its_code_point_differ():
    assert difference(["97"], ["a"]).markdown == "✗ `[-97-]{+a+}`"


def test_markup_in_text_is_escaped():
    assert plain("a_b _c_ | <b> [x](y)").markdown == r"a_b \_c\_ \| \<b> \[x\](y)"
    assert table(["", "n"], [["a|b", "1"]]).markdown == "|  | n |\n| --- | --: |\n| a\\|b | 1 |"


# === Two runs ===


def test_compare_lists_changed_scores_and_other_differences(tmp_path):
    a, b = (small(tmp_path / name, seeds=(1, 2, 3)) for name in "ab")
    for seed in (1, 2, 3):
        better = make_record(LONG, None, "peek", seed)
        better["metrics"]["exact_match"] = 0.9 + seed / 100
        better["config"]["decoder"]["units"] = 256
        better["versions"]["keras"] = "3.99"
        write_record(b, better)
    page = compare(a, b)
    assert "- long, all test pairs, peek: better" in page
    assert re.search(
        r"\| all test pairs \| peek \| [\d. to()]+ \| 92.0 \(91.0 to 93.0\) \| \+4[\d.]+ \(.*\) \| better \|", page
    )
    assert re.search(r"\| attention \| .* \| \+0.0 \(-[\d.]+ to \+[\d.]+\) \| no \|", page)
    assert "- decoder.units: 128 in A, 256 in B (3 of 6 shared cells)" in page
    assert "- keras: 3.15.1 in A, 3.99 in B (3 of 6 shared cells)" in page
    assert "- long, all test pairs, peek: worse" in compare(b, a)
    same = compare(a, a)
    assert "Nothing: the interval of every difference includes zero." in same
    assert same.count("The same in all shared cells.") == 2


def test_compare_lists_cells_that_are_in_one_run_only(tmp_path):
    a = small(tmp_path / "a", modes=("peek", "attention"))
    b = small(tmp_path / "b", modes=("peek", "basic"), seeds=(1,))
    write_record(b, make_record(LONG, None, "basic", 1, status="failed", reason="killed"))
    page = compare(a, b)
    assert "| only in A |" in page
    assert "unknown (one seed)" in page
    assert "| basic | \N{EN DASH} | failed | \N{EN DASH} | in neither |" in page
    assert "- only in A: long, attention, seed 1, 2" in page
    assert "- only in B: long, basic, seed 1" in page


def test_results_have_the_modes_and_conditions_of_the_suite(reported):
    results = read_results(reported)
    assert results.modes == MODES
    assert len(results.conditions()) == 3
