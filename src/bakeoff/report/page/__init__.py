"""The report as one HTML file: nothing beside it, nothing from a network, light and dark, for screens and paper."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from bakeoff.errors import UsageError
from bakeoff.report import insights
from bakeoff.report.insights import RunReport

HERE = Path(__file__).parent
EXTRA = "pip install 'bakeoff[report]'"


def to_html(reports: Sequence[RunReport]) -> str:
    """The whole page. Raises `UsageError` where the optional packages that make it are not installed."""
    try:
        import jinja2  # noqa: PLC0415 - optional, and of no use to any other command

        from bakeoff.report.page import sections  # noqa: PLC0415 - imports those
    except ImportError as error:
        message = f"an HTML report needs {error.name}, which is not installed"
        raise UsageError(message, f"{EXTRA}, or take --format md") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,  # names of models, engines and runs are somebody else's
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (HERE / "table.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("page.html.jinja").render(
        runs=[sections.of_run(report, f"run{number}") for number, report in enumerate(reports, 1)],
        style=(HERE / "style.css").read_text(encoding="utf-8"),
        script=script,
        script_digest=digest,
        peak_note=insights.PEAK_NOTE,
    )
    return page.rstrip("\n") + "\n"
