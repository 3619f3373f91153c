"""`bakeoff ship`: a measured row as a pack, a folder that needs no bakeoff.

`packing` writes it and `certificate` says what was measured. `pack/` has the files that go into every pack as they are,
`tensors` and some files of other parts go along with them: these run on Python 3.8 in the engine's environment.
"""
