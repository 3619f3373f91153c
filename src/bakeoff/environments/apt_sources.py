"""Reads the machine's apt sources, to fetch another release of Debian from the mirror that this machine uses."""

import email
import re
from collections.abc import Iterable
from pathlib import Path

from bakeoff.records import Record

MAIN_COMPONENT = "main"
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>.*)$")


class AptSource(Record, frozen=True):
    """One archive that apt fetches binary packages from."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str | None = None
    """a keyring's path, or an armoured key"""

    def with_suites(self, *suites: str) -> str:
        """The deb822 stanza of this archive's main component with other suites."""
        stanza = f"Types: deb\nURIs: {' '.join(self.uris)}\nSuites: {' '.join(suites)}\nComponents: {MAIN_COMPONENT}\n"
        return f"{stanza}Signed-By: {self.signed_by}\n" if self.signed_by else stanza


class Mirror(Record, frozen=True):
    """Where this machine gets Debian from."""

    main: AptSource
    security: AptSource | None

    def sources_for(self, suite: str) -> str:
        """A .sources file for `suite` on the same mirror, with its updates and, where known, security updates."""
        stanzas = [self.main.with_suites(suite, f"{suite}-updates")]
        if self.security is not None:
            stanzas.append(self.security.with_suites(f"{suite}-security"))
        return "\n".join(stanzas)


def read_sources(etc_apt: Path) -> list[AptSource]:
    """Every enabled binary archive under `etc_apt`; files that cannot be read are passed over, as apt does."""
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]
    sources: list[AptSource] = []
    for file in files:
        if not file.is_file() or file.suffix not in (".list", ".sources"):
            continue
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        sources += parse_deb822(text) if file.suffix == ".sources" else parse_one_line(text)
    return sources


def parse_one_line(text: str) -> list[AptSource]:
    """The archives of a sources.list, see sources.list(5): ``deb [option=value ...] uri suite component ...``."""
    sources = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match is None:
            continue
        options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
        sources.append(
            AptSource(
                uris=(match["uri"],),
                suites=(match["suite"],),
                components=tuple(match["components"].split()),
                signed_by=options.get("signed-by"),
            )
        )
    return sources


def parse_deb822(text: str) -> list[AptSource]:
    """The archives of a .sources file: stanzas of ``Field: value``, continued by lines that begin with a space."""
    sources = []
    for stanza in re.split(r"\n[ \t]*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = email.message_from_string(stanza.lstrip("\n"))
        enabled = fields.get("enabled", "yes").strip().lower() not in ("no", "false", "0", "off", "without", "disable")
        if "deb" not in fields.get("types", "").split() or not enabled or not fields.get("uris"):
            continue
        sources.append(
            AptSource(
                uris=tuple(fields["uris"].split()),
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                signed_by=fields.get("signed-by", "").strip(" ") or None,
            )
        )
    return sources


def find_mirror(sources: Iterable[AptSource], codename: str) -> Mirror | None:
    """The machine's own mirror of Debian's main archive and of its security updates, None if it has none.

    `codename` is the machine's release if it runs Debian ("bookworm"), else "". The main archive is the one that
    serves that release; on other systems, one whose address ends in ``/debian``.
    """
    usable = [source for source in sources if MAIN_COMPONENT in source.components]
    main = next((source for source in usable if codename and codename in source.suites), None) or next(
        (source for source in usable if any(uri.rstrip("/").endswith("/debian") for uri in source.uris)), None
    )
    if main is None:
        return None
    security_suites = (f"{codename}-security", f"{codename}/updates")
    security = next((source for source in usable if any(suite in security_suites for suite in source.suites)), None)
    return Mirror(main=main, security=security)
