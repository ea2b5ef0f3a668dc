"""Searches over a decoder's `step`. They know ids, never vocabularies or tasks."""
