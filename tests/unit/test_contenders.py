"""What contenders are called, and what becomes of that on the way: patterns, shells, markup, files."""

import shlex
import string
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from click import Context
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.made import a_plan
from tests.unit.stored_runs import keep

import bakeoff
from bakeoff import api
from bakeoff.cli.params import Names
from bakeoff.cli.run import run as run_command
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.results import Results
from bakeoff.race.asking.machine import Machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.records import Contender, ContenderName, Plan, Request, Scalar, file_name, ordered
from bakeoff.report.command import command_line

pytestmark = pytest.mark.unit

SMALL, DIGITS = string.ascii_lowercase, string.digits


def beginning(first: str, then: str) -> st.SearchStrategy[str]:
    """Texts that begin with one of some characters; a regular expression takes hypothesis twice as long."""
    return st.builds("{}{}".format, st.sampled_from(first), st.text(then, max_size=8))


words = beginning(string.ascii_letters + DIGITS, string.ascii_letters + DIGITS + "._+-")
engines = beginning(SMALL + DIGITS, SMALL + DIGITS + "._-")
keys = beginning(SMALL, SMALL + DIGITS + "_")
values = st.booleans() | st.integers(-9, 999) | words.filter(lambda text: text not in {"true", "false"})
names = st.builds(
    ContenderName,
    engines,
    st.just("") | words.map("=={}".format) | words.map("@{}".format),
    st.dictionaries(keys, values, max_size=3).map(ordered),
)


@given(names)
def test_a_name_says_what_it_was_made_of(name: ContenderName) -> None:
    found = ContenderName.parse(str(name))
    assert found is not None
    assert str(found) == str(name)
    assert (found.engine, found.environment) == (name.engine, name.environment)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("a[spin=false,threads=1]", {"spin": False, "threads": 1}),
        ("a[level=all,ratio=0.5]", {"level": "all", "ratio": 0.5}),
        ("a[version=1.20]", {"version": "1.20"}),  # a number that would be written otherwise
        ("a[limit=inf]", {"limit": "inf"}),
    ],
)
def test_settings_have_their_types(text: str, settings: Mapping[str, Scalar]) -> None:
    found = ContenderName.parse(text)
    assert found
    assert dict(found.settings) == settings
    assert str(found) == text


@pytest.mark.parametrize(
    "text", ["onnx*", "[ab]*", "a[", "a[]", "a[x]", "a[x=]", "a==", "a@", "A", "", "a[x=1]b", "a b"]
)
def test_anything_else_is_no_name(text: str) -> None:
    assert ContenderName.parse(text) is None


@given(st.lists(names, max_size=4))
def test_commas_between_names_are_not_those_within(several: list[ContenderName]) -> None:
    said = [str(name) for name in several]
    assert list(Names().convert(",".join(said), None, Context(run_command))) == said if said else True


@given(names, names)
def test_two_names_are_two_files(one: ContenderName, other: ContenderName) -> None:
    assert (file_name(str(one)) == file_name(str(other))) == (str(one) == str(other))
    assert not set(file_name(str(one))) & set("[]*?{}<>|:\"/\\ $&;()!'`")


def planned(*engines: str, cpus: int = 4) -> Plan:
    machine = Machine(cpus=cpus, installed=lambda _: False)
    return make_plan(Request(engines=engines, models=("resnet18",)), Catalogue.load(), machine)


def test_one_engine_is_raced_in_several_ways_beside_globs_and_groups() -> None:
    plan = planned("onnxruntime[threads=1]", "onnxruntime", "openvino*", "onnxruntime[threads=1]")
    assert plan.names[:2] == ("onnxruntime[threads=1]", "onnxruntime")
    assert "openvino" in plan.names
    first, second = plan.contenders[:2]
    assert (first.engine, first.threads, second.engine, second.threads) == ("onnxruntime", 1, "onnxruntime", 4)
    assert len({case for case in plan.cases() if case.batch_size == 1}) == len(plan.contenders)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onnxruntime[colour=red]", "onnxruntime has no knob 'colour'"),
        ("onnxruntime[threads=0]", "write a whole number of at least 1"),
        ("onnxruntime[threads=true]", "write a whole number of at least 1"),
        ("onnxruntime[threads=9]", "threads=9: this process may use 4 CPUs"),
        ("nosuch[threads=1]", "is called 'nosuch'"),
        ("onnxruntime==1.20.1", "is called 'onnxruntime==1.20.1'"),
    ],
)
def test_what_a_name_cannot_mean_is_refused(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        planned(name)


def test_a_contender_asks_for_its_engine_s_own_league() -> None:
    folder = Path(__file__).parents[1] / "reduced"
    catalogue = Catalogue.load([folder])
    coarse = next(engine for engine in catalogue.engines.values() if engine.league == "bf16")
    machine = Machine(cpus=4, installed=lambda _: False)
    (contender,) = make_plan(Request(engines=(coarse.name,)), catalogue, machine).contenders
    assert contender.precision == "bf16"


def test_the_command_line_quotes_them_for_a_shell() -> None:
    plan = a_plan(models=("m",), engines=("onnxruntime[spin=false,threads=1]", "openvino"), batch_sizes=(1,))
    words_ = shlex.split(command_line(plan))
    assert words_[words_.index("--engines") + 1] == "onnxruntime[spin=false,threads=1],openvino"


def test_tables_and_pages_show_them_whole(tmp_path: Path) -> None:
    quiet = "fast[spin=false,threads=1]"
    keep(tmp_path, "2026-11-23-1", 10.0, "tag")
    stored = bakeoff.stored(output=tmp_path)

    def renamed(contender: Contender) -> Contender:
        return msgspec.structs.replace(contender, name=quiet) if contender.name == "fast" else contender

    contenders = tuple(map(renamed, stored.record.plan.contenders))
    plan = msgspec.structs.replace(stored.record.plan, contenders=contenders)
    trials = [
        msgspec.structs.replace(t, case=msgspec.structs.replace(t.case, contender=renamed(t.case.contender)))
        for t in stored.trials
    ]
    run = api.Run(Results(msgspec.structs.replace(stored.record, plan=plan), trials))
    assert [case.case.contender.name for case in run.cases] == [quiet, "slow"]
    assert quiet in run.table()
    assert quiet in run._repr_markdown_()
    assert run.frame()["contender"].to_list() == [quiet, "slow"]
    assert run.frame()["engine"].to_list() == ["fast", "slow"]
    assert run.verdicts[0].leader == quiet
