"""The card that goes with a reader: what it is, what it learned from, how well it does, limits."""

from __future__ import annotations

from naturalize.artefact import Artefact
from naturalize.report.lineage import trace
from naturalize.report.model_card import model_card


def about(run: Artefact) -> dict[str, str]:
    """Return what a reader says of itself: run, split, data and licence."""
    lineage = trace([run])
    return {
        "use": "research use only; not a medical device",
        "run": run.id,
        "model": str(run.summary["model"]),
        "arm": str(run.summary["arm"]),
        "split": lineage.split.id,
        "data": str(lineage.dataset.summary.get("licence") or "not stated"),
    }


def reader_card(run: Artefact) -> str:
    """Return the model card of ``run`` with what is particular to a reader, as Markdown."""
    told = about(run)
    return "\n".join(
        [
            model_card(run),
            "## As a reader",
            "",
            f"Data: {told['data']}.",
            "",
            "This folder holds the same network in the form `naturalize predict` runs "
            "(`reader.onnx`: float32 pixels from 0 to 255 in, logits and the last features out), "
            "`reader.json` (scale, temperature, conformal thresholds, limits of review, confusion "
            "matrix) and `familiarity.npz` (features of some train images of each class, with "
            "which a cell is compared).",
            "",
            "The figures above are those of the run. What finding the cell and calibration make "
            "of them is measured by `benchmarks/predict.py` (docs/results/predict). "
            "Validation images were dealt into two halves by group: one for temperature, confusion "
            "matrix and limits of review, the other for the conformal sets and nothing else. "
            "Conformal sets hold the true class as often as promised on images like these; on "
            "another scanner, stain or laboratory they promise nothing.",
            "",
        ]
    )
