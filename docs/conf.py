"""The documentation site: Sphinx reads the Markdown pages of this folder, and the docstrings of the public API."""

import bakeoff

project = "bakeoff"
author = "the bakeoff authors"
release = version = bakeoff.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["*.py"]
html_extra_path = ["report.html"]
myst_heading_anchors = 4
highlight_language = "text"
default_role = "code"  # docstrings name code between single backticks, as they do in the source

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"

html_theme = "furo"
html_title = f"bakeoff {release}"
html_show_copyright = False
html_copy_source = False
