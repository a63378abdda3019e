"""The network of a reader, run by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError

NETWORK = "reader.onnx"
BATCH = 16
Views = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network says of N views: ``logits`` (N, classes) and ``features`` (N, F), float32.

    Features are what enters its last layer.
    """

    logits: Floats
    features: Floats


class Network:
    """An ONNX file that takes ``images`` and gives ``logits`` and ``features``."""

    def __init__(self, file: Path, *, threads: int = 1) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = ort.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
            given = {output.name for output in self._session.get_outputs()}
        except Exception as error:  # onnxruntime's own errors share no base
            raise InputError(str(file), "the network of a reader", error) from error
        if not {"logits", "features"} <= given:
            raise InputError(str(file), "outputs logits and features", ", ".join(sorted(given)))

    def answer(self, views: Views) -> Answer:
        """Look at views, uint8 (N, S, S, 3), :data:`BATCH` at a time."""
        starts = range(0, max(len(views), 1), BATCH)
        parts = [self._batch(views[start : start + BATCH]) for start in starts]
        logits, features = (np.concatenate(some) for some in zip(*parts, strict=True))
        return Answer(logits, features)

    def _batch(self, views: Views) -> tuple[Floats, Floats]:
        images = np.ascontiguousarray(views.transpose(0, 3, 1, 2), dtype=np.float32)
        logits, features = self._session.run(["logits", "features"], {"images": images})
        return logits, features
