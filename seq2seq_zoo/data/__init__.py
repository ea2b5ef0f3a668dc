"""From files to arrays: readers, vocabularies, padding. Needs numpy only."""
