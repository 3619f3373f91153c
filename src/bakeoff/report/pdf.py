"""The report as PDF: its page, printed by a browser of the machine's."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bakeoff.errors import UsageError

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
"""commands that print a page without a window"""
ELSEWHERE = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ),
    "win32": (
        r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
        r"%ProgramFiles(x86)%\Google\Chrome\Application\chrome.exe",
        r"%LocalAppData%\Google\Chrome\Application\chrome.exe",
        r"%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe",
    ),
}
"""where they are, by `sys.platform`, when no PATH leads to them"""
QUIETLY = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LIMIT_S = 120.0


def to_pdf(html: str) -> bytes:
    """The page on paper. Raises `UsageError` where there is no browser, or where it does not do it."""
    browser = find_browser()
    if browser is None:
        raise UsageError(
            "a PDF is printed by Chromium, Chrome or Edge, and none of them was found",
            "Install one, such as with `apt-get install chromium`; or open the HTML report and print it from there.",
        )
    with tempfile.TemporaryDirectory(prefix="bakeoff-pdf-", ignore_cleanup_errors=True) as scratch:
        page, target = Path(scratch, "report.html"), Path(scratch, "report.pdf")
        page.write_text(html, encoding="utf-8")
        command = [browser, *flags(Path(scratch, "profile")), "--no-pdf-header-footer", f"--print-to-pdf={target}"]
        try:
            done = subprocess.run(
                [*command, page.as_uri()],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
                encoding="utf-8",
                errors="replace",
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(f"{browser} did not print the report: {error}") from error
        if not target.is_file():
            last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise UsageError(f"{browser} did not print the report: {last[0]}")
        return target.read_bytes()


def find_browser() -> str | None:
    """The first that is here; None if none is."""
    known = [shutil.which(name) for name in BROWSERS]
    known += [os.path.expandvars(path) for path in ELSEWHERE.get(sys.platform, ())]
    return next((path for path in known if path and Path(path).is_file()), None)


def flags(profile: Path) -> list[str]:
    """To run a browser without a window, with an empty `profile` folder, asking nothing of the network."""
    # Chromium refuses to be root inside its sandbox. The page is our own, and its policy lets it load nothing.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [*QUIETLY, *root, f"--user-data-dir={profile}"]
