"""`seq2seq-zoo`, also as `python -m seq2seq_zoo`."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C in the first moment, while it is imported, ends it without a traceback."""
    try:
        from seq2seq_zoo.cli import app
    except KeyboardInterrupt:
        sys.exit(130)
    app()


if __name__ == "__main__":
    main()
