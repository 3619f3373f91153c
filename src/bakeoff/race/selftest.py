"""One engine as three contenders, for the self-test: twice as it is, once slower by a known share."""

from pathlib import Path

import msgspec

import bakeoff.engines
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.table.selftest import Names
from bakeoff.records import EngineSpec, Request

DELAYED = Path(bakeoff.engines.__file__).parent / "selftest" / "delayed.py"


def three_of(catalogue: Catalogue, engine: str, delay: float) -> tuple[Catalogue, Names]:
    """The catalogue with `engine` under three names, the last one slower by `delay` (0.05: each call takes 5% longer).

    All three run through the same wrapper and differ in the value of one variable. Raises `UsageError` unless `engine`
    names one engine.
    """
    chosen = catalogue.select([engine])
    if len(chosen) > 1:
        raise UsageError(f"{engine!r} is {len(chosen)} engines: the self-test takes one", "see `bakeoff engines list`")
    (plain,) = chosen
    names = Names(plain=plain.name, again=f"{plain.name}@again", delayed=f"{plain.name}@delayed")
    delays = {names.plain: 0.0, names.again: 0.0, names.delayed: delay}
    return catalogue.with_engines(wrapped(plain, name, by) for name, by in delays.items()), names


def wrapped(engine: EngineSpec, name: str, delay: float) -> EngineSpec:
    """`engine` under another name, slower by `delay`.

    One without a delay runs the same way: a wrapper, or a variable in its environment, moves a process's memory about,
    and that alone was seen to change the speed of an engine by 10% (Mytkowicz et al. 2009 have more).
    """
    env = {**engine.env, "BAKEOFF_DELAYED_ADAPTER": str(engine.adapter), "BAKEOFF_DELAY": f"{delay:.6f}"}
    return msgspec.structs.replace(engine, name=name, adapter=DELAYED, env=env)


def request(names: Names, *, model: str, threads: int | None, budget_s: float, seed: int) -> Request:
    """Equal rounds for all three until the budget is spent: how many must not depend on what they show."""
    return Request(
        models=(model,),
        engines=(names.plain, names.again, names.delayed),
        release="all",
        batch_sizes=(1,),
        threads=threads,
        budget_s=budget_s,
        target_ci=0.0,
        seed=seed,
        profile=False,
    )
