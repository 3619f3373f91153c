from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.environments.apt_sources import (
    AptSource,
    Mirror,
    find_mirror,
    parse_deb822,
    parse_one_line,
    read_sources,
)

pytestmark = pytest.mark.unit

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEB822 = f"""# a comment
Types: deb deb-src
# another, amid the stanza
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {KEYRING}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: {KEYRING}

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = f"""
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by={KEYRING}] http://mirror.example/debian/ bookworm main contrib # here
deb http://mirror.example/debian-security bookworm-security main
deb-src http://mirror.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
"""


@pytest.mark.parametrize("sources", [parse_deb822(DEB822), parse_one_line(ONE_LINE)], ids=["deb822", "one-line"])
def test_both_formats_lead_to_the_machines_mirror(sources: list[AptSource]) -> None:
    mirror = find_mirror(sources, "bookworm")
    assert mirror is not None
    assert mirror.main.uris[0].rstrip("/") == "http://mirror.example/debian"
    assert mirror.main.signed_by == KEYRING
    assert mirror.security is not None
    assert mirror.security.uris == ("http://mirror.example/debian-security",)


def test_the_suite_is_changed_and_nothing_else() -> None:
    mirror = find_mirror(parse_deb822(DEB822), "bookworm")
    assert mirror is not None
    assert parse_deb822(mirror.sources_for("trixie")) == [
        AptSource(
            uris=("http://mirror.example/debian",),
            suites=("trixie", "trixie-updates"),
            components=("main",),
            signed_by=KEYRING,
        ),
        AptSource(
            uris=("http://mirror.example/debian-security",),
            suites=("trixie-security",),
            components=("main",),
            signed_by=KEYRING,
        ),
    ]


def test_disabled_archives_and_sources_are_passed_over() -> None:
    assert len(parse_deb822(DEB822)) == 2


def test_a_key_written_into_the_stanza_survives() -> None:
    key = "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----"
    source = AptSource(uris=("http://m/debian",), suites=("trixie",), components=("main",), signed_by=key)
    assert parse_deb822(source.with_suites("trixie"))[0].signed_by == key


def test_a_machine_that_does_not_run_debian_may_still_have_its_mirror() -> None:
    ubuntu = parse_one_line("deb http://ubuntu.example/ubuntu noble main\n")
    assert find_mirror(ubuntu, "") is None
    both = ubuntu + parse_one_line("deb http://mirror.example/debian trixie main\n")
    assert find_mirror(both, "") == Mirror(main=both[1], security=None)


def test_a_mirror_under_another_name_is_known_by_its_suite() -> None:
    sources = parse_one_line("deb https://proxy.example/repository/apt-cache bookworm main\n")
    mirror = find_mirror(sources, "bookworm")
    assert mirror is not None
    assert mirror.main == sources[0]


def test_every_file_is_read_and_other_files_are_not(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a/debian trixie main\n", encoding="utf-8")
    (parts / "b.list").write_text("deb http://b/debian trixie main\n", encoding="utf-8")
    (parts / "c.sources").write_text(DEB822, encoding="utf-8")
    (parts / "d.list.disabled").write_text("deb http://d/debian trixie main\n", encoding="utf-8")
    assert [source.uris[0].split("/")[2] for source in read_sources(tmp_path)] == [
        "a",
        "b",
        "mirror.example",
        "mirror.example",
    ]
    assert read_sources(tmp_path / "nowhere") == []


@settings(max_examples=30)
@given(st.text(alphabet=st.sampled_from("deb [=]:URIsypT\n #-.yon")))
def test_no_text_makes_the_parsers_fail(text: str) -> None:
    parse_one_line(text)
    parse_deb822(text)
