"""A training as it is asked for: what is trained, what it is shown, how it learns."""

from __future__ import annotations

from dataclasses import dataclass

from naturalize.artefact import Artefact
from naturalize.train.cbam import Merge, Spatial
from naturalize.train.fit import Keep, Mode
from naturalize.train.precision import Precision


@dataclass(frozen=True, kw_only=True)
class Training:
    """What decides the weights and answers of a run, besides the images at hand.

    What is trained: ``model`` is one of :data:`~naturalize.train.backbones.BACKBONES`,
    ``timm:NAME`` or ``cbam``; ``weights`` as in
    :func:`~naturalize.train.weight_sources.resolve_weights`. It sees the middle ``crop_px`` of an
    image at ``input_px`` (None: the backbone's; :func:`~naturalize.train.pixels.fit_square`) and in
    the end answers for it in ``views`` orientations (:func:`~naturalize.train.predict.predict`).
    ``branches``, ``merge`` and ``spatial`` are for ``cbam`` alone, a head over two networks: those
    of two runs of the same split (none: new networks from ``weights``), and how their maps are
    merged and weighed (:class:`~naturalize.train.cbam.Cbam`).

    What it is shown: ``arm`` and ``share`` as in :func:`~naturalize.train.arms.find_arm`.
    ``budget_images`` counts images shown, rounded up to whole batches of ``batch_size``, and is
    spent whatever the loss does.

    How it learns: ``learning_rate`` None is that of the mode and the backbone; ``mode``,
    ``layer_decay``, ``frozen``, ``ema``, ``keep``, ``validations`` and ``precision`` as in
    :class:`~naturalize.train.fit.FitSettings`. All that it draws comes from ``seed``.

    >>> Training(model="custom-cnn", input_px=64, seed=1).budget_images
    40000
    """

    model: str = "efficientnet-lite0"
    weights: str | None = None
    input_px: int | None = None
    crop_px: int | None = 256
    views: int = 1
    branches: tuple[Artefact, ...] = ()
    merge: Merge = "concat"
    spatial: Spatial = "cbam"

    arm: str = "flips"
    share: float | None = None
    budget_images: int = 40_000
    batch_size: int = 64

    mode: Mode = "finetune"
    learning_rate: float | None = None
    layer_decay: float = 1.0
    frozen: int = 0
    ema: float = 0.0
    keep: Keep = "last"
    validations: int = 5
    precision: Precision | None = None
    seed: int = 0
