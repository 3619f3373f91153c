"""Charts as SVG, drawn by Vega-Lite inside vl-convert: no browser, no network."""

import json
import re

import vl_convert
from markupsafe import Markup

from bakeoff.report.page.charts import CONFIG, Spec

_IDENTIFIERS = re.compile(r'(?<=\bid=")(?=\w)|(?<=url\(#)(?=\w)')


def draw(spec: Spec, name: str) -> Markup:
    """The chart as an `<svg>` element; `name` tells its identifiers from those of other charts of the page."""
    svg = vl_convert.vegalite_to_svg(json.dumps(spec | {"config": CONFIG}))
    return Markup(_IDENTIFIERS.sub(f"{name}-", svg))  # noqa: S704 - Vega escapes all text in it
