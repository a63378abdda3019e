"""One HTML page that holds all it shows: no script, no network, opened from anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from naturalize.page.block import Block


@dataclass(frozen=True)
class Section:
    """A heading with the blocks below it; ``lead`` is one sentence that says what they show."""

    title: str
    body: tuple[Block, ...]
    lead: str = ""


def render_page(
    title: str, sections: Sequence[Section], *, subtitle: str = "", footer: str = ""
) -> str:
    """Return a whole HTML page with a table of contents; all text in it is escaped.

    The same arguments give the same page.
    """
    template = _environment().get_template("page.html")
    anchors = [f"{i}-{_slug(section.title)}" for i, section in enumerate(sections, start=1)]
    return template.render(
        title=title,
        subtitle=subtitle,
        footer=footer,
        sections=list(zip(anchors, sections, strict=True)),
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("naturalize.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _slug(title: str) -> str:
    """Turn a title into something an address can end in.

    >>> _slug("Scores, by class")
    'scores-by-class'
    """
    return re.sub(r"\W+", "-", title.lower()).strip("-")
