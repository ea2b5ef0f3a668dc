"""Text and numbers into arrays: vocabularies, padding, delimited files. Numpy only."""
