"""The console command of a package."""

import contextlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from seq2seq_zoo.data.lines import arriving_texts, open_file

AT_ONCE = 1024
"""How many lines are read into memory at most."""

Answer = Callable[[Sequence[str], Namespace, int], Sequence[tuple[list[str], list[str]]]]
"""Takes texts, the options and the number of texts before these. Returns for each text the lines to print, and its
tokens that the model does not know."""


class Parser(ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the error, for `errors_in_one_line`."""
        raise ValueError(f"{message}. See '{self.prog} --help'.")


@contextlib.contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn the exception that ends a command into an exit code, and one line on standard error."""
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (`| head`) has closed it. Discard what is still in the buffer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError) as error:
        print("Error:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


def run_on_texts(
    description: str, answer: Answer, add_options: Callable[[ArgumentParser], Any] = lambda parser: None
) -> None:
    """Run the command of a model that reads texts: arguments, the lines of a file, or those of standard input.

    Args:
        description: what the command does.
        answer: gives the lines to print.
        add_options: adds further options.
    """
    with errors_in_one_line():
        parser = Parser(description=description)
        parser.add_argument("texts", metavar="TEXT", nargs="*", help="texts; the lines of standard input if not given")
        parser.add_argument("--file", help="a file with one text on each line")
        add_options(parser)
        options = parser.parse_args()
        if options.texts and options.file is not None:
            parser.error("give texts as arguments or a --file of them, not both")
        if sys.stdin.isatty() and not options.texts and options.file is None:
            print("Type a text and press Enter; Ctrl-D ends.", file=sys.stderr)
        number, strange = 0, dict[str, None]()
        for texts in _batches(options):
            for lines, unknown in answer(texts, options, number):
                print(*lines, sep="\n")
                strange.update(dict.fromkeys(unknown))
            number += len(texts)
            sys.stdout.flush()
        if strange:
            shown = ", ".join(map(repr, [*strange][:10]))
            print(f"Tokens that the model does not know: {shown}{', …' * (len(strange) > 10)}", file=sys.stderr)


def _batches(options: Namespace) -> Iterator[list[str]]:
    """The texts, in batches of those that have arrived."""
    if options.texts:
        yield options.texts
    elif options.file is None:
        yield from (texts for texts, _ in arriving_texts(sys.stdin.buffer, "standard input", AT_ONCE))
    else:
        with open_file(options.file) as file:
            yield from (texts for texts, _ in arriving_texts(file, options.file, AT_ONCE))
