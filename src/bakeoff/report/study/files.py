"""Where the documents go."""

from collections.abc import Mapping
from pathlib import Path

from bakeoff.report.files import write_texts

MARKDOWN = ".md"


def write_documents(documents: Mapping[str, str], place: Path) -> list[Path]:
    """Write the documents (language -> text) to `place`, all or none, and return their paths.

    A place that ends in .md is the English file, with the other languages beside it: study.md, study.zh.md. Any
    other place is a folder that gets files of these names. Raises `StoreError` that names what cannot be written.
    """
    english = place if place.suffix == MARKDOWN else place / f"study{MARKDOWN}"
    names = {code: english.name if code == "en" else f"{english.stem}.{code}{MARKDOWN}" for code in documents}
    return write_texts(english.parent, {names[code]: text for code, text in documents.items()})
