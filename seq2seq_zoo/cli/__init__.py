"""The command line. Imports no backend until a command needs one, so that help answers at once."""

# isort: skip_file
# The order of the imports is the order of the commands in help.
from seq2seq_zoo.cli.shared import app as app, main as main
from seq2seq_zoo.cli import configuring as configuring
from seq2seq_zoo.cli import training as training
from seq2seq_zoo.cli import using as using
from seq2seq_zoo.cli import comparing as comparing
