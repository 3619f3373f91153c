import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.environments import pip_settings
from bakeoff.environments.pip_settings import PackageSettings, parse_config_list, read_pip_settings, settings_from

pytestmark = pytest.mark.unit

OPTION = st.from_regex(r"(global|install|:env:)\.[a-z][a-z-]{0,12}", fullmatch=True)


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PIP_CERT", "PIP_FIND_LINKS", "PIP_DEFAULT_TIMEOUT", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))


@settings(max_examples=30)
@given(st.dictionaries(OPTION, st.text()))
def test_a_listing_parses_back_to_what_was_listed(options: dict[str, str]) -> None:
    listing = "".join(f"{key}={value!r}\n" for key, value in options.items())
    assert parse_config_list(listing) == options


@settings(max_examples=30)
@given(st.text())
def test_no_listing_makes_the_parser_fail(listing: str) -> None:
    parse_config_list(listing)


def test_values_of_several_entries_are_split_at_any_whitespace() -> None:
    found = settings_from({"global.extra-index-url": "\nhttps://a.example/simple\n  file:///srv/simple  /srv/more"}, {})
    assert found.extra_index_urls == ("https://a.example/simple", "file:///srv/simple", "/srv/more")


def test_the_install_section_wins_over_global_and_the_environment_over_both() -> None:
    config = {"global.index-url": "g", "install.index-url": "i", "download.index-url": "d"}
    assert settings_from(config, {}).index_url == "i"
    assert settings_from(config | {":env:.index-url": "e"}, {}).index_url == "e"
    assert settings_from(config, {"PIP_INDEX_URL": "v"}).index_url == "v"


def test_constraints_are_not_handed_over() -> None:
    found = settings_from({"global.constraint": "/etc/constraints.txt"}, {"PIP_CONSTRAINT": "/c.txt"})
    assert found == PackageSettings()
    assert "constraint" not in " ".join(found.uv_flags())


def test_everything_becomes_flags_and_variables_of_uv(tmp_path: Path) -> None:
    environ = {
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "PIP_EXTRA_INDEX_URL": "file:///a file:///b",
        "PIP_FIND_LINKS": f"{tmp_path} https://wheels.example/",
        "PIP_TRUSTED_HOST": "mirror.example",
        "PIP_CERT": "/ca.pem",
        "PIP_CLIENT_CERT": "/me.pem",
        "PIP_PROXY": "http://proxy:3128",
        "PIP_DEFAULT_TIMEOUT": "180",
    }
    found = settings_from({}, environ)
    assert found.uv_flags() == [
        *("--index-strategy", "unsafe-best-match"),
        *("--index-url", "https://mirror.example/simple"),
        *("--extra-index-url", "file:///a"),
        *("--extra-index-url", "file:///b"),
        *("--find-links", str(tmp_path)),
        *("--find-links", "https://wheels.example/"),
        *("--allow-insecure-host", "mirror.example"),
    ]
    assert found.uv_variables() == {
        "SSL_CERT_FILE": "/ca.pem",
        "SSL_CLIENT_CERT": "/me.pem",
        "HTTPS_PROXY": "http://proxy:3128",
        "HTTP_PROXY": "http://proxy:3128",
        "UV_HTTP_TIMEOUT": "180",
    }


def test_no_index_leaves_only_the_wheel_folders(tmp_path: Path) -> None:
    environ = {"PIP_NO_INDEX": "true", "PIP_INDEX_URL": "https://x.example", "PIP_FIND_LINKS": str(tmp_path)}
    assert settings_from({}, environ).uv_flags()[2:] == ["--no-index", "--find-links", str(tmp_path)]


def test_a_find_links_folder_that_is_gone_is_left_out_with_a_note() -> None:
    found = settings_from({"global.find-links": "/no/such/folder"}, {})
    assert found.find_links == ()
    assert found.notes == ("pip's find-links names /no/such/folder, which does not exist: left out",)


def test_a_real_pip_is_asked(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nextra-index-url =\n    file:///one\n    file:///two\n", encoding="utf-8"
    )
    found = read_pip_settings()
    assert found.extra_index_urls[-2:] == ("file:///one", "file:///two")
    assert found.notes == ()


def test_a_broken_pip_configuration_is_a_note_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text("[global\nindex-url = x\n", encoding="utf-8")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    found = read_pip_settings()
    assert found.find_links == (str(tmp_path),)
    assert len(found.notes) == 1
    assert found.notes[0].startswith("pip's configuration cannot be read and is left out: ")
    assert "\n" not in found.notes[0]


def test_without_any_pip_the_variables_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_settings, "pip_command", lambda: None)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    assert read_pip_settings().index_url == "https://mirror.example/simple"


def test_a_pip_that_hangs_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 30)

    monkeypatch.setattr(pip_settings, "pip_command", lambda: [sys.executable])
    monkeypatch.setattr(subprocess, "run", hangs)
    assert "timed out" in read_pip_settings().notes[0]
