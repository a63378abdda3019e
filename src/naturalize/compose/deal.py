"""How many composites each class gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from naturalize.compose.placement import check_background
from naturalize.compose.recipe import Recipe
from naturalize.cutouts.bank import CutoutBank
from naturalize.errors import InputError

MAX_COUNT = 10_000_000


def deal_labels(recipe: Recipe, bank: CutoutBank, count: int | None) -> tuple[str, ...]:
    """Return the class of each composite, in class order.

    A recipe that says how many each class gets (``counts``, ``fill_to``) needs no ``count``; one
    beside it is dealt out in the same proportions. Without either, ``share: same`` deals ``count``
    as the donors' images are, ``share: equal`` the same number to each class. Classes without a
    subject in the bank get none. Raises :class:`InputError` where nothing is left to compose.
    """
    able = able_counts(recipe, bank)
    total = sum(able.values()) if count is None and recipe.tells_counts else count
    if total is None or not 1 <= total <= MAX_COUNT:
        raise InputError("--count", f"1 to {MAX_COUNT:,}", total)
    return tuple(label for label, n in _apportion(able, total).items() for _ in range(n))


def able_counts(recipe: Recipe, bank: CutoutBank) -> dict[str, int]:
    """Return :func:`wanted_counts` of the classes with a subject in the bank.

    Where real surroundings are kept there must be another image of its kind to put it in. The bank
    must suit the recipe, else :class:`InputError` is raised.

    Raises :class:`InputError` where nothing is left to compose.
    """
    wanted = wanted_counts(recipe, bank)
    check_background(recipe, bank)
    if recipe.surroundings != "composed" and not any(donor.file_bytes for donor in bank.donors):
        what = "one that keeps its donors' files, as `naturalize cut` makes them now"
        raise InputError(f"recipe {recipe.name}, bank", what, "one of an earlier version")
    images = Counter(row.kind for row in bank.rows if row.label)
    needed = 2 if recipe.surroundings == "kept" else 1
    able = {
        label: n
        for label, n in wanted.items()
        if any(images[subject.kind] >= needed for subject in bank.subjects(label))
    }
    if not able:
        raise InputError(f"recipe {recipe.name}, classes", "classes with cutouts", "none")
    if not any(able.values()):
        got = f"none below {recipe.fill_to}" if recipe.fill_to is not None else "0 of each"
        raise InputError(f"recipe {recipe.name}", "a class to add composites to", got)
    return able


def wanted_counts(recipe: Recipe, bank: CutoutBank) -> dict[str, int]:
    """Return what each class of a recipe should get, or the weights it is dealt out by.

    They are numbers of images where the recipe tells them. Raises :class:`InputError` for a class
    the bank does not know.
    """
    named = recipe.counts or (() if recipe.classes == "all" else recipe.classes)
    unknown = sorted(set(named) - set(bank.classes))
    if unknown:
        known = ", ".join(bank.classes)
        raise InputError(f"recipe {recipe.name}, classes", known, ", ".join(unknown))
    if recipe.counts is not None:
        return dict(recipe.counts)
    labels = named or bank.classes
    images = Counter(row.label for row in bank.donors)
    if recipe.fill_to is not None:
        level = max(images.values()) if recipe.fill_to == "largest" else recipe.fill_to
        return {label: max(0, level - images[label]) for label in labels}
    return {label: images[label] if recipe.share == "same" else 1 for label in labels}


def _apportion(weights: Mapping[str, int], count: int) -> dict[str, int]:
    """Deal ``count`` out in proportion to ``weights`` by largest remainder."""
    total = sum(weights.values())
    exact = {label: count * weight / total for label, weight in weights.items()}
    dealt = {label: int(share) for label, share in exact.items()}
    order = sorted(exact, key=lambda label: (dealt[label] - exact[label], label))
    for label in order[: count - sum(dealt.values())]:
        dealt[label] += 1
    return dealt
