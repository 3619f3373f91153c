"""Figures, and the statistics beneath them."""
