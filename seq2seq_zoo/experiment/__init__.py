"""Turns a configuration into a finished run."""
