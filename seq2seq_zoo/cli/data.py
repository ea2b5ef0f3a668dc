"""`seq2seq-zoo data`: gets published data from its sources."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from seq2seq_zoo.cli.shared import DataDir, app, examples, note

EXAMPLES = examples("seq2seq-zoo data fetch g2p", "seq2seq-zoo data fetch scan --data-dir data")

data = typer.Typer()
app.add_typer(data, name="data", epilog=EXAMPLES)


@data.callback(invoke_without_command=True)
def about(ctx: typer.Context) -> None:
    """Get published data sets from their sources."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), nl=False)


@data.command(epilog=EXAMPLES)
def fetch(
    name: Annotated[str, typer.Argument(help="The name of a data set; see 'seq2seq-zoo list data'.")],
    data_dir: DataDir = None,
) -> None:
    """Get the files of a published data set, and print its folder.

    Files that are there already are not fetched again. A file appears under its name when it is complete and verified.
    """
    from seq2seq_zoo.data import published

    described, lacking = published.data_set(name), published.missing(name)
    for line in (described.title, f"Licence: {described.licence}", f"Source: {described.url}"):
        note(line)
    console = Console(stderr=True)
    for path in track(lacking, name, console=console, transient=True, disable=not console.is_terminal):
        published.fetch(name, path)
    size = sum(file["bytes"] for file in described.files.values())
    note(f"{len(described.files)} files, {size / 1e6:.1f} MB: fetched {len(lacking)}, all verified.")
    print(published.folder_of(name))
