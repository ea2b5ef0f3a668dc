"""`seq2seq-zoo compare`: compares two runs of a suite."""

from seq2seq_zoo.cli.shared import Results, app, examples


@app.command(epilog=examples("seq2seq-zoo compare runs/before runs/after > difference.md"))
def compare(before: Results, after: Results) -> None:
    """Compare two benchmarks, as Markdown: which scores changed, and what else differs."""
    from seq2seq_zoo.benchmark.compare import compare

    print(compare(before, after), end="")
