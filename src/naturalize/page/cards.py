"""Cards of pictures and facts that a reader can sort, without a script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from naturalize.errors import InputError
from naturalize.page.block import join
from naturalize.page.contact_sheet import ContactSheet, Tile

MAX_ORDERS = 9
"""As many as the style sheet has rules for."""


@dataclass(frozen=True, eq=False)
class Card:
    """Pictures of one thing side by side, with facts below and remarks a reader should not miss."""

    heading: str
    tiles: Sequence[Tile]
    facts: Mapping[str, str]
    remarks: Sequence[str] = ()

    def html(self, tile_px: int, orders: Markup) -> Markup:
        """Return a list item; ``orders`` says where it stands in each order."""
        facts = join(
            Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in self.facts.items()
        )
        remarks = join(Markup('<p class="remark">! {}</p>').format(r) for r in self.remarks)
        return Markup('<li style="{}">\n<h3>{}</h3>\n{}\n<dl>{}</dl>\n{}</li>').format(
            orders, self.heading, ContactSheet(self.tiles, tile_px=tile_px).html(), facts, remarks
        )


@dataclass(frozen=True, eq=False)
class SortableCards:
    """Cards with a row of orders above them, the first of which holds until another is chosen.

    ``orders`` gives each card's place by name: smaller numbers first, None last, of equals the
    earlier card. ``name`` tells several such blocks of one page apart. Raises :class:`InputError`
    for an order of another length or more than nine.
    """

    cards: Sequence[Card]
    orders: Mapping[str, Sequence[float | None]]
    name: str = "cards"
    tile_px: int = 150

    def __post_init__(self) -> None:
        if not 1 <= len(self.orders) <= MAX_ORDERS:
            raise InputError("orders", f"1 to {MAX_ORDERS}", len(self.orders))
        for name, values in self.orders.items():
            if len(values) != len(self.cards):
                raise InputError(f"order {name}", f"{len(self.cards)} numbers", len(values))

    def html(self) -> Markup:
        """Return radio buttons and the cards; CSS alone puts them in order."""
        buttons = join(
            Markup(
                '<input type="radio" name="{0}" id="{0}-{1}"{2}><label for="{0}-{1}">{3}</label>'
            ).format(self.name, number, Markup("" if number else " checked"), order)
            for number, order in enumerate(self.orders)
        )
        ranks = [_ranks(values) for values in self.orders.values()]
        items = join(
            card.html(self.tile_px, Markup(";").join(f"--o{n}:{r[i]}" for n, r in enumerate(ranks)))
            for i, card in enumerate(self.cards)
        )
        listed = Markup('<ul class="cards">\n{}\n</ul>').format(items)
        block = Markup('<div class="sortable">\n<span>Sort by</span>\n{}\n{}\n</div>')
        return block.format(buttons, listed)


def _ranks(values: Sequence[float | None]) -> list[int]:
    """Return the place of each value in ascending order.

    >>> _ranks([0.5, None, 0.1])
    [1, 2, 0]
    """
    keys = [math.inf if value is None else value for value in values]
    ranks = [0] * len(keys)
    for rank, index in enumerate(sorted(range(len(keys)), key=keys.__getitem__)):
        ranks[index] = rank
    return ranks
