"""`seq2seq-zoo report` and `seq2seq-zoo compare`."""

from cli.commands import call, refused


def test_report_and_compare(monkeypatch):
    from seq2seq_zoo.benchmark import compare, report

    monkeypatch.setattr(report, "report", lambda directory: [directory / "report.html", directory / "report.md", "x"])
    assert call("report", "a").stdout == "a/report.html\na/report.md\n"
    monkeypatch.setattr(compare, "compare", lambda before, after: f"# {before} and {after}\n")
    assert call("compare", "a", "b").stdout == "# a and b\n"


def test_report_and_compare_refuse():
    message = (
        "a: expected the directory of a benchmark run, with suite.json and records/ or records.jsonl in it, found no "
        "suite.json. Name a directory that 'seq2seq-zoo benchmark' has made."
    )
    assert refused("report", "a") == message
    assert refused("compare", "a", "b") == message
    assert refused("compare", "a").startswith("Missing argument 'DIR'")
