"""A planned training carried out: the network learns, then answers for what was held back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from naturalize.progress import Track, quiet
from naturalize.split.split import Side
from naturalize.train.augment import ORIENTATIONS, orient
from naturalize.train.examples import Examples, FeatureExamples, ImageExamples
from naturalize.train.features import FrozenBase
from naturalize.train.feed import Feed, PoolFeed
from naturalize.train.fit import FitSettings, Fitted, Watch, fit, unwatched
from naturalize.train.plan import Plan
from naturalize.train.predict import predict
from naturalize.train.validation import Validation
from naturalize.train.weights import classifier

CHECKPOINT = "state.safetensors"
FEATURES = "features"


@dataclass(frozen=True)
class Circumstances:
    """What decides how fast a training goes and who hears of it, not what it gives.

    ``scratch`` is a folder for its unfinished state; frozen features are kept in ``features``,
    or there too where that is None.
    """

    accelerator: Accelerator
    scratch: Path = Path()
    checkpoint_every: int | None = None
    features: Path | None = None
    watch: Watch = unwatched
    track: Track = quiet


@dataclass(frozen=True, eq=False)
class Learned:
    """How a training went, and float32 (N, classes) for each side it answered for."""

    fitted: Fitted
    probabilities: Mapping[Side, NDArray[np.float32]]


def learn(
    plan: Plan,
    network: nn.Module,
    feed: Feed,
    held_back: Mapping[Side, Tensor],
    how: Circumstances,
) -> Learned:
    """Train ``network`` in place on ``feed``; predict ``held_back``, uint8 (N, 3, S, S) a side.

    Of several processes the first alone validates and predicts.
    A head over a frozen base learns from features where the same few pixels are shown again and
    again: images as they are, or turned.
    """
    network.to(how.accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    linear_head_alone = plan.settings.mode == "transfer" and plan.info.cbam is None
    if linear_head_alone and plan.arm.repeats_views and isinstance(feed, PoolFeed):
        return _learn_head(plan, network, feed, held_back, how)

    info = plan.info

    def answers(pixels: Tensor, views: int, what: str, track: Track = quiet) -> NDArray[np.float32]:
        return predict(
            network, pixels, mean=info.mean, std=info.std, views=views, what=what, track=track
        )

    examples = ImageExamples(feed, plan.preparation(how.accelerator.device))
    validation = _validation(plan, how, lambda _: answers(held_back["val"], 1, "validating"))
    fitted = _fit(network, examples, plan.settings, validation, how)
    if not how.accelerator.is_main_process:
        return Learned(fitted, {})
    found = {
        side: answers(pixels, info.views, f"predicting {side}", how.track)
        for side, pixels in held_back.items()
    }
    return Learned(fitted, found)


def _learn_head(
    plan: Plan,
    network: nn.Module,
    feed: PoolFeed,
    held_back: Mapping[Side, Tensor],
    how: Circumstances,
) -> Learned:
    """Train the last layer on what the base sees; each image passes through the base once."""
    base = FrozenBase(
        network, plan.info.mean, plan.info.std, how.features or how.scratch / FEATURES
    )
    head, device = classifier(network), how.accelerator.device
    examples = _feature_examples(plan, base, feed, how)
    held = {
        side: _held_features(base, pixels, plan.info.views, side, how.track).to(device)
        for side, pixels in held_back.items()
    }

    def answers(features: Tensor) -> NDArray[np.float32]:
        with torch.no_grad():
            logits: Tensor = head(features)
        return logits.float().softmax(dim=-1).mean(dim=0).cpu().numpy()

    validation = _validation(plan, how, lambda _: answers(held["val"][:1]))
    # All that is given to learn here is a head.
    settings = replace(plan.settings, mode="finetune")
    fitted = _fit(head, examples, settings, validation, how)
    return Learned(fitted, {side: answers(features) for side, features in held.items()})


def _held_features(
    base: FrozenBase, pixels: Tensor, views: int, side: Side, track: Track
) -> Tensor:
    """Return what the base sees in each orientation asked for, float32 (views, N, F)."""
    found = []
    for view in range(views):

        def turned(part: slice, view: int = view) -> Tensor:
            shown = pixels[part]
            return orient(shown, torch.full((len(shown),), view))

        found.append(base.features(turned, len(pixels), what=f"features of {side}", track=track))
    return torch.stack(found)


def _feature_examples(
    plan: Plan, base: FrozenBase, feed: PoolFeed, how: Circumstances
) -> FeatureExamples:
    """Compute the features of every image as it is shown, in each of its orientations once."""
    device = how.accelerator.device
    preparation = plan.preparation(device)
    steps = range(plan.settings.steps)
    shown = torch.stack([torch.from_numpy(feed.batches.at(step).images) for step in steps])
    lying = torch.stack([preparation.orientations(step) for step in steps])
    views, rows = torch.unique(shown * ORIENTATIONS + lying, return_inverse=True)
    images, lies = views // ORIENTATIONS, views % ORIENTATIONS

    def pixels(part: slice) -> Tensor:
        return orient(feed.pool[images[part].to(feed.pool.device)], lies[part])

    features = base.features(pixels, len(views), what="features of train", track=how.track)
    labels = torch.empty(len(views), dtype=torch.int64)
    labels[rows] = torch.stack([torch.from_numpy(feed.batches.at(step).labels) for step in steps])
    return FeatureExamples(features.to(device), rows, preparation.targets[labels.to(device)])


def _validation(
    plan: Plan, how: Circumstances, probabilities: Callable[[nn.Module], NDArray[np.float32]]
) -> Validation | None:
    """Return how the first process validates; none where there is nothing to validate on."""
    classes = plan.info.classes
    labels = [classes.index(sample.label) for sample in plan.split.val]
    if not labels or not how.accelerator.is_main_process:
        return None
    return Validation(probabilities, np.array(labels, np.int64), len(classes))


def _fit(
    model: nn.Module,
    examples: Examples,
    settings: FitSettings,
    validation: Validation | None,
    how: Circumstances,
) -> Fitted:
    return fit(
        model,
        examples,
        settings,
        accelerator=how.accelerator,
        checkpoint=how.scratch / CHECKPOINT,
        checkpoint_every=how.checkpoint_every,
        validation=validation,
        watch=how.watch,
        track=how.track,
    )
