"""Composites made when they are asked for, alone or among real images; no files, no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count

import numpy as np

from naturalize.artefact import Artefact
from naturalize.compose.batches import Batch, Batches, Share
from naturalize.compose.deal import able_counts
from naturalize.compose.numbered import compose_numbered, composite_name
from naturalize.compose.open_bank import opened_bank, proven_bank
from naturalize.compose.recipe import Recipe
from naturalize.compose.render import Composite
from naturalize.datasets.manifest import read_sample
from naturalize.errors import InputError
from naturalize.images import Rgb
from naturalize.seeds import child
from naturalize.split.leak_check import check_donors
from naturalize.split.paper_split import AnySplit
from naturalize.split.split import RealSplit


@dataclass(frozen=True, eq=False)
class OnlineComposites:
    """Endless composites of every class that ``recipe`` can compose from ``bank``.

    A composite depends on the bank, the recipe, the seed, its class and its number alone, so any
    can be asked for again, in any order and any process; it is the very image that
    ``naturalize compose`` with that seed writes under the same name. The bank is first proven to
    hold train images of its split only, or :class:`LeakError` raised.

    ::

        composites = OnlineComposites(bank, load_recipe("naturalize"), seed=3)
        image = composites.composite("SNE", 12).image        # uint8 (H, W, 3)
        again = composites.named("SNE_000012").image         # the same pixels
    """

    bank: Artefact
    recipe: Recipe
    seed: int = 0

    def __post_init__(self) -> None:
        able_counts(self.recipe, proven_bank(self.bank))

    @cached_property
    def weights(self) -> dict[str, int]:
        """What the recipe deals images out by, of each class it composes."""
        able = able_counts(self.recipe, opened_bank(self.bank))
        return {label: weight for label, weight in able.items() if weight}

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes there are composites of."""
        return tuple(self.weights)

    @property
    def donors(self) -> tuple[tuple[str, str], ...]:
        """The images of the bank as (sample id, sha256) pairs, for ``check_donors``."""
        return tuple((row.sample_id, row.sha256) for row in opened_bank(self.bank).donors)

    def composite(self, label: str, number: int) -> Composite:
        """Compose image ``number`` of class ``label``; :class:`InputError` where there is none."""
        if label not in self.weights:
            raise InputError("label", f"one of {', '.join(self.classes)}", label)
        if number < 0:
            raise InputError("number", "0 or more", number)
        bank = opened_bank(self.bank)
        return compose_numbered(self.recipe, bank, label, number, seed=self.seed)

    def named(self, name: str) -> Composite:
        """Compose the image called ``name``, such as ``SNE_000012``."""
        label, _, number = name.rpartition("_")
        if not number.isdecimal():
            raise InputError("name", "a class and a number, such as SNE_000012", name)
        return self.composite(label, int(number))

    def __iter__(self) -> Iterator[Composite]:
        """Yield composites 0, 1, 2, ... without end, of classes drawn as the recipe deals them."""
        return (self.composite(self._draw_label(number), number) for number in count())

    def _draw_label(self, number: int) -> str:
        bounds = np.cumsum(list(self.weights.values()))
        drawn = child(self.seed, "class", number).integers(bounds[-1])
        return self.classes[int(np.searchsorted(bounds, drawn, side="right"))]


@dataclass(frozen=True, eq=False)
class Shown:
    """One image as training sees it, uint8 (H, W, 3).

    ``name`` is the sample's id, or the composite's name where ``is_real`` is false.
    """

    name: str
    label: str
    is_real: bool
    image: Rgb


@dataclass(frozen=True, eq=False)
class OnlineMix:
    """The train images of a split, epoch after epoch, some giving way to a new composite.

    What image ``index`` of an epoch shows is a pure function of both; ``batches`` says which images
    give way, always to their own class, and no composite is shown twice. Raises :class:`LeakError`
    where the bank holds anything but train images of this very split.

    ::

        mix = OnlineMix.of(split, OnlineComposites(bank, recipe), share=0.5)
        for shown in mix.epoch(0):
            learn(shown.image, shown.label)
    """

    split: AnySplit
    composites: OnlineComposites
    batches: Batches

    def __post_init__(self) -> None:
        what = f"bank {self.composites.bank.path}"
        check_donors(self.split, self.composites.donors, what=what)

    @classmethod
    def of(
        cls,
        split: Artefact,
        composites: OnlineComposites,
        *,
        share: Share,
        batch_size: int | None = None,
        seed: int = 0,
        balanced: bool = False,
    ) -> OnlineMix:
        """Mix the train side of ``split`` with ``composites``.

        ``share`` is the probability that an image gives way, one for all classes or one a class
        (0 for classes not named). It is drawn batch by batch; ``batch_size`` None draws it for a
        whole epoch at once. ``balanced`` as in :class:`~naturalize.compose.batches.Batches`.
        """
        real = RealSplit.load(split)
        labels = [sample.label for sample in real.train]
        batches = Batches.of(
            labels,
            composites.classes,
            real.classes,
            share=share,
            batch_size=len(labels) if batch_size is None else batch_size,
            seed=seed,
            balanced=balanced,
        )
        return cls(real, composites, batches)

    @property
    def epoch_length(self) -> int:
        """The number of train images."""
        return len(self.split.train)

    def at(self, index: int, epoch: int = 0) -> Shown:
        """Return image ``index`` of an epoch; from ``epoch_length`` on those of later epochs."""
        number = epoch * self.epoch_length + index
        image, label = self._slot(number)
        if image < self.epoch_length:
            sample = self.split.train[image]
            return Shown(sample.id, label, True, read_sample(self.split.root, sample))
        made = self.composites.composite(label, number)
        return Shown(composite_name(label, number), label, False, made.image)

    def composite(self, index: int, epoch: int = 0) -> Composite:
        """Compose again what ``at`` shows; :class:`InputError` where that is a real image."""
        number = epoch * self.epoch_length + index
        image, label = self._slot(number)
        if image < self.epoch_length:
            got = f"{index} of epoch {epoch}, real image {self.split.train[image].id}"
            raise InputError("index", "that of a composite", got)
        return self.composites.composite(label, number)

    def epoch(self, epoch: int) -> Iterator[Shown]:
        """Yield every image of one epoch, in order."""
        return (self.at(index, epoch) for index in range(self.epoch_length))

    def _slot(self, number: int) -> tuple[int, str]:
        """Return which image is due at ``number``, a composite from ``epoch_length`` on."""
        step, slot = divmod(number, self.batches.batch_size)
        batch = _batch(self.batches, step)
        return int(batch.images[slot]), self.split.classes[batch.labels[slot]]


@lru_cache(maxsize=2)
def _batch(batches: Batches, step: int) -> Batch:
    return batches.at(step)
