"""The race: what to run, in which order, and what becomes of it."""
