"""What a section of a page is made of: text, notes and parts a reader may unfold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from markupsafe import Markup

Tone = Literal["note", "warning"]
_TONES: dict[Tone, str] = {"note": "Note", "warning": "Warning"}


class Block(Protocol):
    """A part of a section that knows how to write itself."""

    def html(self) -> Markup:
        """Return the part as HTML; all text in it is escaped."""
        ...


@dataclass(frozen=True)
class Prose:
    """Plain text; an empty line begins a new paragraph.

    >>> print(Prose("Cells < 5 px\\n\\nwere left out.").html())
    <p>Cells &lt; 5 px</p>
    <p>were left out.</p>
    """

    text: str

    def html(self) -> Markup:
        """Return one paragraph element for each paragraph."""
        paragraphs = [part.strip() for part in re.split(r"\n\s*\n", self.text)]
        return join(Markup("<p>{}</p>").format(part) for part in paragraphs if part)


@dataclass(frozen=True)
class Callout:
    """One finding set apart from the text, with a heading that names its tone or ``heading``."""

    text: str
    tone: Tone = "note"
    heading: str = ""

    def html(self) -> Markup:
        """Return an aside."""
        return Markup('<aside class="callout {}"><strong>{}</strong>\n{}</aside>').format(
            self.tone, self.heading or _TONES[self.tone], Prose(self.text).html()
        )


@dataclass(frozen=True)
class KeyFigure:
    """A number a reader should see first: what it is, its value, and a remark in small print."""

    label: str
    value: str
    remark: str = ""


@dataclass(frozen=True)
class KeyFigures:
    """A row of numbers at the top of a section."""

    figures: tuple[KeyFigure, ...]

    def html(self) -> Markup:
        """Return a description list."""
        item = Markup("<div><dt>{}</dt><dd>{}</dd><dd class='remark'>{}</dd></div>")
        items = join(item.format(f.label, f.value, f.remark) for f in self.figures)
        return Markup('<dl class="key-figures">\n{}\n</dl>').format(items)


@dataclass(frozen=True)
class Details:
    """Blocks folded away below a line that says what they are."""

    summary: str
    blocks: tuple[Block, ...]

    def html(self) -> Markup:
        """Return a disclosure element, closed; it needs no JavaScript."""
        return Markup("<details><summary>{}</summary>\n{}\n</details>").format(
            self.summary, join(block.html() for block in self.blocks)
        )


def join(parts: Iterable[Markup]) -> Markup:
    """Join pieces of HTML, one a line."""
    return Markup("\n").join(parts)


def figure(content: Markup, caption: str, *, kind: str) -> Markup:
    """Wrap ``content`` in a figure element of class ``kind`` with its caption below."""
    words = Markup("\n<figcaption>{}</figcaption>").format(caption) if caption else Markup()
    return Markup('<figure class="{}">\n{}{}\n</figure>').format(kind, content, words)
