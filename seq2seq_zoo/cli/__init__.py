"""The command line. It imports no backend until a command needs one, so help appears at once."""

# isort: skip_file
# Help lists the commands in the order of these imports.
from seq2seq_zoo.cli.shared import app as app
from seq2seq_zoo.cli import list as list
from seq2seq_zoo.cli import init as init
from seq2seq_zoo.cli import show as show
from seq2seq_zoo.cli import schema as schema
from seq2seq_zoo.cli import train as train
from seq2seq_zoo.cli import tune as tune
from seq2seq_zoo.cli import evaluate as evaluate
from seq2seq_zoo.cli import predict as predict
from seq2seq_zoo.cli import score as score
from seq2seq_zoo.cli import card as card
from seq2seq_zoo.cli import export as export
from seq2seq_zoo.cli import play as play
from seq2seq_zoo.cli import benchmark as benchmark
from seq2seq_zoo.cli import report as report
from seq2seq_zoo.cli import compare as compare
from seq2seq_zoo.cli import data as data
