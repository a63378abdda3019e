"""From what SAM said about proposals to masks, and to what it did not confirm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.segment.disjoint import make_disjoint, touches_border
from naturalize.segment.mask import Mask
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_prompts import Candidates

OFFSET = 1.0
_ANOTHER_OBJECT = 0.25


@dataclass(frozen=True, eq=False)
class Lost:
    """A proposal that SAM did not confirm, and why."""

    proposal: Mask
    reason: str


@dataclass(frozen=True, eq=False)
class Answer:
    """The masks of one image, disjoint, and the proposals that came to nothing."""

    masks: tuple[Mask, ...] = ()
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What SAM's word must be worth; shares in [0, 1].

    ``predicted_iou`` and ``stability`` are the least an answer may have; one that agrees with its
    proposal to an IoU below ``agreement`` says so.
    """

    predicted_iou: float
    stability: float
    agreement: float


@dataclass(frozen=True, eq=False)
class Chosen:
    """The one candidate kept of each of n prompts.

    ``logits`` float32 (n, side, side), ``predicted_iou`` and ``stability`` float64 (n) in [0, 1].
    """

    logits: NDArray[np.float32]
    predicted_iou: NDArray[np.float64]
    stability: NDArray[np.float64]

    @property
    def score(self) -> NDArray[np.float64]:
        """Predicted IoU times stability."""
        return self.predicted_iou * self.stability


def stability(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how little (..., height, width) logits' masks hang on the threshold, in [0, 1].

    The IoU of the mask above +1 with the one above -1, as in "Segment Anything" (Kirillov et al.,
    2023, appendix B); 0 where there is nothing above -1.

    >>> stability(np.array([[2.0, 0.5], [-0.5, -2.0]], dtype=np.float32)).round(2).item()
    0.33
    """
    strict = np.count_nonzero(logits > OFFSET, axis=(-2, -1))
    loose = np.count_nonzero(logits > -OFFSET, axis=(-2, -1))
    return np.asarray(strict / np.maximum(loose, 1), dtype=np.float64)


def joined(parts: Sequence[Chosen]) -> Chosen:
    """Return the choices of several batches as those of one; at least one batch."""
    return Chosen(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.predicted_iou for part in parts]),
        np.concatenate([part.stability for part in parts]),
    )


def choose(candidates: Candidates, area_px: NDArray[np.float64], frame: Frame) -> Chosen:
    """Keep the candidate of each prompt that is best by SAM's own guess and by size.

    ``area_px`` float64 (n) are the areas of the proposals in the image. A nucleus within its cell
    or a clump around it may be predicted as well as the cell, but is of another size.
    """
    seen = frame.seen(candidates.logits)
    found = np.count_nonzero(seen > 0, axis=(2, 3)).astype(np.float64)
    expected = area_px[:, None] * (seen.shape[2] * seen.shape[3]) / np.prod(frame.shape)
    agreement = np.minimum(found, expected) / np.maximum(found, expected)
    predicted = candidates.predicted_iou.astype(np.float64).clip(0, 1)
    best = ((predicted + 1e-6) * agreement).argmax(axis=1)
    n = np.arange(len(best))
    return Chosen(candidates.logits[n, best], predicted[n, best], stability(seen[n, best]))


def confirm(proposals: Sequence[Mask], chosen: Chosen, frame: Frame, limits: Limits) -> Answer:
    """Turn the answers to the prompts made from ``proposals`` into disjoint, typed masks.

    A mask has its proposal's kind and reasons, and its nucleus as far as the mask reaches.
    """
    asked: list[Mask] = []
    masks: list[Mask] = []
    lost: list[Lost] = []
    for i, proposal in enumerate(proposals):
        answer = _answer(proposal, chosen, i, frame, limits)
        if isinstance(answer, str):
            lost.append(Lost(proposal, answer))
        else:
            asked.append(proposal)
            masks.append(answer)
    kept: list[Mask] = []
    for proposal, mask in zip(asked, make_disjoint(masks, frame.shape), strict=True):
        if mask is None or _lost_nucleus(mask):
            lost.append(Lost(proposal, "covered by other masks"))
        else:
            kept.append(mask)
    return Answer(tuple(kept), tuple(lost))


def _answer(proposal: Mask, chosen: Chosen, i: int, frame: Frame, limits: Limits) -> Mask | str:
    """Return the mask that answers one prompt, or why there is none."""
    predicted, stable = float(chosen.predicted_iou[i]), float(chosen.stability[i])
    if predicted < limits.predicted_iou:
        return f"predicted IoU {predicted:.2f}"
    if stable < limits.stability:
        return f"stability {stable:.2f}"
    found = frame.mask(chosen.logits[i])
    if found is None:
        return "nothing"
    box, pixels = found
    iou = overlap(box, pixels, proposal)
    if iou < _ANOTHER_OBJECT:
        return f"another object (IoU {iou:.2f})"
    nucleus = None if proposal.nucleus is None else moved(proposal.nucleus, proposal.box, box)
    reasons = proposal.reasons
    if iou < limits.agreement:
        reasons = (*reasons, f"disagrees with smear (IoU {iou:.2f})")
    mask = replace(
        proposal,
        box=box,
        pixels=pixels,
        nucleus=None if nucleus is None else nucleus & pixels,
        score=predicted * stable,
        touches_border=touches_border(box, frame.shape),
        reasons=reasons,
    )
    return "nothing of the nucleus" if _lost_nucleus(mask) else mask


def overlap(box: Box, pixels: NDArray[np.bool_], other: Mask) -> float:
    """Return the intersection over union of the mask ``pixels`` in ``box`` with another."""
    shared = int(np.count_nonzero(moved(other.pixels, other.box, box) & pixels))
    return shared / (int(np.count_nonzero(pixels)) + other.area_px - shared)


def moved(pixels: NDArray[np.bool_], box: Box, to: Box) -> NDArray[np.bool_]:
    """Return what a mask in ``box`` looks like in the box ``to`` of the same image.

    >>> moved(np.ones((2, 2), bool), Box(0, 0, 2, 2), Box(1, 1, 1, 2))
    array([[ True, False]])
    """
    there = np.zeros((to.height, to.width), dtype=np.bool_)
    top, left = max(box.top, to.top), max(box.left, to.left)
    bottom, right = min(box.bottom, to.bottom), min(box.right, to.right)
    if bottom > top and right > left:
        there[top - to.top : bottom - to.top, left - to.left : right - to.left] = pixels[
            top - box.top : bottom - box.top, left - box.left : right - box.left
        ]
    return there


def _lost_nucleus(mask: Mask) -> bool:
    return mask.nucleus is not None and not mask.nucleus.any()
