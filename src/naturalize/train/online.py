"""Composites made while training feeds on them, in as many processes as one likes; no files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, default_collate

from naturalize.artefact import Artefact
from naturalize.compose.batches import Batches
from naturalize.compose.online import OnlineComposites, OnlineMix
from naturalize.compose.recipe import Recipe
from naturalize.compose.render import Composite
from naturalize.errors import InputError, NaturalizeError
from naturalize.train.feed import Pixels
from naturalize.train.pixels import fit_square
from naturalize.workers import deaf_children


@dataclass(frozen=True, eq=False)
class OnlineDataset(Dataset[tuple[Tensor, int]]):
    """A mix of real images and composites for torch, map-style, one epoch long.

    ``dataset[i]`` is (uint8 (3, ``input_px``, ``input_px``), class index), the same in any process
    and any order, so any ``DataLoader`` will do. It holds no state: indices from ``len(dataset)``
    on are those of later epochs, and :meth:`epoch` is the part that one epoch shows, shuffled.
    ``crop_px`` as in :func:`~naturalize.train.pixels.fit_square`.

    ::

        dataset = OnlineDataset(OnlineMix.of(split, composites, share=0.5))
        for number in range(10):
            for images, labels in DataLoader(dataset.epoch(number), batch_size=64, num_workers=4):
                learn(images, labels)
        dataset.composite(17, epoch=3).image     # what image 17 of epoch 3 was, in full
    """

    mix: OnlineMix
    input_px: int = 160
    crop_px: int | None = 256

    def __len__(self) -> int:
        return self.mix.epoch_length

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        shown = self.mix.at(index)
        square = fit_square(shown.image, input_px=self.input_px, crop_px=self.crop_px)
        pixels = torch.from_numpy(square).permute(2, 0, 1).contiguous()
        return pixels, self.mix.split.classes.index(shown.label)

    def epoch(self, epoch: int) -> Subset[tuple[Tensor, int]]:
        """Return the part of the data that one epoch shows."""
        return Subset(self, range(epoch * len(self), (epoch + 1) * len(self)))

    def composite(self, index: int, epoch: int = 0) -> Composite:
        """Compose again what an index shows; :class:`InputError` where that is a real image."""
        return self.mix.composite(index, epoch)


@dataclass(frozen=True, eq=False)
class _Told(Dataset[tuple[Tensor, int] | NaturalizeError]):
    """A dataset whose mistakes come as items: torch would make another error of them."""

    dataset: OnlineDataset

    def __getitem__(self, index: int) -> tuple[Tensor, int] | NaturalizeError:
        try:
            return self.dataset[index]
        except NaturalizeError as error:
            return error


def _collated(items: list[tuple[Tensor, int] | NaturalizeError]) -> Any:
    """Return a batch, or the first mistake among its items."""
    mistakes = [item for item in items if isinstance(item, NaturalizeError)]
    return mistakes[0] if mistakes else default_collate(items)


@dataclass(frozen=True, eq=False)
class OnlineFeed:
    """Feeds a training from a dataset that composes in ``workers`` processes; 1 is this one."""

    dataset: OnlineDataset
    workers: int = 1

    @property
    def batches(self) -> Batches:
        """Which images each step shows."""
        return self.dataset.mix.batches

    def steps(self, first: int, stop: int, share: slice) -> Iterator[Pixels]:
        """Yield what steps ``first`` to ``stop`` - 1 show: of each batch the slots in ``share``."""
        size = self.batches.batch_size
        loader = DataLoader(
            _Told(self.dataset),
            batch_sampler=[
                list(range(step * size, (step + 1) * size)[share]) for step in range(first, stop)
            ],
            num_workers=self.workers if self.workers > 1 else 0,
            collate_fn=_collated,
            worker_init_fn=_settle,
            multiprocessing_context="spawn" if self.workers > 1 else None,
            generator=torch.Generator(),
        )
        with deaf_children():
            fed = iter(loader)
        for pixels in fed:
            if isinstance(pixels, NaturalizeError):
                raise pixels
            yield pixels


def mix_of(run: Artefact) -> OnlineMix:
    """Return what a run composed online was trained on.

    Slot s of step t is ``mix.at(t * mix.batches.batch_size + s)``, not yet flipped. Raises
    :class:`InputError` where the run was trained on a folder of composites, or on none.
    """
    parameters = run.manifest["parameters"]
    if "recipe" not in parameters:
        raise InputError(f"run {run.path}", "one trained with --bank", "another")
    recipe = Recipe.model_validate(parameters["recipe"])
    return OnlineMix.of(
        run.input("split"),
        OnlineComposites(run.input("bank"), recipe, parameters["composites_seed"]),
        share=parameters["arm"]["synthetic_share"],
        balanced=parameters["arm"].get("balanced", False),
        batch_size=parameters["batch_size"],
        seed=run.manifest["seed"],
    )


def _settle(worker: int) -> None:
    """Keep a worker to one thread; torch sees to its own."""
    cv2.setNumThreads(1)
