"""What a training will do, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import get_args

import torch
from torch import Tensor

from naturalize.artefact import Artefact
from naturalize.compose.batches import Batches
from naturalize.compose.composite_set import CompositeSet
from naturalize.compose.online import OnlineComposites
from naturalize.errors import InputError
from naturalize.split.leak_check import check_donors
from naturalize.split.paper_split import AnySplit, open_split
from naturalize.train.arms import Arm, find_arm
from naturalize.train.crop import widened
from naturalize.train.fit import FitSettings, Keep, Mode
from naturalize.train.plan_model import model_info, peak_learning_rate
from naturalize.train.prepare import Preparation
from naturalize.train.targets import class_weights, maturation_targets, smoothed_targets
from naturalize.train.trained_model import ModelInfo
from naturalize.train.training import Training

MAX_BATCH = 4096
Composites = CompositeSet | OnlineComposites


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that decides a run: a training as it was asked for, and what that comes to.

    ``composites`` are a folder's, or made as training goes.
    """

    split: AnySplit
    composites: Composites | None
    arm: Arm
    info: ModelInfo
    training: Training
    settings: FitSettings
    batches: Batches

    @property
    def arm_name(self) -> str:
        """The arm, whether its composites are made as training goes, and by which other recipe."""
        if not isinstance(self.composites, OnlineComposites):
            return self.arm.name
        recipe = self.composites.recipe.name
        return f"{self.arm.name} online" + (f" ({recipe})" if recipe != "naturalize" else "")

    def parameters(self) -> dict[str, object]:
        """Return what decides the content of the run besides its inputs and its seed."""
        online: dict[str, object] = {}
        if isinstance(self.composites, OnlineComposites):
            recipe = self.composites.recipe.model_dump(mode="json")
            online = {"recipe": recipe, "composites_seed": self.composites.seed}
        return (
            online
            | {
                "arm": self.arm.model_dump(),
                "model": self.info.backbone,
                "mode": self.settings.mode,
                "weights": self.info.weights,
                "steps": self.settings.steps,
                "batch_size": self.batches.batch_size,
                "learning_rate": self.settings.learning_rate,
                "weight_decay": self.settings.weight_decay,
                "layer_decay": self.settings.layer_decay,
                "ema": self.settings.ema,
                "keep": self.settings.keep,
                "validations": self.settings.validations,
                "precision": self.settings.precision,
                "input_px": self.info.input_px,
                "crop_px": self.info.crop_px,
                "views": self.info.views,
            }
            | self._cbam()
            | ({"frozen": self.settings.frozen} if self.settings.frozen else {})
        )

    def _cbam(self) -> dict[str, object]:
        """Return how a ``cbam`` merges and weighs maps; nothing of other networks."""
        cbam = self.info.cbam
        if cbam is None:
            return {}
        names = [one.backbone for one in cbam.branches]
        return {"branches": names, "merge": cbam.merge, "spatial": cbam.spatial}

    @property
    def shown_px(self) -> int:
        """The side of train images as they are decoded: wider than the input where it is cut."""
        return widened(self.info.input_px) if self.arm.crops else self.info.input_px

    @property
    def shown_crop_px(self) -> int | None:
        """The centre crop of train images; it grows with ``shown_px``, so cells keep their size."""
        crop = self.info.crop_px
        return widened(crop) if self.arm.crops and crop is not None else crop

    def preparation(self, device: torch.device) -> Preparation:
        """Return what train images undergo before the network sees them, on ``device``."""
        return Preparation(
            arm=self.arm,
            input_px=self.info.input_px,
            mean=self.info.mean,
            std=self.info.std,
            targets=self.targets().to(device),
            batch_size=self.batches.batch_size,
            steps=self.settings.steps,
            seed=self.settings.seed,
        )

    def targets(self) -> Tensor:
        """Return what each class is to be answered with, times how much it counts."""
        classes, smoothing = self.info.classes, self.arm.label_smoothing
        if self.arm.maturation:
            targets = maturation_targets(classes, smoothing)
        else:
            targets = smoothed_targets(len(classes), smoothing)
        if self.arm.class_weights:
            targets = class_weights(self.batches.real, len(classes)).unsqueeze(1) * targets
        return targets


def make_plan(
    split: Artefact, composites: Artefact | OnlineComposites | None, training: Training
) -> Plan:
    """Read the tables of ``split`` and ``composites``, and refuse what cannot be trained on.

    No image is opened. Raises :class:`InputError`, and :class:`~naturalize.errors.LeakError` where
    the split leaks or a donor is no train image.
    """
    _check_numbers(training)
    arm = find_arm(training.arm, share=training.share)
    info = model_info(split, training)
    settings = _settings(training, info)
    real = open_split(split)
    _check_keeping(settings, real)
    _check_cbam(settings, info)
    synthetic = _composites(real, composites, arm)
    batches = Batches.of(
        [sample.label for sample in real.train],
        _labels(synthetic),
        info.classes,
        share=arm.synthetic_share,
        batch_size=training.batch_size,
        seed=training.seed,
        balanced=arm.balanced,
    )
    plan = Plan(real, synthetic, arm, info, training, settings, batches)
    plan.targets()
    return plan


def _settings(asked: Training, info: ModelInfo) -> FitSettings:
    """Return the steps and the peak that the training comes to, and the rest as it was asked."""
    peak = peak_learning_rate(info, head_alone=asked.mode == "transfer")
    return FitSettings(
        mode=asked.mode,
        steps=-(-asked.budget_images // asked.batch_size),
        learning_rate=peak if asked.learning_rate is None else asked.learning_rate,
        seed=asked.seed,
        layer_decay=asked.layer_decay,
        frozen=asked.frozen,
        ema=asked.ema,
        keep=asked.keep,
        validations=asked.validations,
        precision=asked.precision,
    )


def _check_numbers(asked: Training) -> None:
    if asked.mode not in get_args(Mode):
        raise InputError("mode", " or ".join(get_args(Mode)), asked.mode)
    if asked.budget_images < 1:
        raise InputError("budget_images", "at least 1", asked.budget_images)
    if not 2 <= asked.batch_size <= MAX_BATCH:
        raise InputError("batch_size", f"2 to {MAX_BATCH}", asked.batch_size)
    rate, crop_px = asked.learning_rate, asked.crop_px
    if rate is not None and not (rate > 0 and isfinite(rate)):
        raise InputError("learning_rate", "a finite number above 0", rate)
    if crop_px is not None and crop_px < 1:
        raise InputError("crop_px", "at least 1, or none for the largest square", crop_px)


def _check_keeping(settings: FitSettings, real: AnySplit) -> None:
    """Refuse what cannot be said about lower layers, running means and the weights that count."""
    if not 0 < settings.layer_decay <= 1:
        raise InputError("layer_decay", "above 0, at most 1", settings.layer_decay)
    if settings.layer_decay < 1 and settings.mode == "transfer":
        raise InputError("layer_decay", "1 where the head alone learns", settings.layer_decay)
    if settings.frozen < 0:
        raise InputError("frozen", "at least 0", settings.frozen)
    if settings.frozen and settings.mode == "transfer":
        raise InputError("frozen", "0 where the head alone learns", settings.frozen)
    if not 0 <= settings.ema < 1:
        raise InputError("ema", "at least 0, below 1", settings.ema)
    if settings.keep not in get_args(Keep):
        raise InputError("keep", " or ".join(get_args(Keep)), settings.keep)
    if settings.validations < 0:
        raise InputError("validations", "at least 0", settings.validations)
    if settings.keep == "best" and not (settings.validations and real.val):
        got = "no validations" if real.val else "a split without validation images"
        raise InputError("keep", "last where nothing is validated", f"best with {got}")


def _check_cbam(settings: FitSettings, info: ModelInfo) -> None:
    if info.cbam is not None and settings.layer_decay < 1:
        raise InputError("layer_decay", "1 for cbam", settings.layer_decay)
    if info.cbam is not None and settings.frozen:
        raise InputError("frozen", "0 for cbam", settings.frozen)


def _composites(
    real: AnySplit, composites: Artefact | OnlineComposites | None, arm: Arm
) -> Composites | None:
    if (composites is not None) != (arm.synthetic_share > 0):
        wanted = "none, as the arm uses none" if composites is not None else "a folder or a bank"
        got = "some" if composites is not None else "nothing"
        raise InputError(f"composites of arm {arm.name}", wanted, got)
    if composites is None:
        return None
    if isinstance(composites, OnlineComposites):
        check_donors(real, composites.donors, what=f"bank {composites.bank.path}")
        return composites
    synthetic = CompositeSet.load(composites)
    check_donors(real, synthetic.donors, what=f"composites {composites.path}")
    return synthetic


def _labels(synthetic: Composites | None) -> tuple[str, ...]:
    """Return the class of each composite; of composites made online, one stands for all."""
    if isinstance(synthetic, OnlineComposites):
        return synthetic.classes
    return tuple(image.label for image in synthetic.images) if synthetic is not None else ()
