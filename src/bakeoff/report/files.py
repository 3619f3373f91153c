"""The set of files that a run leaves in its folder."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bakeoff.errors import StoreError
from bakeoff.judge.results import Results
from bakeoff.printable import visible
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
    """Write each text to its file name in `folder`, all of them or, but for the renames, none; see `in_place`."""
    with contextlib.ExitStack() as stack:
        for name, text in texts.items():
            stack.enter_context(in_place(folder / name)).write_text(visible(text), encoding="utf-8", newline="\n")
    return [folder / name for name in texts]


@contextlib.contextmanager
def in_place(path: Path) -> Iterator[Path]:
    """A file to write to, that takes the place of `path`, or of what that links to, if the block succeeds.

    Raises `StoreError` where that cannot be written or is no plain file: a folder, a pipe, a device.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        if os.path.lexists(target) and not target.is_file():
            raise StoreError(f"{path} could not be written: it is no plain file", "Name a file, or - for stdout.")
        target.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(target)
    except OSError as error:
        raise StoreError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
