"""Files, the environment and interrupts."""
