"""Knobs of an engine that a test declares: what may be asked of them, and the contenders that come of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.made import ALPHA

from bakeoff.cli.engines import engines
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import EngineFolderError, UsageError
from bakeoff.race.asking.contenders import contender_of, knobs_here
from bakeoff.race.asking.machine import Machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import Contender, Installed, Request, Scalar

pytestmark = pytest.mark.unit

TOML = (
    ALPHA
    + """
loads_once = true
env = { COMMON = "1" }
groups = ["study"]
[engines.alpha.knobs]
spin = { values = [true, false], default = true, help = "h" }
mode = { values = ["eager", "compile"], default = "eager", help = "h", fixes_batch = ["compile"] }
freezing = { values = [true, false], default = false, help = "h", needs = { mode = "compile" } }
streams = { values = [1, 2, 4], default = 1, help = "h", only.4.cpus = 4 }
kernels = { values = ["own", "mkl"], default = "own", help = "h", applies = "process", env.mkl = { MKL = "5" } }
exotic = { values = [0, 1], default = 0, help = "h", when = { isa = "amx_int8" } }
[engines.alpha-compiled]
like = "alpha"
settings = { mode = "compile" }
title = "Alpha, compiled"
groups = ["modes"]
[engines.alpha-on-mkl]
like = "alpha"
settings = { kernels = "mkl" }
groups = ["modes"]
[engines.alpha-exotic]
like = "alpha"
settings = { exotic = 1 }
groups = ["modes"]
[engines.beta]
like = "alpha"
title = "Beta"
knobs = {}
groups = []
"""
)
MACHINE = Machine(cpus=2, installed=lambda _: False, instruction_sets=("avx2",), vendor="GenuineIntel")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write_folder(toml: str) -> Path:
        folder = tmp_path / "engines" / "alpha"
        folder.mkdir(parents=True)
        (folder / "engine.toml").write_text(toml, encoding="utf-8")
        for name in ("adapter.py", "alpha.lock"):
            (folder / name).touch()
        return folder

    return write_folder


@pytest.fixture
def catalogue(write: Callable[[str], Path]) -> Catalogue:
    return Catalogue.load(built_in=write(TOML).parent)


def asked(catalogue: Catalogue, machine: Machine = MACHINE, **request: Any) -> tuple[Contender, ...]:
    return make_plan(Request(models=("resnet18",), **request), catalogue, machine).contenders


def names(catalogue: Catalogue, **request: Any) -> list[str]:
    return [contender.name for contender in asked(catalogue, **request)]


def test_each_combination_of_the_values_asked_for_is_a_contender(catalogue: Catalogue) -> None:
    found = names(catalogue, engines=("alpha",), settings={"alpha.spin": (True, False), "alpha.streams": (1, 2)})
    assert found == ["alpha", "alpha[streams=2]", "alpha[spin=false]", "alpha[spin=false,streams=2]"]


def test_a_value_that_is_the_default_goes_without_saying(catalogue: Catalogue) -> None:
    assert names(catalogue, engines=("alpha[spin=true,streams=2]", "alpha[streams=2]")) == ["alpha[streams=2]"]


def test_what_stands_in_brackets_is_not_varied(catalogue: Catalogue) -> None:
    found = names(catalogue, engines=("alpha[spin=false]", "alpha"), settings={"alpha.spin": (True,)})
    assert found == ["alpha[spin=false]", "alpha"]


def test_a_name_of_several_engines_means_those_that_have_the_knob(catalogue: Catalogue) -> None:
    found = names(catalogue, engines=("alpha", "beta"), settings={"*.spin": (False,), "*.threads": (1, "default")})
    assert found == [
        "alpha[spin=false,threads=1]",
        "alpha[spin=false,threads=default]",
        "beta[threads=1]",
        "beta[threads=default]",
    ]


def test_no_number_of_threads_is_none(catalogue: Catalogue) -> None:
    usual, own = asked(catalogue, engines=("alpha", "alpha[threads=default]"))
    assert (usual.threads, own.threads) == (2, None)
    with pytest.raises(UsageError, match=r"shares out a number of threads: alpha\[threads=default\] has none"):
        asked(catalogue, engines=("alpha[threads=default]",), scenario="offline")


def test_a_group_has_those_only_whose_settings_hold_here(catalogue: Catalogue) -> None:
    assert names(catalogue, engines=("modes",)) == ["alpha-compiled", "alpha-on-mkl"]
    with pytest.raises(UsageError, match="alpha: exotic=1 needs a processor with amx_int8"):
        names(catalogue, engines=("alpha-exotic",))
    abler = asked(catalogue, MACHINE._replace(instruction_sets=("amx_int8",)), engines=("modes",))
    assert abler[-1].name == "alpha-exotic"


def test_a_knob_is_left_alone_where_what_it_needs_is_not_asked_for(catalogue: Catalogue) -> None:
    settings = {"alpha.mode": ("eager", "compile"), "alpha.freezing": (False, True)}
    assert names(catalogue, engines=("alpha",), settings=settings) == [
        "alpha",
        "alpha-compiled",
        "alpha[freezing=true,mode=compile]",
    ]
    with pytest.raises(UsageError, match=r"alpha: freezing=true says nothing without mode=compile"):
        names(catalogue, engines=("alpha",), settings={"alpha.freezing": (True,)})


def test_settings_that_have_a_name_go_by_it_threads_aside(catalogue: Catalogue) -> None:
    spelled = ("alpha[mode=compile]", "alpha-compiled", "alpha-compiled[threads=1]", "alpha[mode=compile,threads=1]")
    assert names(catalogue, engines=spelled) == ["alpha-compiled", "alpha-compiled[threads=1]"]
    further = ("alpha-compiled[freezing=true]", "alpha-compiled[mode=eager]", "alpha-compiled[kernels=mkl]")
    assert names(catalogue, engines=further) == [
        "alpha[freezing=true,mode=compile]",
        "alpha",
        "alpha[kernels=mkl,mode=compile]",
    ]


@pytest.mark.parametrize(
    ("key", "value", "said", "advice"),
    [
        ("alpha.spinn", True, "alpha has no knob 'spinn'", "did you mean spin?"),
        ("alpha.colour", 1, "alpha has no knob 'colour'", "there are threads, spin, mode"),
        ("alpha.mode", "compil", "mode has no value compil: there are eager, compile", "did you mean compile?"),
        ("alpha.spin", 1, "spin has no value 1: there are true, false", ""),
        ("alpha.exotic", 1, "exotic=1 needs a processor with amx_int8", ""),
        ("alpha.streams", 4, "streams=4 needs 4 CPUs, and this process may use 2", ""),
        ("alpha.threads", 3, "threads=3: this process may use 2 CPUs", ""),
        ("alpha.threads", "many", "threads=many: write a whole number of at least 1, or default", ""),
        ("beta.spin", False, "--set beta.spin: beta is not among the engines that are raced", ""),
        ("nosuch.spin", False, "is called 'nosuch'", ""),
        ("spin", False, "write ENGINE.KNOB=VALUE", ""),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(
    catalogue: Catalogue, key: str, value: Scalar, said: str, advice: str
) -> None:
    with pytest.raises(UsageError) as caught:
        asked(catalogue, engines=("alpha",), settings={key: (value,)})
    assert said in str(caught.value)
    assert advice in (caught.value.advice or "")


def test_the_knobs_that_hold_on_a_machine_come_with_their_values_the_default_first(catalogue: Catalogue) -> None:
    alpha = catalogue.engines["alpha"]
    found = knobs_here(alpha, MACHINE)
    assert found == {
        "threads": (2, 1, "default"),
        "spin": (True, False),
        "mode": ("eager", "compile"),
        "freezing": (False, True),
        "streams": (1, 2),
        "kernels": ("own", "mkl"),
    }
    larger = MACHINE._replace(cpus=4, instruction_sets=("amx_int8",))
    assert knobs_here(alpha, larger)["streams"] == (1, 2, 4)
    assert knobs_here(alpha, larger)["exotic"] == (0, 1)
    for knob, values in found.items():
        for value in values:
            with_what_it_needs = {**(alpha.knobs[knob].needs if knob in alpha.knobs else {}), knob: value}
            contender_of(alpha, with_what_it_needs, 2, catalogue, MACHINE)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('vendor = "AuthenticAMD"', "needs a processor by AuthenticAMD"),
        ('not_vendor = "GenuineIntel"', "needs a processor by others than GenuineIntel"),
        ("hybrid = true", "needs a processor with cores of more than one kind"),
        ("smt = true", "needs cores that run several threads at once"),
        ('platform = "beos"', "needs beos"),
        ('since = "1.4.1"', "needs release 1.4.1"),
        ('library = "libnone.so.1"', "needs libnone.so.1 installed"),
    ],
)
def test_a_condition_that_does_not_hold_is_said(write: Callable[[str], Path], condition: str, said: str) -> None:
    catalogue = Catalogue.load(built_in=write(TOML.replace('isa = "amx_int8"', condition)).parent)
    with pytest.raises(UsageError, match=f"alpha: exotic=1 {said}"):
        asked(catalogue, engines=("alpha[exotic=1]",))


@pytest.mark.parametrize(
    "condition", ['vendor = "GenuineIntel"', 'not_vendor = "AuthenticAMD"', 'since = "1.4"', 'since = "1.3.9"']
)
def test_a_condition_that_holds_lets_a_knob_be_turned(write: Callable[[str], Path], condition: str) -> None:
    catalogue = Catalogue.load(built_in=write(TOML.replace('isa = "amx_int8"', condition)).parent)
    assert names(catalogue, engines=("alpha[exotic=1]",)) == ["alpha-exotic"]


def runnable(catalogue: Catalogue, name: str) -> Runnable:
    (contender,) = asked(catalogue, engines=(name,))
    installed = Installed(name="alpha-1", digest="", path=Path(), command=("python",))
    return Runnable(contender, catalogue.engine_of(contender), installed, Path("model"))


def test_an_adapter_gets_every_knob_and_a_worker_the_variables(catalogue: Catalogue) -> None:
    plain, other = runnable(catalogue, "alpha"), runnable(catalogue, "alpha[kernels=mkl,streams=2,threads=default]")
    usual = {"spin": True, "mode": "eager", "freezing": False, "streams": 1, "kernels": "own", "exotic": 0}
    case = {"precision": "fp32", "batch_size": 3}
    assert plain.settings(3) == usual | case | {"threads": 2}
    assert other.settings(3) == usual | case | {"threads": None, "streams": 2, "kernels": "mkl"}
    assert (plain.env["COMMON"], plain.env["OMP_NUM_THREADS"]) == ("1", "2")
    assert "MKL" not in plain.env
    assert (other.env["COMMON"], other.env["MKL"]) == ("1", "5")
    assert not {"OMP_NUM_THREADS", "MKL_NUM_THREADS"} & other.env.keys()


def test_an_engine_like_another_is_that_one_with_other_defaults(catalogue: Catalogue) -> None:
    compiled, on_mkl, beta = (runnable(catalogue, name) for name in ("alpha-compiled", "alpha-on-mkl", "beta"))
    assert compiled.settings(1)["mode"] == "compile"
    assert (compiled.loads_once, on_mkl.loads_once, beta.loads_once) == (False, True, True)
    assert not runnable(catalogue, "alpha[freezing=true,mode=compile]").loads_once
    assert on_mkl.env["MKL"] == "5"
    assert (compiled.engine.title, on_mkl.engine.title) == ("Alpha, compiled", "Alpha")
    assert (compiled.engine.groups, beta.engine.groups) == (("modes",), ())
    assert set(beta.settings(1)) == {"threads", "precision", "batch_size"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"h" }', '"h", defualt = 1 }', "alpha.knobs.spin: Object contains unknown field `defualt`"),
        ("default = true", "default = 3", "alpha.knobs.spin: default: '3' is none of its values, true, false"),
        ("default = true", "default = 1", "alpha.knobs.spin: default: '1' is none of its values, true, false"),
        ("[true, false]", "[true]", "alpha.knobs.spin: it needs two values at least"),
        ("[true, false]", "[true, true]", "alpha.knobs.spin: it needs two values at least, each once"),
        ('["eager", "compile"]', '["eager", "a b"]', "alpha.knobs.mode: mode=a b cannot stand in a contender's name"),
        ('["eager", "compile"]', '["eager", "true"]', "mode=true cannot stand in a contender's name"),
        ("spin = {", "Spin = {", "alpha.knobs.Spin: Spin=True cannot stand in a contender's name"),
        ("spin = {", "threads = {", "alpha.knobs.threads: adapters or recipes get something else by this name"),
        (
            "loads_once",
            "options.mode = 1\nloads_once",
            "alpha.knobs.mode: adapters or recipes get something else by this name",
        ),
        ('applies = "process", ', "", 'alpha.knobs.kernels: env is for a knob that applies = "process"'),
        ("env.mkl", "env.own", "alpha.knobs.kernels: env is for other values than the default"),
        ("env.mkl", "env.mlk", "alpha.knobs.kernels: env: 'mlk' is none of its values, own, mkl"),
        (
            'default = "eager", help = "h"',
            'default = "eager", help = "h", applies = "process", env.compile = { MKL = "1" }',
            "alpha.knobs.mode: env: MKL is a variable of kernels as well",
        ),
        ("only.4.cpus", "only.8.cpus", "alpha.knobs.streams: only: '8' is none of its values, 1, 2, 4"),
        ("only.4.cpus", "only.4.cores", "engines.alpha.knobs.streams.only[...]: Object contains unknown field `cores`"),
        ('needs = { mode = "compile" }', "needs = { mode = 1 }", "needs: no other knob has the value mode=1"),
        (
            'settings = { mode = "compile" }',
            'settings = { mode = "fast" }',
            "settings: mode=fast is no value of a knob",
        ),
        (
            'like = "alpha"',
            'like = "gamma"',
            "engines.alpha-compiled.like: name an engine before it that has no settings",
        ),
    ],
)
def test_what_is_wrong_with_a_knob_is_named_by_file_and_field(
    write: Callable[[str], Path], old: str, new: str, said: str
) -> None:
    assert old in TOML
    folder = write(TOML.replace(old, new, 1))
    with pytest.raises(EngineFolderError) as caught:
        Catalogue.load(built_in=folder.parent)
    assert str(caught.value).startswith(f"{folder / 'engine.toml'}: engines.")
    assert said in str(caught.value)


def test_the_command_lists_them_each_engine_once(write: Callable[[str], Path]) -> None:
    folder = str(write(TOML.replace("cpus = 4", "cpus = 4096")))

    def listed(*options: str) -> str:
        result = CliRunner().invoke(engines, ["knobs", "alpha*", "beta", "--engines-dir", folder, *options])
        assert result.exit_code == 0, result.output
        return result.stdout

    rows = json.loads(listed("--json"))
    assert [row["knob"] for row in rows] == ["spin", "mode", "freezing", "streams", "kernels", "exotic"]
    assert {row["engine"] for row in rows} == {"alpha"}
    freezing, streams = rows[2], rows[3]
    assert (freezing["here"], freezing["needs"]) == ([False, True], {"mode": "compile"})
    assert (streams["default"], streams["here"], streams["applies"]) == (1, [1, 2], "load")
    assert streams["elsewhere"]["4"].startswith("needs 4096 CPUs")
    table = listed()
    assert "true, false" in table
    assert "4: needs 4096 CPUs" in table
