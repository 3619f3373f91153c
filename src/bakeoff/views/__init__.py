"""What a race and an installation show while they go on: shared by the command line and the Python API."""
