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
            "results.json": json_file.to_json(results) + "\n",
            **csv_files.study_files(results),
        },
    )


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write each text to its file name in `folder`, all of them or, but for the renames, none."""
    temporary = {folder / name: folder / f".{name}.{os.getpid()}.tmp" for name in texts}
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, beside in temporary.items():
            beside.write_text(texts[path.name], encoding="utf-8", newline="\n")
        for path, beside in temporary.items():
            beside.replace(path)
    except OSError as error:
        message = f"{path} could not be written: {error.strerror}"
        raise StoreError(message, "The results are safe in the store: `bakeoff show` prints them.") from error
    finally:
        for beside in temporary.values():
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
    return list(temporary)


@contextlib.contextmanager
def in_place(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, that takes its place if the block succeeds. Raises `StoreError`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        raise StoreError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
