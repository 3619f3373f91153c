"""Reports: pure functions from a run and its summaries to text, and the writing of the files."""

from bakeoff.report.files import write_all

__all__ = ["write_all"]
