"""A trained network in forms that other programs read: safetensors, ONNX."""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.errors import InputError, MissingExtraError, NaturalizeError
from naturalize.train.trained_model import INFO, WEIGHTS, ModelInfo, load_model

Form = Literal["safetensors", "onnx"]
FORMS: dict[Form, str] = {"safetensors": WEIGHTS, "onnx": "model.onnx"}
CARD = "README.md"
TOLERANCE = 1e-4
Logits = NDArray[np.float32]


class FromPixels(nn.Module):
    """A network with its normalisation and softmax, for readers that know neither."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, info: ModelInfo) -> None:
        super().__init__()
        self.network = network
        mean, std = (torch.tensor(rgb).view(3, 1, 1) for rgb in (info.mean, info.std))
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities (N, classes) of images (N, 3, S, S) from 0 to 255."""
        logits = self.network(images * self.scale + self.shift)
        return logits, logits.softmax(dim=1)


def export_model(
    run: Artefact, out: Path, *, form: Form, card: str, if_exists: IfExists = "refuse"
) -> Artefact:
    """Write an ``export`` artefact: the network of ``run``, its description and its ``card``.

    ``onnx`` takes float32 RGB pixels from 0 to 255, (N, 3, ``input_px``, ``input_px``), called
    ``images``, and gives ``logits`` and ``probabilities``; it is read back by OpenCV and has to
    agree with torch within 1e-4, else :class:`NaturalizeError`.
    """
    if form not in FORMS:
        raise InputError("--as", " or ".join(FORMS), form)
    network, info = load_model(run)

    def write(draft: Draft) -> None:
        if form == "onnx":
            difference = _write_onnx(draft.path / FORMS[form], FromPixels(network, info), info)
            draft.summary["largest_difference_to_torch"] = difference
        else:
            draft.write(FORMS[form], (run.path / WEIGHTS).read_bytes())
        draft.write(INFO, (run.path / INFO).read_bytes())
        draft.write(CARD, card)
        megabytes = (draft.path / FORMS[form]).stat().st_size / 2**20
        draft.summary.update(form=form, megabytes=round(megabytes, 1), classes=list(info.classes))

    return build(out, Request("export", {"form": form}, {"run": run}), write, if_exists=if_exists)


def _write_onnx(path: Path, model: FromPixels, info: ModelInfo) -> float:
    """Write ``model`` and return by how much its logits, read by OpenCV, differ at most."""
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise MissingExtraError("train", package)
    side = info.input_px
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)) * 255
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(),
            (images,),
            dynamo=True,
            input_names=["images"],
            output_names=["logits", "probabilities"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            verbose=False,
        )
        assert program is not None
        for node in program.model.graph:
            node.metadata_props.clear()  # stack traces: they name this machine's folders
        program.save(path)
    with torch.no_grad():
        expected = model(images)[0].numpy()
    difference = float(np.abs(read_logits(path, images.numpy()) - expected).max())
    if not difference <= TOLERANCE:
        raise NaturalizeError(f"onnx: logits differ from torch's by {difference:g}")
    return difference


def read_logits(path: Path, images: NDArray[np.float32]) -> Logits:
    """Return what OpenCV's own reader of ONNX makes of ``images``, float32 (N, classes)."""
    network = cv2.dnn.readNetFromONNX(str(path))
    network.setInput(images, "images")
    return np.asarray(network.forward("logits"), np.float32)
