"""`python -m seq2seq_zoo` runs `seq2seq-zoo`."""

from seq2seq_zoo.cli import main

if __name__ == "__main__":
    main()
