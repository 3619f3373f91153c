"""Delete each mechanism of the method in turn, and see which tests notice.

    .venv/bin/python benchmarks/mechanisms.py                  # all, some ten minutes; a Markdown table
    .venv/bin/python benchmarks/mechanisms.py steady repeats   # those whose name holds one of these words

A mechanism that can go without a test failing is not there. Each deletion is one replacement in a copy of the source
tree; the tests named beside it run against that copy. Exits with 1 if any deletion passes its tests.
`tests/unit/test_mechanisms.py` sees that each text to replace is still there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
LIARS = "tests/end_to_end/test_liars.py"
ENOUGH = 3
"""failing tests, to know that a deletion is noticed"""


@dataclass(frozen=True)
class Mechanism:
    """One thing that the method does, and how to do without it."""

    name: str
    file: str
    """below src/bakeoff"""
    old: str
    new: str
    tests: tuple[str, ...]
    """pytest's arguments: files, and options such as -k"""


MECHANISMS = (
    Mechanism(
        "warm-up until steady",
        "judge/case/steady_state.py",
        "return not (trending and abs(medians[-1] / medians[0] - 1) > TOLERANCE)",
        "return True",
        ("tests/unit/judge/case/test_steady_state.py",),
    ),
    Mechanism(
        "levels of a trace",
        "judge/case/steady_state.py",
        "    if len(levels) == 1:\n        return Kind.FLAT, True\n",
        "    return Kind.FLAT, True\n",
        ("tests/unit/judge/case/test_steady_state.py", "tests/unit/judge/case/test_recorded_traces.py"),
    ),
    Mechanism(
        "intervals by Student's t",
        "judge/figures/statistics.py",
        "t_quantile((1 + confidence) / 2, df)",
        "1.96",
        ("tests/unit/judge/figures/test_statistics.py",),
    ),
    Mechanism(
        "percentiles refused to small samples",
        "judge/figures/statistics.py",
        "    if len(values) < minimum_sample(percent):\n        return None\n",
        "",
        ("tests/unit/judge/figures/test_statistics.py", "tests/unit/judge/case/test_summary.py"),
    ),
    Mechanism(
        "all comparisons at once",
        "judge/table/looks.py",
        "t_quantile(1 - error_of_look(last or rounds) / comparisons / 2, df or rounds - 1)",
        "t_quantile(1 - error_of_look(last or rounds) / 2, df or rounds - 1)",
        (
            "tests/unit/judge/table/test_looks.py",
            "tests/unit/judge/table/test_best.py",
            "tests/simulation/test_races.py",
        ),
    ),
    Mechanism(
        "error shared out over the looks",
        "judge/table/looks.py",
        "        return SPENT[number]\n",
        "        return 1 - CONFIDENCE\n",
        ("tests/unit/judge/table/test_looks.py", "tests/simulation/test_races.py"),
    ),
    Mechanism(
        "the race's looks, whichever rounds a pair missed",
        "judge/table/looks.py",
        "error_of_look(last or rounds)",
        "error_of_look(rounds)",
        ("tests/unit/judge/table/test_best.py",),
    ),
    Mechanism(
        "pairing by round",
        "judge/table/best.py",
        "squares = np.where(there, (ratios - mean[:, :, None]) ** 2, 0.0).sum(axis=2)",
        "squares = np.nansum((logs - np.nanmean(logs, axis=1, keepdims=True)) ** 2, axis=1)[:, None] * 2",
        ("tests/unit/judge/table/test_best.py", "tests/unit/judge/table/test_verdict.py"),
    ),
    Mechanism(
        "the least difference that matters",
        "judge/table/verdict.py",
        "    if low > effect:\n",
        "    if low > 0:\n",
        ("tests/unit/judge/table/test_verdict.py",),
    ),
    Mechanism(
        "equivalence shown, not assumed",
        "judge/table/verdict.py",
        "    elif -effect <= low and high <= effect:\n",
        "    elif low <= effect:\n",
        ("tests/unit/judge/table/test_verdict.py", "tests/simulation/test_races.py"),
    ),
    Mechanism(
        "rounds for contenders only",
        "judge/table/stopping.py",
        "    if look is None:\n        return set(live)\n",
        "    return set(live)\n",
        ("tests/unit/judge/table/test_stopping.py",),
    ),
    Mechanism(
        "an interval from the variances of all batch sizes",
        "judge/table/best.py",
        "    return min(by_own, moderated) / math.sqrt(rounds)\n",
        "    return by_own / math.sqrt(rounds)\n",
        ("tests/unit/judge/table/test_best.py", "tests/simulation/test_batch_sizes.py"),
    ),
    Mechanism(
        "a share of the error for each of two intervals",
        "judge/table/best.py",
        "critical(rounds, comparisons / (1 - OWN), last, df)",
        "critical(rounds, comparisons, last, df)",
        ("tests/unit/judge/table/test_best.py",),
    ),
    Mechanism(
        "looks at fixed rounds",
        "judge/table/looks.py",
        "FROM, THEN = 5, 7\n",
        "FROM, THEN = 4, 5\n",
        (
            "tests/unit/judge/table/test_looks.py",
            "tests/unit/judge/table/test_stopping.py",
            "tests/simulation/test_races.py",
        ),
    ),
    Mechanism(
        "turns from variance components",
        "race/heats/heat.py",
        "return left if left and turn < effort.turns_worth(costs, of_turns, context.of_processes) else ()",
        "return ()",
        ("tests/unit/race/heats/test_heat.py",),
    ),
    Mechanism(
        "audit: load",
        "machine/audit.py",
        "        load(root),\n",
        "",
        ("tests/unit/machine/test_audit.py",),
    ),
    Mechanism(
        "audit: others' processes",
        "machine/audit.py",
        "        others(seen),\n",
        "",
        ("tests/unit/machine/test_audit.py", "tests/end_to_end/test_audit.py"),
    ),
    Mechanism(
        "audit: governor",
        "machine/audit.py",
        "        governor(root),\n",
        "",
        ("tests/unit/machine/test_audit.py",),
    ),
    Mechanism(
        "--strict",
        "race/machine_audit.py",
        "    if strict and lines:\n",
        "    if False:\n",
        ("tests/unit/race/test_machine_audit.py", "tests/end_to_end/test_audit.py"),
    ),
    Mechanism(
        "CPU time of others",
        "judge/case/disturbance.py",
        "return trial.disturbance is not None and too_much(trial.disturbance)",
        "return False",
        ("tests/unit/judge/case/test_disturbance.py", "tests/unit/race/heats/test_heat.py"),
    ),
    Mechanism(
        "repeats of what was disturbed",
        "race/heats/heat.py",
        "            if any(map(disturbed, trials)):\n                spoilt.append(field)\n",
        "",
        ("tests/unit/race/heats/test_heat.py",),
    ),
    Mechanism(
        "disturbed rounds left out",
        "judge/case/disturbance.py",
        "    return undisturbed if len(undisturbed) >= FEWEST else set(rounds)\n",
        "    return set(rounds)\n",
        ("tests/unit/judge/case/test_disturbance.py", "tests/unit/judge/case/test_summary.py"),
    ),
    Mechanism(
        "threads busy against threads asked",
        "judge/case/settings_check.py",
        "        _cores(contender.threads, measured, without_spinning),\n",
        "",
        ("tests/unit/judge/case/test_settings_check.py", LIARS),
    ),
    Mechanism(
        "settings asked against settings taken",
        "judge/case/settings_check.py",
        "        *not_taken,\n",
        "",
        ("tests/unit/judge/case/test_settings_check.py", LIARS),
    ),
    Mechanism(
        "provider read back",
        "judge/case/settings_check.py",
        "    return [*others, *silent, *filter(None, [_provider(requested, effective)])]\n",
        "    return [*others, *silent]\n",
        ("tests/unit/judge/case/test_settings_check.py",),
    ),
    Mechanism(
        "knobs that an engine does not mention",
        "judge/case/settings_check.py",
        "        if requested.get(key) is not None and key not in effective\n",
        "        if False\n",
        ("tests/unit/judge/case/test_settings_check.py", LIARS),
    ),
    Mechanism(
        "idle time",
        "judge/case/settings_check.py",
        "        _idle(measured),\n",
        "",
        ("tests/unit/judge/case/test_settings_check.py",),
    ),
    Mechanism(
        "helper processes",
        "judge/case/settings_check.py",
        "        _helpers(measured),\n",
        "",
        ("tests/unit/judge/case/test_settings_check.py",),
    ),
    Mechanism(
        "tolerances from the model's own rounding",
        "judge/case/leagues.py",
        "    if len(known) < len(PRECISIONS):\n        return UNCALIBRATED\n",
        "    return UNCALIBRATED\n",
        ("tests/unit/judge/case/test_leagues.py",),
    ),
    Mechanism(
        "leagues by the size of the error",
        "judge/case/leagues.py",
        "    return max(declared, found or declared, key=PRECISIONS.index)\n",
        "    return declared\n",
        ("tests/unit/judge/case/test_leagues.py",),
    ),
    Mechanism(
        "outputs checked while timed",
        "race/heats/attempt.py",
        '        self.check(reply, self.inputs.expected[order[-1]], " (while timed)")\n',
        "",
        (LIARS, "-k", "wrong"),
    ),
    Mechanism(
        "outputs checked before",
        "race/heats/attempt.py",
        '        self.check(reply, self.inputs.expected[k], "")\n',
        "",
        ("tests/unit/race/heats/test_heat.py",),
    ),
    Mechanism(
        "inputs watched for changes",
        "race/heats/attempt.py",
        "        for k, i in reply.inputs_changed:\n",
        "        for k, i in ():\n",
        (LIARS, "-k", "wrong"),
    ),
    Mechanism(
        "inputs new to the engine",
        "race/heats/heat.py",
        "    attempt.error = attempt_to(attempt.worker, functools.partial(check_on_new_inputs, attempt))\n",
        "",
        (LIARS, "-k", "wrong"),
    ),
    Mechanism(
        "work before the clock starts",
        "judge/case/clock.py",
        "    if min(seen.prepare) > SHARE",
        "    if False and min(seen.prepare) > SHARE",
        ("tests/unit/judge/case/test_clock.py",),
    ),
    Mechanism(
        "work after the clock stops",
        "judge/case/clock.py",
        "    if min(seen.fetch) > SHARE",
        "    if False and min(seen.fetch) > SHARE",
        ("tests/unit/judge/case/test_clock.py",),
    ),
    Mechanism(
        "two kinds of latencies",
        "judge/case/modes.py",
        "    if len(latencies) < FEWEST:\n        return None\n",
        "    return None\n",
        ("tests/unit/judge/case/test_steady_state.py", "tests/unit/judge/case/test_profile.py"),
    ),
    Mechanism(
        "memory that grows",
        "judge/case/profile.py",
        "tuple(filter(None, [_leak(measured)]))",
        "()",
        ("tests/unit/judge/case/test_profile.py",),
    ),
    Mechanism(
        "profile trials",
        "race/race.py",
        "            run_profiles(race, preparation, setup)\n",
        "",
        (LIARS, "-k", "oddly"),
    ),
    Mechanism(
        "writing while timed",
        "judge/case/cautions.py",
        "        _chatter(measured),\n",
        "",
        (LIARS, "-k", "oddly"),
    ),
    Mechanism(
        "the canary's drift",
        "judge/figures/canary.py",
        "    if range_ <= STRONG:\n        return ()\n",
        "    return ()\n",
        ("tests/unit/judge/figures/test_canary.py",),
    ),
    Mechanism(
        "doubt about what the canary does not explain",
        "judge/between_runs/calibration.py",
        "    doubt = (variance + PRIOR * max(0.0, 1 - share) ** 2) * level\n",
        "    doubt = 0.0\n",
        ("tests/unit/judge/between_runs/test_calibration.py",),
    ),
    Mechanism(
        "the canary taken out only as far as it explains",
        "judge/between_runs/calibration.py",
        "    return max(0.0, sxy / penalised), noise / penalised\n",
        "    return 1.0, 0.0\n",
        ("tests/unit/judge/between_runs/test_across.py",),
    ),
    Mechanism(
        "no bounds where others used the CPUs",
        "judge/between_runs/across.py",
        "        return self.rounds >= FEWEST_ROUNDS and not self.disturbed\n",
        "        return self.rounds >= FEWEST_ROUNDS\n",
        ("tests/unit/judge/between_runs/test_across.py",),
    ),
    Mechanism(
        "the canary in every heat",
        "race/heats/canary.py",
        "    return [*group, canary_runnable], wanted | beside\n",
        "    return group, wanted\n",
        ("tests/unit/race/heats/test_canary.py",),
    ),
    Mechanism(
        "the self-test's delay",
        "race/selftest.py",
        "    delays = {names.plain: 0.0, names.again: 0.0, names.delayed: delay}\n",
        "    delays = {names.plain: 0.0, names.again: 0.0, names.delayed: 0.0}\n",
        ("tests/unit/race/test_selftest.py",),
    ),
    Mechanism(
        "the self-test's verdict on the delayed one",
        "judge/table/selftest.py",
        "    holds = delayed[1][0] <= 1 + delay <= delayed[1][1]\n",
        "    holds = True\n",
        ("tests/unit/judge/table/test_selftest.py",),
    ),
)


def main() -> None:
    """Delete, test, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("words", nargs="*", help="only mechanisms whose name holds one of these")
    words = parser.parse_args().words
    chosen = [each for each in MECHANISMS if not words or any(word in each.name for word in words)]
    if not chosen:
        raise SystemExit(f"no mechanism is called so; there are: {', '.join(each.name for each in MECHANISMS)}")
    unnoticed = 0
    print("| without | tests that fail |\n| --- | --- |")
    for mechanism in chosen:
        failed = failing_without(mechanism)
        unnoticed += not failed
        told = ", ".join(f"`{name}`" for name in failed) or "**none**"
        print(f"| {mechanism.name} | {told} |", flush=True)
    print(f"\n{len(chosen) - unnoticed} of {len(chosen)} deletions are noticed")
    sys.exit(1 if unnoticed else 0)


def failing_without(mechanism: Mechanism) -> list[str]:
    """The names of some tests that fail once the mechanism is gone."""
    with TemporaryDirectory() as folder:
        tree = Path(folder) / "bakeoff"
        ignored = shutil.ignore_patterns(".venv", ".git", "results", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, tree, ignore=ignored)
        delete(mechanism, tree)
        options = ("-q", "--no-header", f"--maxfail={ENOUGH}", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", *options, *mechanism.tests]
        # Not the installed tree: this one, in the tests and in every command that they start.
        env = os.environ | {"PYTHONPATH": str(tree / "src")}
        done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{mechanism.name}: its tests cannot run:\n{done.stdout}{done.stderr}")
    return re.findall(r"^(?:FAILED|ERROR) \S+?::(.+?)(?: - .*)?$", done.stdout, re.MULTILINE)


def delete(mechanism: Mechanism, tree: Path) -> None:
    """Do without it in the source `tree`. Raises `ValueError` unless its text is there exactly once."""
    path = tree / "src" / "bakeoff" / mechanism.file
    text = path.read_text(encoding="utf-8")
    if text.count(mechanism.old) != 1:
        raise ValueError(f"{mechanism.name}: {mechanism.file} holds its text {text.count(mechanism.old)} times")
    path.write_text(text.replace(mechanism.old, mechanism.new), encoding="utf-8")


if __name__ == "__main__":
    main()
