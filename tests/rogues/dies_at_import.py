"""An adapter whose framework takes the process down when it is imported."""

import os

os._exit(127)
