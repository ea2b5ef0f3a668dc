"""Tasks: each provides data splits and their vocabularies or features. Needs numpy only, no backend."""

from seq2seq_zoo.tasks import addition as addition
from seq2seq_zoo.tasks import articulation as articulation
from seq2seq_zoo.tasks import autoencode as autoencode
from seq2seq_zoo.tasks import copy as copy
from seq2seq_zoo.tasks import date_normalization as date_normalization
from seq2seq_zoo.tasks import delimited as delimited
from seq2seq_zoo.tasks import digits_to_words as digits_to_words
from seq2seq_zoo.tasks import first_25 as first_25
from seq2seq_zoo.tasks import forecast as forecast
from seq2seq_zoo.tasks import frames as frames
from seq2seq_zoo.tasks import integers as integers
from seq2seq_zoo.tasks import labels as labels
from seq2seq_zoo.tasks import language as language
from seq2seq_zoo.tasks import melodies as melodies
from seq2seq_zoo.tasks import parallel as parallel
from seq2seq_zoo.tasks import pig_latin as pig_latin
from seq2seq_zoo.tasks import pronunciation as pronunciation
from seq2seq_zoo.tasks import reverse as reverse
from seq2seq_zoo.tasks import scan as scan
from seq2seq_zoo.tasks import seasons as seasons
from seq2seq_zoo.tasks import words_to_digits as words_to_digits
from seq2seq_zoo.tasks.task import Data as Data
from seq2seq_zoo.tasks.task import Task as Task
from seq2seq_zoo.tasks.task import tasks as tasks
