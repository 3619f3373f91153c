"""The 2019 study, rerun and written anew: from a run to `study.md` and `study.zh.md`."""

from bakeoff.report.study.document import study_documents, write_documents
from bakeoff.report.study.language import LANGUAGES

__all__ = ["LANGUAGES", "study_documents", "write_documents"]
