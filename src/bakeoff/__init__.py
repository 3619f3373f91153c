"""bakeoff: which deep-learning framework runs my network fastest on this CPU, and is its answer right?"""

__version__ = "0.1.0"
