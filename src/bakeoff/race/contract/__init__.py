"""What every engine promises, as checks."""
