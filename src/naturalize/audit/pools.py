"""Two halves of the train images, each with its own part of the bank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError

MIN_IMAGES = 8


@dataclass(frozen=True, eq=False)
class Pool:
    """Real images, and the part of a bank that was cut out of them and of no other."""

    samples: tuple[Sample, ...]
    bank: CutoutBank


def two_pools(
    bank: CutoutBank, samples: Iterable[Sample], *, rng: np.random.Generator
) -> tuple[Pool, Pool]:
    """Deal the donors of ``bank`` into two pools that share no group; ``samples`` describe them.

    Only images of the bank's most common size take part: that is one acquisition source, so the
    source can't tell a composite. Both pools get the same share of each class. Raises
    :class:`InputError` where a pool would hold fewer than :data:`MIN_IMAGES` images.
    """
    known = {sample.id: sample for sample in samples}
    sizes = Counter((donor.height_px, donor.width_px) for donor in bank.donors)
    (size, _), *_ = sizes.most_common(1)
    chosen = [known[d.sample_id] for d in bank.donors if (d.height_px, d.width_px) == size]
    dealt: tuple[list[Sample], list[Sample]] = ([], [])
    for n, members in enumerate(_shuffled_groups(chosen, rng)):
        dealt[n % 2].extend(members)
    fewest = min(map(len, dealt))
    if fewest < MIN_IMAGES:
        raise InputError("bank", f"at least {MIN_IMAGES} images of one size a pool", fewest)
    first, second = (_pool(bank, members) for members in dealt)
    return first, second


def _shuffled_groups(samples: list[Sample], rng: np.random.Generator) -> list[list[Sample]]:
    """Return the groups class by class, in a drawn order within each class."""
    groups: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.id):
        groups.setdefault(sample.group, []).append(sample)
    drawn = [list(groups.values())[i] for i in rng.permutation(len(groups))]
    return sorted(drawn, key=lambda members: members[0].label)


def _pool(bank: CutoutBank, samples: list[Sample]) -> Pool:
    names = {sample.id for sample in samples}
    part = replace(
        bank,
        rows=tuple(row for row in bank.rows if row.sample_id in names),
        donors=tuple(donor for donor in bank.donors if donor.sample_id in names),
    )
    return Pool(tuple(samples), part)
