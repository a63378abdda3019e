"""The network of a run in 32 and in 8 bits, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.calibrate.reader_onnx import Precision, reader_onnx
from naturalize.classify.network import Network, Views
from naturalize.classify.reader import Reader
from naturalize.classify.view import centred_square, cut_view
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.split.split import RealSplit


def measure_precision(
    split: RealSplit, reader: Reader, run: Artefact, kept: Path
) -> dict[str, Any]:
    """Set the network of ``run`` in 32 and in 8 bits side by side on centred test images."""
    info = reader.info

    def view(sample: Sample) -> images.Rgb:
        rgb = read_sample(split.root, sample)
        return cut_view(rgb, centred_square(rgb.shape, info.scale), info.input_px)

    shown = np.stack([view(sample) for sample in split.test])
    known = np.stack([view(sample) for sample in split.train[:: len(split.train) // 256]])
    truth = np.array([info.classes.index(sample.label) for sample in split.test])
    found: dict[str, Any] = {}
    given = []
    for bits in ("fp32", "int8"):
        network = made_network(run, known, kept, precision=bits)
        given.append(network.answer(shown).logits.argmax(axis=1))
        found[bits] = {
            "accuracy": round(float((given[-1] == truth).mean()), 4),
            "milliseconds_a_view": round(
                1e3 * cpu_seconds(partial(network.answer, shown[:64])) / 64, 2
            ),
            "megabytes": round((kept / f"{bits}.onnx").stat().st_size / 2**20, 2),
        }
    return {**found, "n": len(truth), "same_class": round(float((given[0] == given[1]).mean()), 4)}


def made_network(run: Artefact, known: Views, kept: Path, *, precision: Precision) -> Network:
    """Export ``run`` below ``kept``; 8 bits are fitted to ``known``, views of train images."""
    from naturalize.train.export_model import FORMS, export_model

    made = export_model(run, kept / "exported", form="onnx", card="", if_exists="resume")
    file = kept / f"{precision}.onnx"
    file.write_bytes(reader_onnx(made.path / FORMS["onnx"], known, precision=precision))
    return Network(file)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the least processor time of three goes, the first of which warms up."""
    least = np.inf
    for _ in range(3):
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
    return float(least)
