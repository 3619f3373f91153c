"""One engine under three names, for the self-test: twice as it is, once slower by a known share."""

from pathlib import Path

import msgspec

import bakeoff.engines
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.selftest import Names
from bakeoff.race.plan import make_plan
from bakeoff.records import Plan

DELAYED = Path(bakeoff.engines.__file__).parent / "selftest" / "delayed.py"
BATCH_SIZE = 1


def twins(catalogue: Catalogue, engine: str, delay: float) -> tuple[Catalogue, Names]:
    """The catalogue with `engine` again, and again slower by `delay` (0.05: each call takes 5% longer).

    Raises `UsageError` unless `engine` names one engine.
    """
    chosen = catalogue.select([engine])
    if len(chosen) > 1:
        raise UsageError(f"{engine!r} is {len(chosen)} engines: the self-test takes one", "see `bakeoff engines list`")
    (plain,) = chosen
    names = Names(plain=plain.name, again=f"{plain.name}-again", delayed=f"{plain.name}-delayed")
    again = msgspec.structs.replace(plain, name=names.again)
    env = {**plain.env, "BAKEOFF_DELAYED_ADAPTER": str(plain.adapter), "BAKEOFF_DELAY": repr(delay)}
    delayed = msgspec.structs.replace(plain, name=names.delayed, adapter=DELAYED, env=env)
    return catalogue.with_engines([again, delayed]), names


def plan_of_twins(
    catalogue: Catalogue, names: Names, *, model: str, threads: int | None, budget_s: float, seed: int
) -> Plan:
    """Equal rounds for all three until the budget is spent: how many must not depend on what they show.

    Raises `UsageError` as `make_plan` does.
    """
    plan = make_plan(
        catalogue,
        models=(model,),
        engines=(names.plain, names.again, names.delayed),
        release="all",
        batch_sizes=(BATCH_SIZE,),
        threads=threads,
        budget_s=budget_s,
        seed=seed,
        profile=False,
    )
    return msgspec.structs.replace(plan, target_ci=0.0, target_ci_rest=0.0)
