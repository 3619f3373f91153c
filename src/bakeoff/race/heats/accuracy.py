"""How many labelled pictures an engine puts into the right class: asked in the first round, after timing."""

import numpy as np

from bakeoff.errors import WorkerError
from bakeoff.race.heats.attempt import Attempt, samples_first
from bakeoff.records import Accuracy


def count_right(attempt: Attempt) -> None:
    """Let the engine classify the labelled pictures, if there are any. Raises `WorkerError`."""
    labelled = attempt.inputs.labelled
    if labelled is None:
        return
    right = 0
    with attempt.worker.awake() as session:
        for path, labels in zip(labelled.paths, labelled.labels, strict=True):
            session.call("prepare", input_sets=[[path]])
            reply = session.call("outputs", k=0, directory=str(attempt.worker.scratch))
            outputs = [np.load(file, allow_pickle=False) for file in reply["paths"]]
            scores = samples_first(outputs, attempt.worker.context.model.outputs)[0]
            if scores.ndim != 2 or len(scores) < len(labels):  # noqa: PLR2004
                raise WorkerError(f"the scores of {len(labels)} pictures are of shape {list(scores.shape)}")
            right += int(np.count_nonzero(scores[: len(labels)].argmax(axis=1) == labels))
    attempt.accuracy = Accuracy(right=right, pictures=sum(map(len, labelled.labels)))
