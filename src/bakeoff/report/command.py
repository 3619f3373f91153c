"""The command line that repeats a run."""

import shlex

from bakeoff.records import Plan, Scenario, Shaping


def command_line(plan: Plan) -> str:
    """`bakeoff run` with the arguments that make this plan again; what has its default value is left out."""
    models = [plan.files.get(model, model) for model in plan.models]
    words = ["bakeoff", "run", *models, "--engines", ",".join(plan.names)]
    if plan.scenario is Scenario.LATENCY:
        words += ["--batch", ",".join(map(str, plan.batch_sizes))]
    words += ["--threads", str(plan.threads)]
    words += shaping(plan.shaping)
    words += ["--python", plan.python] if plan.python else []
    words += ["--requirements", plan.requirements] if plan.requirements else []
    words += [] if plan.weights == "seeded" else ["--weights", plan.weights]
    words += ["--data", plan.pictures] if plan.pictures else []
    if plan.rounds is not None:
        words += ["--rounds", str(plan.rounds)]
    words += ["--budget", f"{plan.budget_s:g}s"]
    default = Plan(models=(), contenders=(), batch_sizes=(), threads=1)
    if plan.indifference != default.indifference:
        words += ["--indifference", f"{plan.indifference * 100:g}%"]
    if plan.target_ci != plan.indifference:
        words += ["--target-ci", f"{plan.target_ci * 100:g}"]
    if plan.timeout_s != default.timeout_s:
        words += ["--timeout", f"{plan.timeout_s:g}s"]
    if plan.seed:
        words += ["--seed", str(plan.seed)]
    words += ["--quick"] * plan.quick
    if plan.scenario is not Scenario.LATENCY:
        words += ["--scenario", plan.scenario]
        words += [] if plan.latency_bound_s is None else ["--latency-bound", f"{plan.latency_bound_s * 1e3:g}ms"]
    elif plan.profile == plan.quick:
        words += ["--profile" if plan.profile else "--no-profile"]
    for folder in plan.engines_dirs:
        words += ["--engines-dir", folder]
    return shlex.join(words)


def shaping(given: Shaping) -> list[str]:
    """The flags that say how a user's own model is raced."""
    words = []
    for name, sizes in given.shapes.items():
        words += ["--shape", f"{name}={'x'.join(map(str, sizes))}"]
    for axis in given.batch_axis:
        words += ["--batch-axis", axis]
    return words + (["--input", given.data] if given.data else [])
