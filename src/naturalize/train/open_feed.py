"""What a planned training looks at: pixels decoded beforehand, or composites as they are made."""

from __future__ import annotations

import torch
from torch import Tensor

from naturalize.compose.online import OnlineComposites, OnlineMix
from naturalize.progress import Track
from naturalize.split.split import Side
from naturalize.train.feed import Feed, PoolFeed, near
from naturalize.train.online import OnlineDataset, OnlineFeed
from naturalize.train.pack import Pack
from naturalize.train.pixels import Reader, composite_readers, load_pixels, sample_readers
from naturalize.train.plan import Plan


def open_feed(
    plan: Plan, pack: Pack | None, *, device: torch.device, workers: int, track: Track
) -> Feed:
    """Return what feeds the training; every train image has been read once, so none is damaged."""
    readers = _readers(plan, pack, "train")
    if isinstance(plan.composites, OnlineComposites):
        for read in track(readers, len(readers), "reading train"):
            read()
        mix = OnlineMix(plan.split, plan.composites, plan.batches)
        return OnlineFeed(OnlineDataset(mix, plan.shown_px, plan.shown_crop_px), workers)
    if plan.composites is not None:
        readers += (composite_readers if pack is None else pack.composite_readers)(plan.composites)
    pool = load_pixels(
        readers,
        input_px=plan.shown_px,
        crop_px=plan.shown_crop_px if pack is None else None,
        what="decoding train",
        track=track,
    )
    return PoolFeed(near(pool, device), plan.batches)


def decode(plan: Plan, pack: Pack | None, side: Side, track: Track) -> Tensor:
    """Return the real images of one side at working size, uint8 (N, 3, S, S).

    Those of a pack are cropped already.
    """
    return load_pixels(
        _readers(plan, pack, side),
        input_px=plan.info.input_px,
        crop_px=plan.info.crop_px if pack is None else None,
        what=f"decoding {side}",
        track=track,
    )


def _readers(plan: Plan, pack: Pack | None, side: Side) -> list[Reader]:
    samples = plan.split.side(side)
    if pack is not None:
        return pack.sample_readers(samples)
    return sample_readers(plan.split.root, samples)
