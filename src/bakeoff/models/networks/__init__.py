"""The built-in networks, layer by layer, as plain data."""
