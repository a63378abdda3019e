"""Stand-ins for a trained SAM: a tiny random network, and an oracle that knows the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import SamConfig, SamModel

from naturalize import seeds
from naturalize.datasets.phantom_field import PhantomImage, render
from naturalize.datasets.phantom_slide import sample_slide
from naturalize.images import Rgb
from naturalize.segment import Mask, Sam
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_prompts import Candidates, Prompts

SIDE = 128
LOW = 64
MODES = ("smear", "grid")


def tiny_config() -> SamConfig:
    width = {"hidden_size": 32, "mlp_dim": 64}
    square = {"image_size": SIDE, "patch_size": 8}
    vision = {"output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    windows = {"window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 16}
    return SamConfig(
        vision_config={**width, **square, **vision, **windows},
        prompt_encoder_config={"hidden_size": 32, **square, "mask_input_channels": 8},
        mask_decoder_config={**width, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
    )


def save_tiny(folder: Path, seed: int) -> Path:
    """Save a random model whose answers are well above the noise of float32."""
    torch.manual_seed(seed)
    model = SamModel(tiny_config())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "positional_embedding" not in name:
                parameter.normal_(std=0.25)
    model.save_pretrained(folder)
    return folder


def draw_phantom() -> PhantomImage:
    """Draw one phantom with a segmented neutrophil, red cells and platelets."""
    rng = seeds.child(7, "sam")
    return render("SNE", rng=rng, slide=sample_slide(rng))


def tiny(weights: Path, **given: Any) -> Sam:
    """Return a SAM that believes the random model whatever it says."""
    return Sam(**{"weights": str(weights), "min_predicted_iou": 0, "min_stability": 0, **given})


def logits_of(pixels: NDArray[np.bool_], frame: Frame) -> NDArray[np.float32]:
    """Return decoder logits, +-8, that show a mask of the image."""
    height, width = frame.resized
    square = np.full((frame.side_px, frame.side_px), -8, np.float32)
    shown = cv2.resize(pixels.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    square[:height, :width] = 16 * shown - 8
    return np.asarray(cv2.resize(square, (LOW * 4, LOW * 4), interpolation=cv2.INTER_AREA))


Told = Callable[[NDArray[np.bool_]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Oracle:
    """Knows the masks of phantoms. Offers the nucleus, the cell, and all cells together."""

    known: Sequence[PhantomImage]
    predicted: tuple[float, float, float] = (0.95, 0.95, 0.95)
    tell: Told = field(default=lambda pixels: pixels)
    side_px: int = 1024

    def embed(self, images: Sequence[Rgb]) -> list[PhantomImage]:
        return [next(p for p in self.known if np.array_equal(p.image, rgb)) for rgb in images]

    def decode(self, embedding: PhantomImage, prompts: Prompts, frame: Frame) -> Candidates:
        truth = [mask.to_image(frame.shape) for mask in embedding.masks]
        everything = np.any(truth, axis=0)
        answers = []
        for i, (row, column) in enumerate(prompts.points.astype(int)):
            there = [k for k in range(len(truth)) if truth[k][row, column]]
            if prompts.boxes is not None:
                top, left, bottom, right = prompts.boxes[i].astype(int)
                there.sort(key=lambda k: -truth[k][top:bottom, left:right].sum())
            cell = truth[there[0]] if there else ~everything
            nucleus = np.zeros_like(cell)
            if there and embedding.masks[there[0]].nucleus is not None:
                nucleus[embedding.masks[there[0]].box.slices] = embedding.masks[there[0]].nucleus
            answers.append([logits_of(self.tell(m), frame) for m in (nucleus, cell, everything)])
        return Candidates(np.array(answers), np.tile(np.float32(self.predicted), (len(prompts), 1)))


@dataclass(frozen=True)
class Informed(Sam):
    """SAM with an oracle in place of its network."""

    oracle: Any = None

    def model(self) -> Any:
        return self.oracle


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def alike(one: Sequence[Mask], other: Sequence[Mask], shape: tuple[int, ...]) -> bool:
    """Whether two answers are the same up to float noise at the threshold."""
    pairs = list(zip(one, other, strict=True))
    return all(
        a.kind == b.kind
        and a.score == pytest.approx(b.score, abs=1e-3)
        and iou(a.to_image(shape), b.to_image(shape)) > 0.99
        for a, b in pairs
    )


def assert_disjoint(masks: Sequence[Mask], shape: tuple[int, ...]) -> None:
    covered = np.zeros(shape[:2], int)
    for mask in masks:
        assert cv2.connectedComponents(mask.pixels.astype(np.uint8))[0] == 2
        assert mask.nucleus is None or not (mask.nucleus & ~mask.pixels).any()
        covered += mask.to_image(shape)
    assert covered.max(initial=0) <= 1
