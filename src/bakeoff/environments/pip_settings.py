"""The user's package configuration: what pip's configuration says of mirrors, certificates and wheel folders, for uv.

uv does not read pip's configuration, and people behind a mirror or beside a wheelhouse have nothing else.
"""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from bakeoff.records import Record

SECTIONS = ("global", "install", ":env:")
"""pip's sections that bear on an installation; later ones win."""

_PIP_TIMEOUT_S = 30.0


class PackageSettings(Record, frozen=True):
    """Where packages come from. The defaults mean: as uv would without us.

    pip's `constraint` is left out on purpose: locks are exact and installed without resolving, so a constraint
    could only ever contradict them, and the lock wins.
    """

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    timeout_s: str | None = None
    notes: tuple[str, ...] = ()
    """what was found but cannot be followed, one line each, for the user"""

    def uv_flags(self) -> list[str]:
        """The flags of `uv pip install` and `uv pip compile` that say the same."""
        # pip looks at all indexes as equals; uv by default trusts the first that knows the name.
        flags = ["--index-strategy", "unsafe-best-match"]
        if self.no_index:
            flags.append("--no-index")
        elif self.index_url:
            flags += ["--index-url", self.index_url]
        if not self.no_index:
            for url in self.extra_index_urls:
                flags += ["--extra-index-url", url]
        for place in self.find_links:
            flags += ["--find-links", place]
        for host in self.trusted_hosts:
            flags += ["--allow-insecure-host", host]
        return flags

    def uv_variables(self) -> dict[str, str]:
        """The environment variables that say the rest."""
        given = {
            "SSL_CERT_FILE": self.cert,
            "SSL_CLIENT_CERT": self.client_cert,
            "HTTPS_PROXY": self.proxy,
            "HTTP_PROXY": self.proxy,
            "UV_HTTP_TIMEOUT": self.timeout_s,
        }
        return {name: value for name, value in given.items() if value}


def read_pip_settings() -> PackageSettings:
    """Ask pip for its configuration: the controller's own pip, else the one on PATH, else only `PIP_*` variables."""
    pip = pip_command()
    if pip is None:
        return settings_from({}, os.environ)
    try:
        answer = subprocess.run(
            [*pip, "config", "list"], capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False
        )
        problem = "" if answer.returncode == 0 else _last_line(answer.stderr)
        listing = answer.stdout if answer.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem, listing = str(error), ""
    notes = (f"pip's configuration cannot be read and is left out: {problem}",) if problem else ()
    return settings_from(parse_config_list(listing), os.environ, notes)


def pip_command() -> list[str] | None:
    """How to run the controller's own pip, else the one on PATH; None without any."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    program = shutil.which("pip") or shutil.which("pip3")
    return [program] if program else None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "pip ended with an error"


def parse_config_list(listing: str) -> dict[str, str]:
    """The options in the output of `pip config list`, as ``{"section.option": value}``.

    Each line is ``section.option='value'`` with the value as Python would print it; other lines are skipped.
    """
    options = {}
    for line in listing.splitlines():
        key, equals, literal = line.partition("=")
        if not equals:
            continue
        try:
            value = ast.literal_eval(literal.strip())
        except (ValueError, SyntaxError):
            continue
        options[key.strip()] = str(value)
    return options


def settings_from(
    config: Mapping[str, str], environ: Mapping[str, str], notes: tuple[str, ...] = ()
) -> PackageSettings:
    """The settings that a parsed configuration and the `PIP_*` variables amount to; variables win, as in pip."""
    options: dict[str, str] = {}
    for section in SECTIONS:
        prefix = f"{section}."
        options |= {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    options |= {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("PIP_") and value
    }
    places, missing = _usable(options.get("find-links", "").split())
    return PackageSettings(
        index_url=options.get("index-url") or None,
        extra_index_urls=tuple(options.get("extra-index-url", "").split()),
        find_links=places,
        no_index=options.get("no-index", "").strip().lower() in ("1", "true", "yes", "on"),
        trusted_hosts=tuple(options.get("trusted-host", "").split()),
        cert=options.get("cert") or None,
        client_cert=options.get("client-cert") or None,
        proxy=options.get("proxy") or None,
        timeout_s=options.get("default-timeout") or options.get("timeout") or None,
        notes=notes + tuple(f"pip's find-links names {place}, which does not exist: left out" for place in missing),
    )


def _usable(places: Iterable[str]) -> tuple[tuple[str, ...], list[str]]:
    """Split find-links into those to hand over and local folders that are gone: pip shrugs at these, uv stops."""
    usable, missing = [], []
    for place in places:
        if "://" in place:
            usable.append(place)
            continue
        path = Path(place).expanduser().absolute()
        if path.exists():
            usable.append(str(path))
        else:
            missing.append(place)
    return tuple(usable), missing
