"""The command that writes a suite's report from its records."""

from seq2seq_zoo.cli.shared import Results, app, examples


@app.command(epilog=examples("seq2seq-zoo report runs/benchmark-default"))
def report(directory: Results) -> None:
    """Write a benchmark's tables and plots anew, from its records alone."""
    from seq2seq_zoo.benchmark.report import report

    print(*report(directory)[:2], sep="\n")
