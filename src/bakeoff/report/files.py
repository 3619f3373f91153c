"""The set of files that a run leaves in its folder."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bakeoff.errors import StoreError
from bakeoff.judge.results import Results
from bakeoff.report import csv_files, json_file, markdown


def write_all(folder: Path, results: Results) -> list[Path]:
    """Write table.md, results.csv, results.json and the study's files; returns their paths.

    All are written beside their places first and only then renamed into them: a reader never sees half a file,
    and a full disk leaves the old set as it was. Raises `StoreError` that names the file.
    """
    return write_texts(
        folder,
        {
            "table.md": markdown.to_markdown(results),
            "results.csv": csv_files.to_csv(results),
            "results.json": json_file.to_json(results),
            **csv_files.study_files(results),
        },
    )


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write each text to its file name in `folder`, all of them or, but for the renames, none."""
    advice = "The results are safe in the store: `bakeoff show` prints them."
    with contextlib.ExitStack() as stack:
        for name, text in texts.items():
            beside = stack.enter_context(in_place(folder / name, advice))
            beside.write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in texts]


@contextlib.contextmanager
def in_place(path: Path, advice: str = "") -> Iterator[Path]:
    """A file beside `path` to write to, that takes its place if the block succeeds. Raises `StoreError`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        where = path if path.parent.is_dir() else path.parent
        raise StoreError(f"{where} could not be written: {error.strerror or error}", advice) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
