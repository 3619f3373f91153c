"""What a search over settings found, and what its confirmation says."""
