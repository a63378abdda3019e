"""The second segmenter: Segment Anything, asked about what the classical one proposes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from naturalize.errors import InputError
from naturalize.images import Rgb
from naturalize.segment.mask import Mask
from naturalize.segment.sam_answer import Answer, Limits, choose, confirm, joined
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_grid import masks_of_grid, passing
from naturalize.segment.sam_prompts import (
    Candidates,
    PromptableModel,
    Prompts,
    grid_prompts,
    prompts_from,
)
from naturalize.segment.sam_weights import require_extra, weights_digest
from naturalize.segment.segmenter import Segmenter
from naturalize.segment.smear import Smear

PromptMode = Literal["smear", "grid"]
_LIMITS: dict[PromptMode, tuple[float, float]] = {"smear": (0.5, 0.5), "grid": (0.88, 0.95)}
_SMALLEST_PX = 8


@dataclass(frozen=True)
class Sam(Segmenter):
    """SAM by Kirillov et al. (2023): one embedding an image, then many cheap prompts.

    ``weights`` is a hub id that was downloaded before, or a folder with ``config.json`` and
    ``model.safetensors``: SAM ViT-B/L/H or SlimSAM. ``prompts="smear"`` asks by a box and a point
    for each object that ``smear`` proposes; ``"grid"`` is SAM's automatic mode, ``points_per_side``
    squared points, typed afterwards by stain. ``device`` None is a GPU where there is one.
    ``prompt_batch`` prompts go through the decoder at once, ``image_batch`` images through the
    encoder. Answers below ``min_predicted_iou`` or ``min_stability`` fall away (None: .5 and .5 for
    proposals; .88 and .95 for the grid, as its authors have it). A mask whose IoU with its proposal
    is below ``agreement`` says so among its reasons; its score is predicted IoU times stability.

    Images are looked at as a whole, their longer side as large as the model's (1024 px).
    """

    weights: str = "facebook/sam-vit-base"
    prompts: PromptMode = "smear"
    points_per_side: int = 32
    device: str | None = None
    prompt_batch: int = 32
    image_batch: int = 4
    min_predicted_iou: float | None = None
    min_stability: float | None = None
    agreement: float = 0.8
    smear: Smear = field(default_factory=Smear)

    def __post_init__(self) -> None:
        if self.prompts not in get_args(PromptMode):
            raise InputError("prompts", " or ".join(get_args(PromptMode)), self.prompts)
        for name in ("points_per_side", "prompt_batch", "image_batch"):
            if getattr(self, name) < 1:
                raise InputError(name, "at least 1", getattr(self, name))
        for name in ("min_predicted_iou", "min_stability", "agreement"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(name, "a share from 0 to 1", value)

    def segment(self, rgb: Rgb) -> list[Mask]:
        """Return disjoint masks, typed as the proposals were or by their stain."""
        return self.segment_all([rgb])[0]

    def segment_all(self, images: Sequence[Rgb]) -> list[list[Mask]]:
        """Return the masks of each image, as :meth:`segment`, with images embedded in batches."""
        return [list(answer.masks) for answer in self.answers(images)]

    def answers(self, images: Sequence[Rgb]) -> Iterator[Answer]:
        """Yield for each image its masks and the proposals that SAM did not confirm."""
        for start in range(0, len(images), self.image_batch):
            yield from self._answered(images[start : start + self.image_batch])

    def parameters(self) -> dict[str, object]:
        """Return what decides the masks; ``weights`` is the digest of the tensors used.

        Where the weights lie, the device and the sizes of batches are left out.
        """
        require_extra()
        from naturalize.segment.sam_model import choose_device

        limits = self._limits
        half = choose_device(self.device).type == "cuda"
        return {
            "weights": f"sha256:{weights_digest(self.weights)}",
            "precision": "float16" if half else "float32",
            "prompts": self.prompts,
            "points_per_side": self.points_per_side if self.prompts == "grid" else None,
            "min_predicted_iou": limits.predicted_iou,
            "min_stability": limits.stability,
            "agreement": limits.agreement,
            "smear": self.smear.parameters() if self.prompts == "smear" else None,
        }

    def model(self) -> PromptableModel:
        """Return the loaded model; each process loads it once."""
        require_extra()
        from naturalize.segment.sam_model import load_sam

        return load_sam(self.weights, self.device)

    @property
    def _limits(self) -> Limits:
        predicted, stable = _LIMITS[self.prompts]
        return Limits(
            predicted if self.min_predicted_iou is None else self.min_predicted_iou,
            stable if self.min_stability is None else self.min_stability,
            self.agreement,
        )

    def _answered(self, images: Sequence[Rgb]) -> list[Answer]:
        model = self.model()
        proposals = [self._proposals(rgb) for rgb in images]
        prompts = [self._asked(rgb, found) for rgb, found in zip(images, proposals, strict=True)]
        worth = [i for i, asked in enumerate(prompts) if len(asked)]
        embeddings = model.embed([images[i] for i in worth]) if worth else []
        answers = [Answer()] * len(images)
        for i, embedding in zip(worth, embeddings, strict=True):
            frame = Frame((images[i].shape[0], images[i].shape[1]), model.side_px)
            batches = prompts[i].batches(self.prompt_batch)
            said = (model.decode(embedding, batch, frame) for batch in batches)
            if self.prompts == "grid":
                answers[i] = self._from_grid(said, images[i], frame)
            else:
                answers[i] = self._confirmed(said, proposals[i], frame)
        return answers

    def _proposals(self, rgb: Rgb) -> list[Mask]:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise InputError("rgb", "uint8 (height, width, 3)", f"{rgb.dtype} {rgb.shape}")
        return self.smear.segment(rgb) if self.prompts == "smear" else []

    def _asked(self, rgb: Rgb, proposals: Sequence[Mask]) -> Prompts:
        if self.prompts == "smear":
            return prompts_from(proposals, rgb.shape)
        enough = min(rgb.shape[:2]) >= _SMALLEST_PX
        return grid_prompts(self.points_per_side if enough else 0, rgb.shape)

    def _from_grid(self, said: Iterator[Candidates], rgb: Rgb, frame: Frame) -> Answer:
        passed = [passing(candidates, frame, self._limits) for candidates in said]
        return Answer(tuple(masks_of_grid(joined(passed), rgb, frame)))

    def _confirmed(
        self, said: Iterator[Candidates], proposals: Sequence[Mask], frame: Frame
    ) -> Answer:
        area_px = np.array([mask.area_px for mask in proposals], dtype=np.float64)
        areas = np.split(area_px, range(self.prompt_batch, len(area_px), self.prompt_batch))
        chosen = [choose(*batch, frame) for batch in zip(said, areas, strict=True)]
        return confirm(proposals, joined(chosen), frame, self._limits)
