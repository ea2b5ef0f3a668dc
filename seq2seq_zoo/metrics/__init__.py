"""Metrics of tokens, texts and real values."""
