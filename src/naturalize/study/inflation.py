"""What the composites in a test set add to its scores, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from naturalize.evaluate.bootstrap import Interval, confusions, intervals, resampled_seeds
from naturalize.evaluate.confusion import confusion_cells
from naturalize.evaluate.scores import OVERALL, PER_CLASS, class_scores, overall_scores

_ELSEWHERE = ""
"""The class that composites have in what is counted of the real part."""


class Inflation(BaseModel):
    """Scores of a whole test set less those of its real part; ``f1`` of each class, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: Interval
    macro_f1: Interval
    f1: tuple[Interval, ...]


def inflation_of(
    truth: Sequence[str],
    predicted: Sequence[str],
    is_real: Sequence[bool],
    classes: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> Inflation:
    """Return what test images that are not ``is_real`` add to the scores of one network.

    Both sets of scores come from the same resample of all images, since the real part is in both.
    """
    real_truth, real_answers = (
        [label if real else _ELSEWHERE for label, real in zip(labels, is_real, strict=True)]
        for labels in (truth, predicted)
    )
    wider = (*classes, _ELSEWHERE)
    both = (truth, predicted), (real_truth, real_answers)
    cells = np.stack([confusion_cells(*pair, wider) for pair in both])
    alone = [str(number) for number in range(len(truth))]
    draws = resampled_seeds(cells, alone, len(wider), _added, rng=rng, resamples=resamples)
    values = _added(confusions(cells, len(wider)))[0]
    accuracy, macro_f1, *f1 = intervals(values, draws, level=level)
    return Inflation(accuracy=accuracy, macro_f1=macro_f1, f1=tuple(f1))


def _added(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn confusions (..., 2, C + 1, C + 1) of all and of real images into what is added.

    float64 (..., 1, C + 2): accuracy, macro F1, F1 of each class; the last class is left out.
    """
    seen = confusion[..., :-1, :-1]
    overall = overall_scores(seen)[..., [OVERALL.index("accuracy"), OVERALL.index("macro_f1")]]
    f1 = class_scores(seen)[..., PER_CLASS.index("f1")]
    found = np.concatenate([overall, f1], axis=-1)
    return np.asarray(found[..., :1, :] - found[..., 1:, :])
