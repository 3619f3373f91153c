"""Heats: workers that take turns, and the trials that come of it."""
