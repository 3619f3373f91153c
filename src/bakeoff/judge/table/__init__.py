"""Of one table: who is faster, and what still has to be raced to tell."""
