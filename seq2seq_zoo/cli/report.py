"""`seq2seq-zoo report`: writes the report of a benchmark."""

from seq2seq_zoo.cli.shared import Results, app, examples


@app.command(epilog=examples("seq2seq-zoo report runs/benchmark-default"))
def report(directory: Results) -> None:
    """Write the tables and plots of a benchmark again, from its records alone."""
    from seq2seq_zoo.benchmark.report import report

    print(*report(directory)[:2], sep="\n")
