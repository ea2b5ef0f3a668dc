"""`seq2seq-zoo card`: prints the card of a model."""

import typer

from seq2seq_zoo.cli.shared import RunPath, app, examples


@app.command(epilog=examples("seq2seq-zoo card zoo:words_to_digits", "seq2seq-zoo card runs/copy-attention-1"))
def card(run: RunPath) -> None:
    """Print what a model does, how well, and how it was made, as Markdown."""
    from seq2seq_zoo.experiment.card import card

    typer.echo(card(run), nl=False)
