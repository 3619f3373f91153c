"""Between runs: comparisons and gates."""
