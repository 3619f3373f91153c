"""What runs in the model worker alone: everything that opens a model file. The controller imports none of it."""
