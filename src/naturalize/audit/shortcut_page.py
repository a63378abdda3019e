"""The audit of shortcuts as a page, in words for people who read smears."""

from __future__ import annotations

from collections.abc import Iterator

from naturalize.audit.edited_side import EditedSide
from naturalize.audit.shortcut_findings import Model, Seen, Shortcuts
from naturalize.audit.taken_apart import TakenApart
from naturalize.audit.views import OTHER, VIEWS, View
from naturalize.page.block import Block, Callout, Prose
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.figure import Figure
from naturalize.page.interval_plot import interval_plot
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table

_EXAMPLES = 4
_TILE_PX = 100
_TITLES = {view.name: view.title for view in VIEWS}
_WHY = (
    "A network is paid for right answers, not for looking at the cell. If one class was mostly "
    "photographed on thicker films, in another light or beside more red cells, it may learn that "
    "instead, and fail on the next laboratory's slides. So the test images were changed, in "
    "memory only, and the same network was asked again."
)
METHOD = (
    "The cell is outlined by the segmenter smear; what lies below it is filled with the picture's "
    "own bare slide and its noise. A cell that is moved is lit as the picture it is moved into. "
    "No other cell is touched, so where red cells lean on the cell they still show its outline, "
    "and the surroundings alone are not free of it. An empty slide is nothing the network ever "
    "saw: part of what it loses there is strangeness. The fair comparison is between surroundings "
    "of the cell's own class and of another, which are edited alike.\n\n"
    "Sources are those that curation found (colour of the slide, chroma of the file); surroundings "
    "of another source come from a picture of the same class. Brackets hold 95 % bootstrap "
    "intervals over independent groups of images, and over seeds where there are several; with "
    "one seed they speak of this one network. Differences are paired, image by image."
)


def shortcut_page(found: Shortcuts, side: EditedSide) -> str:
    """Return the page as HTML; a few images of ``side`` are shown as examples."""
    sections = [
        Section("What was asked", (Prose(_WHY), *_examples(side))),
        *(Section(f"Model {model.name}", tuple(_answers(found, model))) for model in found.models),
        Section("By class", tuple(_by_class(found, model) for model in found.models)),
        Section("How it was measured", (Prose(METHOD), Prose(_counted(found)))),
    ]
    footer = f"Split {found.split}, seed {found.seed}. Research use only; not a medical device."
    return render_page("Does the network look at the cell?", sections, footer=footer)


def told(found: Shortcuts, model: Model) -> list[str]:
    """Return what was found of one model, a sentence each."""
    whole = model.seen[0].whole.accuracy
    said = [f"Of 100 test images as they are, the network names {_of_100(whole.value)} right."]
    for view in VIEWS:
        seen = model.of(view.name)
        if seen is not None:
            named = _of_100(seen.scores.accuracy.value)
            more = _follows(seen) if seen.follows is not None else ""
            if view.name == "surroundings":
                more = f"; naming the commonest class every time gives {_of_100(found.commonest)}"
            said.append(f"Shown {view.said}: {named} of 100{more}.")
    return said


def verdict(model: Model) -> tuple[bool, str]:
    """Return whether surroundings sway the model beyond what the editing does, and say so."""
    if model.sway is None:
        return False, "Too few images to move cells between pictures."
    change = model.sway.accuracy
    often = f"{abs(100 * change.value):.1f} in 100 {'less' if change.value < 0 else 'more'} often"
    words = (
        f"moved into pictures of another class, cells are named right {often} than moved into "
        f"pictures of their own class ({change.said(signed=True)})."
    )
    if change.high < 0:
        return True, f"Surroundings sway it: {words}"
    return False, f"No sign that surroundings sway it: {words}"


def _answers(found: Shortcuts, model: Model) -> Iterator[Block]:
    swayed, words = verdict(model)
    yield Callout(words, "warning" if swayed else "note", "In short")
    yield Prose("\n\n".join(told(found, model)))
    rows = [("as they are, all", model.whole.accuracy)]
    rows += [(_TITLES[seen.view], seen.scores.accuracy) for seen in model.seen]
    yield Figure(interval_plot(rows, title="Accuracy by what was shown", x_label="accuracy"))
    yield _table(model)


def _table(model: Model) -> Table:
    rows: list[list[Cell]] = [
        [
            _TITLES[seen.view],
            seen.n,
            seen.scores.accuracy.said(),
            seen.change.accuracy.said(signed=True),
            seen.macro_f1.said() if seen.macro_f1 else "–",
        ]
        for seen in model.seen
    ]
    columns = ["shown", "images", "accuracy", "change", "macro F1"]
    caption = f"Runs {', '.join(model.runs)}; change against the same images as they are"
    return Table(columns, rows, caption, numeric=(1, 2, 3, 4))


def _by_class(found: Shortcuts, model: Model) -> Table:
    """Return how many of 100 cells of each class are named, by what was shown."""
    rows: list[list[Cell]] = []
    for number, label in enumerate(found.classes):
        whole = model.whole.per_class[number]
        recalls = [seen.scores.per_class[number] for seen in model.seen]
        shown = [f"{_of_100(one.recall.value)}" if one.support else "–" for one in recalls]
        rows.append([label, whole.support, _of_100(whole.recall.value), *shown])
    columns = ["class", "images", "as they are", *(_TITLES[seen.view] for seen in model.seen)]
    caption = f"{model.name}: cells of each class named right, of 100"
    return Table(columns, rows, caption, numeric=range(1, len(columns)))


def _examples(side: EditedSide) -> Iterator[Block]:
    """Show a few images in every way, one row each."""
    first = {one.sample.label: n for n, one in reversed(list(enumerate(side.apart)))}
    for number in sorted(first.values())[:_EXAMPLES]:
        own = side.apart[number]
        tiles = [Tile(own.picture(), f"{own.sample.label}, as it is")]
        for view in VIEWS:
            other = dict(side.pairs[view.name]).get(number)
            if other is not None:
                given = side.apart[other]
                tiles.append(Tile(view.show(own, given), _caption(view, given)))
        yield ContactSheet(tiles, tile_px=_TILE_PX)


def _caption(view: View, other: TakenApart) -> str:
    return view.title + (f" ({other.sample.label})" if view.name == OTHER else "")


def _counted(found: Shortcuts) -> str:
    lost = [
        f"{sum(count.values())} ({why}: {', '.join(f'{c} {n}' for c, n in sorted(count.items()))})"
        for why, count in found.left_out.items()
    ]
    without = f"Left out: {'; '.join(lost)}." if lost else "None was left out."
    sources = "; ".join(f"{name}: {n}" for name, n in found.sources.items())
    return (
        f"{found.apart} of {found.n} test images ({found.n_groups} groups) could be taken apart. "
        f"{without}\n\nSources: {sources}."
    )


def _follows(seen: Seen) -> str:
    assert seen.follows is not None and seen.follows_whole is not None
    return (
        f"; {_of_100(seen.follows.value)} in 100 get the class of the surroundings, which "
        f"{_of_100(seen.follows_whole.value)} in 100 get even in their own"
    )


def _of_100(share: float) -> str:
    """Return a share as a count of 100, with one decimal where it is small.

    >>> _of_100(0.954), _of_100(0.0123)
    ('95', '1.2')
    """
    return f"{100 * share:.1f}" if share < 0.1 else f"{100 * share:.0f}"
