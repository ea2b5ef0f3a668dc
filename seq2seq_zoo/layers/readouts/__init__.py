"""Readouts: what an output is, and how it becomes the next step's input."""
