"""A recipe, as `bakeoff recipe` prints it."""

from collections.abc import Iterable

from bakeoff.records import Recipe
from bakeoff.report import wording


def to_text(recipe: Recipe) -> str:
    """Settings, requirements, installation, script; each under its title and indented."""
    case = recipe.case
    settings = [f"{name} = {value!r}" for name, value in recipe.settings.items()] or ["none are known"]
    parts = [
        f"{case.contender.name} on {case.model}, batch {case.batch_size}",
        _part("Settings that took effect", settings),
    ]
    if recipe.requirements:
        parts += [_part("requirements.txt", recipe.requirements), _part("To install them", recipe.installation)]
    if recipe.script:
        parts += [_part("recipe.py", recipe.script.splitlines())]
    else:
        parts += [f"No script: {wording.one_line(recipe.why_no_script)}."]
    return "\n\n".join(parts) + "\n"


def _part(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{title}:", *(f"    {line}".rstrip() for line in lines)])
