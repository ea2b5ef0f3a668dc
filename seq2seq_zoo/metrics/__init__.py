"""Metrics: pure functions over tokens, texts and real values."""
