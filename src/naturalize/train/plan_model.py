"""Which network a training is about, checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

from naturalize.artefact import Artefact
from naturalize.errors import InputError
from naturalize.train.backbones import HALF, MIN_INPUT_PX, find_backbone
from naturalize.train.cbam import SPATIAL
from naturalize.train.trained_model import CbamInfo, ModelInfo, load_info
from naturalize.train.training import Training
from naturalize.train.weight_sources import resolve_weights

CBAM = "cbam"
CBAM_BACKBONES = ("efficientnetv2-b0", "densenet-169")
CBAM_HEAD_LEARNING_RATE = 1e-3
HEAD_LEARNING_RATE = 1e-2
VIEWS = (1, 4, 8)


def model_info(split: Artefact, asked: Training) -> ModelInfo:
    """Describe the network to be trained on ``split``; :class:`InputError` where there is none."""
    if asked.input_px is not None and asked.input_px < MIN_INPUT_PX:
        raise InputError("input_px", f"at least {MIN_INPUT_PX}", asked.input_px)
    if asked.views not in VIEWS:
        raise InputError("views", "1, 4 or 8", asked.views)
    classes = tuple(split.summary["classes"])
    if asked.model == CBAM:
        return _cbam(split, classes, asked)
    if asked.branches:
        raise InputError("--from", f"none but for {CBAM}", asked.model)
    return _plain(asked.model, classes, asked)


def peak_learning_rate(info: ModelInfo, *, head_alone: bool) -> float:
    """Return the peak where the user chooses none; that of a head alone is higher."""
    if info.cbam is None:
        return HEAD_LEARNING_RATE if head_alone else find_backbone(info.backbone).learning_rate
    if head_alone:
        return CBAM_HEAD_LEARNING_RATE
    return min(find_backbone(one.backbone).learning_rate for one in info.cbam.branches)


def _plain(name: str, classes: tuple[str, ...], asked: Training) -> ModelInfo:
    row = find_backbone(name)
    return ModelInfo(
        backbone=name,
        classes=classes,
        input_px=row.input_px if asked.input_px is None else asked.input_px,
        crop_px=asked.crop_px,
        mean=row.mean,
        std=row.std,
        weights=resolve_weights(name, row.timm_id, asked.weights).said,
        views=asked.views,
    )


def _cbam(split: Artefact, classes: tuple[str, ...], asked: Training) -> ModelInfo:
    if asked.merge not in ("concat", "average"):
        raise InputError("merge", "concat or average", asked.merge)
    if asked.spatial not in SPATIAL:
        raise InputError("spatial", " or ".join(SPATIAL), asked.spatial)
    if asked.branches:
        branches = _trained(split, asked)
        said = "runs " + ", ".join(run.id for run in asked.branches)
    else:
        branches = tuple(_plain(name, classes, asked) for name in CBAM_BACKBONES)
        said = ", ".join(one.weights for one in branches)
    return ModelInfo(
        backbone=CBAM,
        classes=classes,
        input_px=branches[0].input_px,
        crop_px=branches[0].crop_px,
        mean=HALF,
        std=HALF,
        weights=said,
        views=asked.views,
        cbam=CbamInfo(branches=branches, merge=asked.merge, spatial=asked.spatial),
    )


def _trained(split: Artefact, asked: Training) -> tuple[ModelInfo, ...]:
    """Describe the branches; refuse those of another split, and those that see other images."""
    if len(asked.branches) != 2:
        raise InputError("--from", "two runs", len(asked.branches))
    if asked.weights is not None:
        raise InputError("weights", "none beside --from, whose runs bring theirs", asked.weights)
    for run in asked.branches:
        other = run.manifest["inputs"].get("split", {}).get("id")
        if other != split.id:
            raise InputError(f"--from {run.path}", f"a run of split {split.id}", f"one of {other}")
    infos = tuple(load_info(run) for run in asked.branches)
    if any(one.cbam is not None for one in infos):
        raise InputError("--from", "runs of one network each", f"one of {CBAM}")
    wanted = infos[0].input_px if asked.input_px is None else asked.input_px
    views = [(one.input_px, one.crop_px) for one in infos]
    if any(view != (wanted, asked.crop_px) for view in views):
        raise InputError("--from", f"runs at {_said(wanted, asked.crop_px)}", _all_said(views))
    return infos


def _all_said(views: Sequence[tuple[int, int | None]]) -> str:
    return " and ".join(_said(*view) for view in views)


def _said(input_px: int, crop_px: int | None) -> str:
    crop = "the whole image" if crop_px is None else f"a crop of {crop_px} px"
    return f"{input_px} px of {crop}"
