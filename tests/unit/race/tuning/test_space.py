"""The points of a search, on engines that a test declares."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.made import ALPHA

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.race.asking.machine import Machine
from bakeoff.race.tuning import space as module
from bakeoff.race.tuning.space import sizes, space, thread_counts
from bakeoff.records import Request

pytestmark = pytest.mark.unit

TOML = (
    ALPHA
    + """
groups = ["study"]
[engines.alpha.knobs]
spin = { values = [true, false], default = true, help = "h" }
mode = { values = ["eager", "compile"], default = "eager", help = "h" }
freezing = { values = [true, false], default = false, help = "h", needs = { mode = "compile" } }
streams = { values = [1, 4], default = 1, help = "h", only.4.cpus = 16 }
[engines.alpha-compiled]
like = "alpha"
settings = { mode = "compile" }
groups = ["modes"]
[engines.beta]
like = "alpha"
title = "Beta"
knobs = {}
[engines.gamma]
like = "alpha"
title = "Gamma"
knobs.tiles = { values = [8, 16], default = 8, help = "h" }
groups = []
"""
)
MACHINE = Machine(cpus=4, installed=lambda _: False)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    folder = tmp_path / "engines" / "alpha"
    folder.mkdir(parents=True)
    (folder / "engine.toml").write_text(TOML, encoding="utf-8")
    for name in ("adapter.py", "alpha.lock"):
        (folder / name).touch()
    return Catalogue.load(built_in=folder.parent)


def names(catalogue: Catalogue, *engines: str, **asked: Any) -> list[str]:
    return [point.name for point in space(Request(engines=engines, **asked), catalogue, MACHINE)]


def test_every_combination_that_says_something_is_a_point_and_defaults_come_first(catalogue: Catalogue) -> None:
    points = space(Request(engines=("alpha",)), catalogue, MACHINE)
    assert len(points) == len({point.name for point in points}) == 2 * 3 * 3  # spin, mode with freezing, threads
    assert points[0].name == "alpha"
    assert points[0].is_default
    assert [len(point.turned) for point in points] == sorted(len(point.turned) for point in points)
    assert {point.default for point in points} == {"alpha"}
    single = {point.name for point in points if len(point.turned) == 1}
    assert single == {"alpha[spin=false]", "alpha-compiled", "alpha[threads=2]", "alpha[threads=1]"}


def test_a_point_says_the_value_of_every_knob_and_what_it_turns(catalogue: Catalogue) -> None:
    points = {point.name: point for point in space(Request(engines=("alpha",)), catalogue, MACHINE)}
    found = points["alpha[mode=compile,spin=false,threads=1]"]
    assert dict(found.values) == {"spin": False, "mode": "compile", "freezing": False, "threads": 1}
    assert dict(found.turned) == {"spin": False, "mode": "compile", "threads": 1}
    assert found.said == "alpha with mode=compile, spin=false, threads=1"
    assert found.contender.threads == 1


def test_by_default_the_default_race_s_engines_with_knobs_are_searched(catalogue: Catalogue) -> None:
    assert {name.partition("[")[0] for name in names(catalogue)} == {"alpha", "alpha-compiled"}


def test_what_is_set_of_an_engine_is_all_that_is_searched_of_it(catalogue: Catalogue) -> None:
    found = names(catalogue, "alpha", "gamma", settings={"alpha.spin": (True, False)}, threads=4)
    assert found == ["alpha", "gamma", "alpha[spin=false]", "gamma[tiles=16]"]
    assert names(catalogue, "alpha", settings={"alpha.spin": (False,)}, threads=4) == ["alpha", "alpha[spin=false]"]


def test_threads_alone_narrow_no_knob(catalogue: Catalogue) -> None:
    found = names(catalogue, "gamma", settings={"*.threads": (4, "default")})
    assert found == ["gamma", "gamma[threads=default]", "gamma[tiles=16]", "gamma[threads=default,tiles=16]"]


def test_settings_in_a_name_stay(catalogue: Catalogue) -> None:
    assert names(catalogue, "gamma[threads=2]") == ["gamma[threads=2]", "gamma[threads=2,tiles=16]"]
    assert names(catalogue, "alpha-compiled", settings={"alpha-compiled.freezing": (True, False)}, threads=4) == [
        "alpha-compiled",
        "alpha[freezing=true,mode=compile]",
    ]


def test_an_engine_without_knobs_has_numbers_of_threads(catalogue: Catalogue) -> None:
    assert names(catalogue, "beta") == ["beta", "beta[threads=2]", "beta[threads=1]"]
    assert [thread_counts(cpus) for cpus in (1, 2, 3, 8)] == [(1,), (2, 1), (3, 1), (8, 4, 1)]


def test_sizes_say_where_the_points_are(catalogue: Catalogue) -> None:
    assert sizes(space(Request(engines=("alpha", "beta")), catalogue, MACHINE)) == "alpha 18, beta 3"


def test_what_cannot_be_searched_is_refused(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="alpha has no knob 'spn'"):
        names(catalogue, "alpha", settings={"alpha.spn": (True,)})
    with pytest.raises(UsageError, match="has no value 7"):
        names(catalogue, "gamma", settings={"gamma.tiles": (7,)})
    with pytest.raises(UsageError, match="beta is not among the engines"):
        names(catalogue, "gamma", settings={"beta.threads": (1,)})
    monkeypatch.setattr(module, "MOST", 10)
    with pytest.raises(UsageError, match="alpha has 24 combinations of settings"):
        names(catalogue, "alpha")
