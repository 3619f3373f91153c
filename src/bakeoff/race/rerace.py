"""The gate's own race: a baseline's engines as they were, against what they are now, in the same rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bakeoff import paths
from bakeoff.engines import snapshot
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.between_runs.gate import decided, gate_within
from bakeoff.judge.between_runs.pairing import Pairs, pair
from bakeoff.judge.results import Results
from bakeoff.machine.fingerprint import usable_cpus
from bakeoff.race.asking.machine import this_machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.race.race import Observer, Outcome, start
from bakeoff.race.stored.scorecards import with_absolute_paths
from bakeoff.records import ContenderName, EngineSpec, ModelRecord, Request
from bakeoff.scorecards import EngineSnapshot, Gate, Scorecard
from bakeoff.store import Store

AS_IT_WAS = "@baseline"
"""the environment of a contender as it was"""
TAG = "gate"


def then(name: str) -> str:
    """What the contender called `name` is called as it was."""
    said = ContenderName.parse(name)
    return str(said._replace(environment=AS_IT_WAS)) if said else f"{name}{AS_IT_WAS}"


@dataclass(frozen=True)
class Rerace:
    """What it takes to race a baseline again."""

    baseline: Scorecard
    snapshots: Mapping[str, EngineSnapshot]
    """by engine"""
    max_slowdown: float
    budget_s: float
    rounds: int | None = None

    def run(self, catalogue: Catalogue, store: Store, output: Path, observer: Observer) -> tuple[Outcome, Gate]:
        """Race until the gate is decided or the budget is spent. Raises `UsageError` if that cannot be a fair race."""
        names = self._engines(catalogue)
        contenders = catalogue.with_engines(self._as_it_was(engine, catalogue) for engine in self._builds(names))
        outcome = start(
            make_plan(self._request(names), contenders, this_machine()),
            contenders,
            store,
            output,
            observer,
            accept=self._check_models,
            out=lambda run, trials: (
                run.plan.names if decided(*self._paired(Results(run, trials).scorecard, names)) else ()
            ),
        )
        found, pairs, margin = self._paired(outcome.results.scorecard, names)
        return outcome, gate_within(found, pairs, margin, self.baseline.name)

    def _engines(self, catalogue: Catalogue) -> list[str]:
        measured = {score.case.contender.name for score in self.baseline.scores if score.rounds or score.moments}
        names = [name for name in self.baseline.plan.names if name in measured]
        if not names:
            raise UsageError(f"the baseline {self.baseline.name} has no engine with a speed")
        for engine in self._builds(names):
            if engine not in catalogue.engines:
                raise UsageError(f"the baseline's engine {engine!r} is not here", "Give its folder: --engines-dir.")
            if engine not in self.snapshots:
                raise UsageError(
                    f"the baseline {self.baseline.name} does not hold what engine {engine} was made of",
                    "Race it anew with this bakeoff, and take that as the baseline; results.json holds no engines.",
                )
        return names

    def _builds(self, names: Sequence[str]) -> list[str]:
        """The engines of the contenders called `names`, each once."""
        return list(dict.fromkeys(each.build for each in self.baseline.plan.contenders if each.name in names))

    def _as_it_was(self, engine: str, catalogue: Catalogue) -> EngineSpec:
        now = catalogue.engines[engine].environments
        return snapshot.restore(self.snapshots[engine], f"{engine}{AS_IT_WAS}", paths.cache_dir() / "snapshots", now)

    def _request(self, names: list[str]) -> Request:
        plan = with_absolute_paths(self.baseline.plan, Path.cwd())
        if plan.threads > usable_cpus():
            raise UsageError(f"the baseline ran on {plan.threads} threads: this process may use {usable_cpus()} CPUs")
        return Request(
            models=tuple(plan.files.get(model, model) for model in plan.models),
            engines=tuple(each for name in names for each in (name, then(name))),
            batch_sizes=plan.batch_sizes,
            threads=plan.threads,
            weights=plan.weights,
            rounds=self.rounds,
            budget_s=self.budget_s,
            indifference=self.max_slowdown,
            target_ci=0.0,
            timeout_s=plan.timeout_s,
            seed=plan.seed,
            bursts=plan.bursts,
            profile=False,
            scenario=plan.scenario,
            latency_bound_s=plan.latency_bound_s,
            shapes=plan.shaping.shapes,
            batch_axis=plan.shaping.batch_axis,
            inputs=plan.shaping.data,
            python=plan.python,
            requirements=plan.requirements,
            tags=(TAG,),
        )

    def _check_models(self, models: Mapping[str, ModelRecord]) -> None:
        """Another network under the same name is another job, not a slowdown."""
        before = {model.name: model.digest for model in self.baseline.models}
        for name, model in models.items():
            if model.digest != before.get(model.name):
                raise UsageError(
                    f"{name} is not the baseline's network any more "
                    f"({before.get(model.name, 'unknown')[:12]} then, {model.digest[:12]} now)",
                    "Unlike networks cannot be compared: make a new baseline.",
                )

    def _paired(self, card: Scorecard, names: list[str]) -> tuple[Scorecard, Pairs, float]:
        now = tuple(score for score in card.scores if score.case.contender.name in names)
        before = tuple(score for score in card.scores if score.case.contender.name not in names)
        pairs = pair(
            msgspec.structs.replace(card, scores=before),
            msgspec.structs.replace(card, scores=now),
            {then(name): name for name in names},
        )
        return card, pairs, self.max_slowdown
