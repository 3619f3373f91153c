"""The document's words: one text table per language, filled in by name."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

LANGUAGES = ("en", "zh")
FOLDER = Path(__file__).with_name("texts")


class Language:
    """The texts of one language."""

    def __init__(self, code: str) -> None:
        """`code` is one of `LANGUAGES`."""
        self.code = code
        self.texts: dict[str, str] = tomllib.loads((FOLDER / f"{code}.toml").read_text(encoding="utf-8"))

    def __call__(self, key: str, **fields: object) -> str:
        """The text of that name with its fields filled in."""
        return self.texts[key].format(**fields)

    def enumerate(self, things: Iterable[object]) -> str:
        """``a, b, c`` as this language writes it."""
        return self("comma").join(map(str, things))

    def paragraph(self, sentences: Iterable[str]) -> str:
        """Sentences in a row, those that are empty left out."""
        return self("between_sentences").join(sentence for sentence in sentences if sentence)
