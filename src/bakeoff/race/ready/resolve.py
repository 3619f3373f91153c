"""The models of a plan: found or taken, shown, and what of the plan follows from them."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import ModelError
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready import importing, labelled_pictures
from bakeoff.race.ready.observer import Observer
from bakeoff.records import ModelRecord, Plan, TensorSpec


def models(
    plan: Plan, catalogue: Catalogue, library: ModelLibrary, observer: Observer
) -> tuple[Plan, dict[str, ModelRecord]]:
    """Every model of `plan` by name, and the plan with the batch sizes that they allow.

    A user's own model is shown as it will be raced. Raises `ModelError` for one that cannot be.
    """
    found: dict[str, ModelRecord] = {}
    for name in plan.models:
        if name in plan.files:
            found[name] = importing.import_model(plan, name, importing.ImportContext(catalogue, library, observer))
            observer.note(signature(found[name]))
            if found[name].data_given > found[name].data_samples:
                used, given = found[name].data_samples, found[name].data_given
                observer.note(f"{name}: the first {used} of {given} samples are used")
        else:
            found[name] = library.resolve(name, plan.weights, observer.say)
    if plan.pictures:
        found |= with_pictures(found, Path(plan.pictures), library, observer)
    fixed = {name: model.fixed_batch for name, model in found.items() if model.fixed_batch is not None}
    for name, size in fixed.items():
        if plan.batch_sizes != (size,):
            observer.note(f"{name} has no batch axis: it is raced at its fixed shape, batch {size}, alone")
    return msgspec.structs.replace(plan, fixed_batches=fixed), found


def with_pictures(
    models: Mapping[str, ModelRecord], where: Path, library: ModelLibrary, observer: Observer
) -> dict[str, ModelRecord]:
    """Those of `models` whose accuracy the labelled pictures of `where` tell; the others are noted.

    Raises `ModelError` where the pictures cannot be opened or have no labels, or none of the models can take them.
    """
    taken, reasons = {}, []
    for name, model in models.items():
        if labelled_pictures.preprocessing(model):
            taken[name] = labelled_pictures.with_pictures(model, where, library)
        else:
            reasons.append(f"{name}: how it wants its pictures is not known, so it has no accuracy")
    if not taken:
        raise ModelError("; ".join(reasons), "Of models of your own it is not known: give prepared inputs by --input.")
    for reason in reasons:
        observer.note(reason)
    return taken


def signature(model: ModelRecord) -> str:
    """As in ``m.onnx: x float32 [batch, 3, 320, 640] -> y float32 [batch, 1, 320, 640]``."""
    inputs, outputs = (", ".join(map(_tensor, side)) for side in (model.inputs, model.outputs))
    return f"{model.name}: {inputs} -> {outputs}"


def _tensor(spec: TensorSpec) -> str:
    sizes = ", ".join("batch" if size is None else "?" if size < 0 else str(size) for size in spec.shape)
    return f"{spec.name} {spec.dtype} [{sizes}]"
