"""The gallery: pictures of reasons as cards one can sort, and what the figures mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from naturalize.explain.explanation import PICTURES, Explanation, by_run
from naturalize.explain.score_cam import CamSettings
from naturalize.explain.trust import LIKE_UNTRAINED, Trust, means
from naturalize.page.block import Block, Callout, Prose
from naturalize.page.cards import Card, SortableCards
from naturalize.page.contact_sheet import Tile, TileTone
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table

_TILE_PX = 210
_NONE = "–"
_FIGURES: dict[str, tuple[str, str]] = {
    "deletion": ("deletion", "low is good: the class is gone when the hottest pixels go first"),
    "insertion": ("insertion", "high is good: the class is there when they come first"),
    "road": ("ROAD", "above 0 is good: hot pixels, filled in, cost the class more than cold ones"),
    "in_cell": ("in cell", "share of the heat on the cell's own mask"),
    "cell_area": ("cell area", "share of the square on that mask: what even heat would give"),
    "like_untrained": (
        "untrained",
        "near 0 is good: rank correlation with the picture of the same network, untrained",
    ),
}
"""Of each figure of :class:`Trust`, what it is called and how to read it."""
_WEIGHTINGS = {
    "softmax": "the softmax, over all maps, of the logits of the masked images (Wang et al. 2019, "
    "algorithm 1)",
    "increase": "the increase of the class's probability over that of an empty image (Wang et al. "
    "2019, definition 2)",
}
_ORDERS: dict[str, Callable[[Trust], float | None]] = {
    "least by insertion": lambda trust: trust.insertion,
    "most by deletion": lambda trust: -trust.deletion,
    "least by ROAD": lambda trust: trust.road,
    "least heat in the cell": lambda trust: trust.in_cell,
    "most like untrained": lambda trust: _turned(trust.like_untrained),
}
"""Orders that bring the most doubtful pictures to the top."""


def gallery_page(found: Sequence[Explanation], settings: CamSettings, folder: Path) -> str:
    """Return the page as HTML; the pictures are read from ``folder``."""
    sections = [Section("How to read it", _reading(found, settings))]
    if any(one.trust for one in found):
        sections.append(Section("How far to trust it", (_summary(found), _meanings())))
    cards = SortableCards([_card(one, folder) for one in found], _orders(found), tile_px=_TILE_PX)
    sections.append(Section("Pictures", (cards,)))
    runs = ", ".join(by_run(found))
    footer = "Research use only; not a medical device. Made by naturalize."
    return render_page("Where the network looks", sections, subtitle=f"By {runs}", footer=footer)


def _reading(found: Sequence[Explanation], settings: CamSettings) -> tuple[Block, ...]:
    shown = "every different map" if settings.channels is None else f"{settings.channels} groups"
    words = (
        "The warmer a place, the more it speaks for the class named above the picture: masks that "
        "leave it in sight keep the score of the class high. A picture is coarse, as the network's "
        "last maps are, and tells where, not what: a warm nucleus may stand for its shape or its "
        "colour.\n\n"
        f"Score-CAM with {shown} of maps as masks, weighted by {_WEIGHTINGS[settings.weighting]}. "
        "Each picture is scaled by itself: heat cannot be compared between pictures."
    )
    learned = sum(one.side in ("train", "val") for one in found)
    if not learned:
        return (Prose(words),)
    said = f"{learned} of {len(found)} pictures show images the network learned or was chosen on."
    return Prose(words), Callout(said, "warning")


def _summary(found: Sequence[Explanation]) -> Table:
    rows: list[list[Cell]] = []
    for run, own in by_run(found).items():
        mean = means([one.trust for one in own if one.trust is not None])
        doubtful = sum(bool(one.doubts()) for one in own)
        rows.append([run, len(own), doubtful, *(_said(mean[name]) for name in _FIGURES)])
    columns = ["run", "pictures", "doubtful", *(name for name, _ in _FIGURES.values())]
    return Table(columns, rows, "Means over the pictures", numeric=range(1, len(columns)))


def _meanings() -> Table:
    rows: list[list[Cell]] = [list(figure) for figure in _FIGURES.values()]
    rows.append(["doubtful", f"a figure speaks against the picture: ROAD at most 0, insertion at "
                 f"most deletion, in cell at most cell area, untrained from "
                 f"{LIKE_UNTRAINED} on"])  # fmt: skip
    return Table(["figure", "what it says"], rows)


def _card(one: Explanation, folder: Path) -> Card:
    right: TileTone = "good" if one.predicted == one.truth else "bad"
    tones: dict[str, TileTone] = {"original": right} if one.truth else {}
    names = dict(zip(PICTURES, ("what the network sees", "heat", "both"), strict=True))
    tiles = [
        Tile((folder / one.picture(kind)).read_bytes(), words, tones.get(kind, "plain"))
        for kind, words in names.items()
    ]
    facts = {
        "class asked": one.asked,
        "probability": f"{one.probability:.3f}",
        "predicted": one.predicted,
        "truth": one.truth or _NONE,
        "side": one.side or _NONE,
        "run": one.run,
    }
    if one.trust is not None:
        facts |= {name: _said(getattr(one.trust, key)) for key, (name, _) in _FIGURES.items()}
    return Card(f"{one.asked}: {one.image}", tiles, facts, one.doubts())


def _orders(found: Sequence[Explanation]) -> dict[str, list[float | None]]:
    orders: dict[str, list[float | None]] = {
        "as given": [0.0] * len(found),
        "least probable": [one.probability for one in found],
    }
    if all(one.trust is None for one in found):
        return orders
    orders["most doubts"] = [-float(len(one.doubts())) for one in found]
    for name, of in _ORDERS.items():
        orders[name] = [None if one.trust is None else of(one.trust) for one in found]
    return orders


def _said(figure: float | None) -> str:
    return _NONE if figure is None else f"{figure:.3f}"


def _turned(figure: float | None) -> float | None:
    return None if figure is None else -figure
