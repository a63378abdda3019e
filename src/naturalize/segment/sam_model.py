"""SAM itself: loaded once a process, asked by arrays. The one module of this package with torch."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional
from transformers import SamModel
from transformers.utils import logging

from naturalize.errors import InputError
from naturalize.images import Rgb
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_prompts import Candidates, Prompts
from naturalize.segment.sam_weights import find_weights

_MEAN = (123.675, 116.28, 103.53)
_DEVIATION = (58.395, 57.12, 57.375)


@dataclass(frozen=True, eq=False)
class LoadedSam:
    """A SAM on its device. ``half``: the image encoder, nearly all of the work, runs in float16.

    The decoder stays in float32, for float16 cannot tell neighbouring pixels of a prompt apart.
    """

    model: Any
    device: torch.device
    half: bool

    @property
    def side_px(self) -> int:
        """Side of the square the model looks at."""
        return int(self.model.config.vision_config.image_size)

    @torch.inference_mode()
    def embed(self, images: Sequence[Rgb]) -> list[Tensor]:
        """Run the image encoder on a batch; one (1, channels, height, width) tensor an image."""
        batch = torch.stack([pixel_values(rgb, self.side_px) for rgb in images])
        with torch.autocast(self.device.type, dtype=torch.float16, enabled=self.half):
            embeddings: Tensor = self.model.get_image_embeddings(batch.to(self.device))
        return [embedding[None].float() for embedding in embeddings]

    @torch.inference_mode()
    def decode(self, embedding: Tensor, prompts: Prompts, frame: Frame) -> Candidates:
        """Answer a batch of prompts about one image."""
        points = self._tensor(_across_down(prompts.points, frame)[:, :, None])
        boxes = None
        if prompts.boxes is not None:
            boxes = self._tensor(_across_down(prompts.boxes, frame))
        said = self.model(image_embeddings=embedding, input_points=points, input_boxes=boxes)
        return Candidates(_array(said.pred_masks[0]), _array(said.iou_scores[0]))

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def _across_down(coordinates: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
    """Return (n, 2k) rows and columns of an image as (1, n, 2k) x and y in the model's square."""
    pairs = frame.placed(coordinates.reshape(len(coordinates), -1, 2))
    return pairs[..., ::-1].reshape(1, *coordinates.shape)


def pixel_values(rgb: Rgb, side_px: int) -> Tensor:
    """Return an image as SAM sees it: float32 (3, side, side), resized, normalised, padded by 0."""
    frame = Frame((rgb.shape[0], rgb.shape[1]), side_px)
    image = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].float()
    image = functional.interpolate(image, frame.resized, mode="bilinear", antialias=True)[0]
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (_MEAN, _DEVIATION))
    height, width = frame.resized
    return functional.pad((image - mean) / deviation, (0, side_px - width, 0, side_px - height))


def choose_device(device: str | None) -> torch.device:
    """Return the device called ``device``; None is a GPU where there is one, else the CPU."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:
        raise InputError("device", "a device torch can use here, such as cpu", device) from error


@lru_cache(maxsize=2)
def load_sam(weights: str, device: str | None) -> LoadedSam:
    """Load a SAM by hub id or folder; the same one again is returned as it is.

    :class:`InputError` where the weights are not at hand, damaged, or not all a SAM needs.
    """
    where, folder = choose_device(device), find_weights(weights)
    if multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)  # a worker shares the cores with its siblings
    model = _read(folder, weights).to(where).eval()
    return LoadedSam(model, where, half=where.type == "cuda")


def _read(folder: Path, weights: str) -> Any:
    """Read a model from safetensors; nothing is unpickled, no network is asked."""
    try:
        with _no_progress_bar():
            model, found = SamModel.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"weights {weights}", "a whole SAM model", reason) from error
    missing = sorted(found["missing_keys"])
    if missing:
        got = f"one without {missing[0]} and {len(missing) - 1} more"
        raise InputError(f"weights {weights}", "all tensors of its config.json", got)
    return model


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.cpu().numpy(), dtype=np.float32)
