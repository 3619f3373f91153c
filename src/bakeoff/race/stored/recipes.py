"""How to use an engine as it was raced: its settings, its pinned requirements, and a script."""

import difflib

from bakeoff import environments, paths
from bakeoff.engines import recipe, snapshot
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments import kinds
from bakeoff.errors import BakeoffError, EngineFolderError, EnvironmentUnavailableError, UsageError
from bakeoff.judge.results import Results
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready.conversion import in_form
from bakeoff.records import EngineSpec, Installed, ModelRecord, Recipe, RunRecord, Summary
from bakeoff.store import Store


def winners(results: Results) -> list[Summary]:
    """The row of each verdict's leader, an engine that leads several of a model once, at the smallest batch size."""
    at = {(row.case.model, row.case.batch_size, row.case.contender.name): row for row in results.rows}
    found: dict[tuple[str, str], Summary] = {}
    for verdict in sorted(results.verdicts, key=lambda verdict: verdict.batch_size):
        row = at.get((verdict.model, verdict.batch_size, verdict.leader))
        if row is not None and row.fps is not None:
            found.setdefault((verdict.model, verdict.leader), row)
    return sorted(found.values(), key=lambda row: results.run.plan.models.index(row.case.model))


def choose(results: Results, engine: str | None, model: str | None, batch_size: int | None) -> Summary:
    """The measured row that is meant: what is not named is the first model, the smallest batch size, its leader.

    Raises `UsageError` that lists what the run has.
    """
    run = results.run
    measured = [row for row in results.rows if row.fps is not None]
    if not measured:
        raise UsageError(f"run {run.name} has no row with a speed: there is nothing to use")

    def is_meant(row: Summary) -> bool:
        case = row.case
        wanted = ((engine, case.contender.name), (model, case.model), (batch_size, case.batch_size))
        return all(asked in {None, its} for asked, its in wanted)

    meant = list(filter(is_meant, measured))
    without_speed = next(filter(is_meant, results.rows), None) if engine and not meant else None
    if without_speed:
        case, reason = without_speed.case, without_speed.reason
        named = f"{engine}, {case.model}, batch {case.batch_size}"
        raise UsageError(f"{named} is {without_speed.status} in run {run.name}: {reason or 'it has no speed'}")
    for kind, wanted, names in (
        ("engine", engine, [row.case.contender.name for row in measured]),
        ("model", model, [row.case.model for row in measured]),
        ("batch size", batch_size, [row.case.batch_size for row in measured]),
    ):
        if wanted is not None and wanted not in names:
            known = list(dict.fromkeys(map(str, names)))
            close = difflib.get_close_matches(str(wanted), known, n=3) or known
            raise UsageError(f"run {run.name} measured no {kind} {wanted}", f"It has {', '.join(close)}.")
    if not meant:
        raise UsageError(f"run {run.name} measured no such combination of engine, model and batch size")
    first = min(meant, key=lambda row: (run.plan.models.index(row.case.model), row.case.batch_size)).case
    table = [row for row in meant if (row.case.model, row.case.batch_size) == (first.model, first.batch_size)]
    leaders = {v.leader for v in results.verdicts if (v.model, v.batch_size) == (first.model, first.batch_size)}
    return next((row for row in table if row.case.contender.name in leaders), table[0])


def recipe_of(run: RunRecord, row: Summary, store: Store, catalogue: Catalogue, library: ModelLibrary) -> Recipe:
    """The recipe of a measured row. Where something is missing that it needs, it has no script and says why."""
    case = row.case
    engine = as_raced(run, case.contender.build, store, catalogue)
    if engine is None:
        why = f"the store kept nothing of {case.contender.name}, and no engine of this name is here"
        return Recipe(case=case, settings=row.effective, installation=(), requirements=(), script="", why_no_script=why)
    adapter = f"engines/{engine.framework}/{engine.adapter.name}"
    script, why = "", f"nobody has written a recipe for {case.contender.name} yet: its adapter, {adapter}, shows how"
    model = next(model for model in run.models if model.name == case.model)
    if model.source and model.source in engine.takes:
        why = (
            f"{case.contender.name} ran {model.weights} itself, and its recipe is for models that it gets from bakeoff"
        )
    elif engine.recipe is not None:
        asked = row.load.threads if row.load else case.contender.threads
        threads = asked or int(row.effective.get("threads") or run.plan.threads)
        one_of = f", one of {row.load.instances} instances" if row.load and row.load.instances > 1 else ""
        about = (
            f"{case.model}, batch {case.batch_size}, on {engine.title} {row.framework_version} with {threads} "
            f"thread{'s' * (threads != 1)}{one_of}, as bakeoff raced it in run {run.name}."
        )
        path, why = _model_path(model, engine, library)
        try:
            script = recipe.compose(
                engine,
                model,
                path,
                batch_size=case.batch_size,
                threads=threads,
                about=f"{about} {why}".strip(),
                settings=dict(case.contender.settings),
            )
            why = ""
        except EngineFolderError as error:
            why = str(error)
        except (OSError, SyntaxError) as error:
            why = f"its recipe cannot be read: {error}"
    kind = kinds.of(engine.environment)
    return Recipe(
        case=case,
        settings=row.effective,
        installation=tuple(kind.installation(engine.environment)),
        requirements=tuple(kind.pins(engine.environment)),
        script=script,
        why_no_script=why,
    )


def as_raced(run: RunRecord, name: str, store: Store, catalogue: Catalogue) -> EngineSpec | None:
    """The engine as the store kept it, else as it is now; None if it is neither kept nor here.

    What was kept before there were recipes has today's, if its lock is still the same.
    """
    now = catalogue.engines.get(name)
    kept = next(
        (store.snapshot(engine.snapshot) for engine in run.engines if engine.name == name and engine.snapshot), None
    )
    if kept is None:
        return now
    then = snapshot.restore(kept, name, paths.cache_dir() / "snapshots", [*catalogue.environments.values()])
    unchanged = now is not None and now.environment.lock.read_bytes() == then.environment.lock.read_bytes()
    return now if unchanged and then.recipe is None else then


def _model_path(model: ModelRecord, engine: EngineSpec, library: ModelLibrary) -> tuple[str, str]:
    """Where the model lies in the engine's form; if nowhere here, a name to be replaced, and a line that says so."""
    try:
        library.path(model)
        return str(in_form(model, engine.model, standing_here(engine), library, lambda _note: None)), ""
    except BakeoffError as error:
        form = engine.model.format
        return f"model.{form}", f"Put the path of the model in place of model.{form}: {error}."


def standing_here(engine: EngineSpec) -> dict[str, Installed | EnvironmentUnavailableError]:
    """The environments that `engine` needs, by name, as they stand; nothing is built."""
    return {
        spec.name: environments.find(spec) or EnvironmentUnavailableError("it is not installed here")
        for spec in engine.environments
    }
