"""Which settings are best: a space of them is searched, and the best few are confirmed."""
