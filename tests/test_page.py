"""The page escapes what it is given, needs nothing from outside, and shows the numbers."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from naturalize import images
from naturalize.errors import ImageError, InputError
from naturalize.page.block import Callout, Details, KeyFigure, KeyFigures, Prose
from naturalize.page.cards import Card, SortableCards
from naturalize.page.confusion_figure import confusion_figure
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.figure import Figure
from naturalize.page.grouped_bars import grouped_bars
from naturalize.page.interval_plot import interval_plot
from naturalize.page.line_plot import lines
from naturalize.page.page import Section, render_page
from naturalize.page.svg import Axis
from naturalize.page.table import Table

EVIL = "<script>alert('x')</script> & \"quoted\" {{ 7 * 7 }}"
INTERVAL = SimpleNamespace(value=0.9, low=0.85, high=0.93)
VOID = {"meta", "link", "br", "img", "hr", "input", "line", "rect", "circle", "polyline"}


def picture(height: int = 40, width: int = 60) -> images.Rgb:
    """A smooth ramp, so that JPEG keeps it closely."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 3, columns * 2, rows + columns], axis=-1).astype(np.uint8)


def drawings(words: str) -> list[Markup]:
    """One of each drawing, with ``words`` in every text it takes."""
    return [
        interval_plot([(words, INTERVAL)], title=words, x_label=words, reference=0),
        grouped_bars([words], {words: [3], f"{words}2": [4.5]}, title=words, x_label=words),
        confusion_figure([[3, 1], [0, 0]], [words, f"{words}2"], title=words),
        lines({words: [(0, 1), (1, 2)], f"{words}2": [(0, 1)]}, words, words, title=words),
    ]


def page(words: str) -> str:
    """A page with every kind of block, with ``words`` in every text field."""
    blocks = (
        Prose(words),
        Callout(words, "warning", words),
        KeyFigures((KeyFigure(words, words, words),)),
        Table([words, "n"], [[words, 1]], caption=words, numeric=[1]),
        *(Figure(drawing, words) for drawing in drawings(words)),
        Figure(picture(), words, alt=words),
        ContactSheet([Tile(picture(), words, "bad"), Tile(images.encode_png(picture()))], words),
        Details(words, (Prose(words),)),
    )
    section = Section(words, blocks, lead=words)
    return render_page(words, [section, section], subtitle=words, footer=words)


class Tags(HTMLParser):
    """Collects elements and text, and checks that every element is closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"repeated attribute in {tag}"
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def embedded(html: str) -> list[images.Rgb]:
    """The images a piece of HTML holds."""
    sources = [attributes["src"] or "" for attributes in Tags(html).all("img")]
    prefix = "data:image/jpeg;base64,"
    assert all(source.startswith(prefix) for source in sources)
    return [images.decode(base64.b64decode(source[len(prefix) :])) for source in sources]


class TestPage:
    def test_all_text_is_escaped(self) -> None:
        tags = Tags(page(EVIL))
        assert not tags.all("script")
        # Harmless words of the same length give the same elements: no text became markup.
        harmless = Tags(page(re.sub(r"[<>&'\"]", "x", EVIL)))
        assert [tag for tag, _ in tags.found] == [tag for tag, _ in harmless.found]
        assert "{{ 7 * 7 }}" in tags.text
        quoted = {a["alt"] for a in tags.all("img")}
        assert EVIL in quoted

    def test_every_element_is_closed(self) -> None:
        assert Tags(page("word")).open == []

    def test_it_needs_nothing_from_outside(self) -> None:
        html = page("word")
        text = html.replace("http://www.w3.org/2000/svg", "")
        text = re.sub(r"data:image/jpeg;base64,[\w+/=]+", "", text)
        assert not re.search(r"https?:|//\w|url\(|@import", text)
        tags = Tags(html)
        assert not tags.all("link")
        targets = [a.get("href") or "" for a in tags.all("a")]
        assert targets
        assert all(target.startswith("#") for target in targets)

    def test_contents_lead_to_sections(self) -> None:
        tags = Tags(render_page("t", [Section("Same", ()), Section("Same", ()), Section("É?", ())]))
        anchors = [f"#{attributes['id']}" for attributes in tags.all("section")]
        assert len(set(anchors)) == 3
        assert [attributes["href"] for attributes in tags.all("a")] == anchors

    def test_every_image_has_an_alternative_text(self) -> None:
        alternatives = [attributes.get("alt") for attributes in Tags(page("word")).all("img")]
        assert len(alternatives) == 6
        assert all(alternatives)

    def test_the_same_page_twice_is_the_same_text(self) -> None:
        assert page("word") == page("word")

    def test_a_page_without_sections_is_a_page(self) -> None:
        assert Tags(render_page("Empty", [])).open == []


class TestTable:
    def test_numbers_are_written_and_aligned(self) -> None:
        html = Table(["a", "n"], [["x", 1234567], ["y", 0.25]], numeric=[1]).html()
        assert "1,234,567" in html
        assert "0.250" in html
        cells = Tags(html).all("td")
        assert [cell.get("class") for cell in cells] == ["numeric", "numeric"]

    @pytest.mark.parametrize(
        ("rows", "numeric"), [([["a"]], ()), ([["a", "b", "c"]], ()), ([["a", "b"]], (2,))]
    )
    def test_misfits_are_refused(self, rows: list[list[str]], numeric: tuple[int, ...]) -> None:
        with pytest.raises(InputError):
            Table(["one", "two"], rows, numeric=numeric)


class TestPictures:
    def test_images_come_back(self) -> None:
        sheet = ContactSheet([Tile(picture()), Tile(images.encode_png(picture()))], tile_px=120)
        found = embedded(sheet.html())
        assert len(found) == 2
        for image in found:
            difference = np.abs(image.astype(int) - picture().astype(int))
            assert difference.mean() < 2

    def test_large_images_are_stored_small_and_keep_their_shape(self) -> None:
        html = ContactSheet([Tile(np.zeros((600, 900, 3), np.uint8))], tile_px=60).html()
        (image,) = embedded(html)
        assert image.shape == (80, 120, 3)
        (attributes,) = Tags(html).all("img")
        assert (attributes["width"], attributes["height"]) == ("60", "40")

    def test_tones_do_not_rely_on_colour(self) -> None:
        sheets = [
            Tags(ContactSheet([Tile(picture(), "cell", tone)]).html()).text
            for tone in ("plain", "good", "warning", "bad")
        ]
        assert len(set(sheets)) == 4

    def test_bytes_that_are_no_image_are_refused(self) -> None:
        with pytest.raises(ImageError):
            Figure(b"no image").html()


class TestDrawings:
    @pytest.mark.parametrize("index", range(4))
    def test_drawings_are_xml_with_a_name_and_room_for_their_parts(self, index: int) -> None:
        root = ElementTree.fromstring(drawings("a rather long label")[index])
        space = "{http://www.w3.org/2000/svg}"
        assert root.findtext(f"{space}title") == "a rather long label"
        assert root.findtext(f"{space}desc")
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for part in root.iter():
            for name, limit in (("x", width), ("x1", width), ("x2", width), ("cx", width)):
                assert 0 <= float(part.get(name, 0)) <= limit
            for name in ("y", "y1", "y2", "cy"):
                assert 0 <= float(part.get(name, 0)) <= height
            if part.tag == f"{space}text":
                assert float(part.get("font-size", 14)) >= 9

    def test_intervals_are_drawn_to_scale(self) -> None:
        rows = [("a", SimpleNamespace(value=1.0, low=0.0, high=2.0))]
        root = ElementTree.fromstring(interval_plot(rows, title="t"))
        (dot,) = root.iter("{http://www.w3.org/2000/svg}circle")
        whisker = next(
            part
            for part in root.iter("{http://www.w3.org/2000/svg}line")
            if part.get("y1") == part.get("y2")
        )
        ends = [float(whisker.attrib[name]) for name in ("x1", "x2")]
        assert float(dot.attrib["cx"]) == pytest.approx(sum(ends) / 2, abs=0.1)
        assert "1.000 [0.000, 2.000]" in interval_plot(rows, title="t")

    def test_differences_carry_signs(self) -> None:
        gain = SimpleNamespace(value=0.01, low=-0.02, high=0.04)
        assert "+0.010 [−0.020, +0.040]" in interval_plot([("b", gain)], title="t", reference=0)

    def test_bars_are_as_long_as_their_values(self) -> None:
        root = ElementTree.fromstring(grouped_bars(["a", "b"], {"n": [100, 300]}, title="t"))
        short, long = (
            float(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")
        )
        assert long / short == pytest.approx(3, rel=0.01)

    def test_the_confusion_figure_shows_counts_and_recall(self) -> None:
        drawing = confusion_figure([[1200, 300], [0, 0]], ["BA", "EO"], title="t")
        words = Tags(drawing).text
        for expected in ("1,200", "300", "80.0%", "no samples"):
            assert expected in words

    def test_many_long_class_names_make_the_drawing_wider(self) -> None:
        names = [f"segmented neutrophil {i}" for i in range(30)]
        root = ElementTree.fromstring(
            confusion_figure(np.eye(30, dtype=np.int64), names, title="t")
        )
        assert float(root.attrib["viewBox"].split()[2]) > 1400

    def test_constant_values_can_be_drawn(self) -> None:
        flat = SimpleNamespace(value=0.0, low=0.0, high=0.0)
        assert "<svg" in interval_plot([("a", flat)], title="t", reference=0)
        assert "<svg" in lines({"a": [(1, 5)]}, "x", "y", title="t")
        assert "<svg" in grouped_bars(["a"], {"n": [0]}, title="t")

    @pytest.mark.parametrize(
        ("low", "high"), [(0, 1), (-3, 17), (0.8912, 0.8937), (0, 25_000), (-1e-4, 2e-4)]
    )
    def test_ticks_are_few_round_and_written_in_full(self, low: float, high: float) -> None:
        axis = Axis(low, high, 0, 600)
        ticks = axis.ticks()
        assert 2 <= len(ticks) <= 8
        assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
        written = [float(axis.label(t).replace("−", "-").replace(",", "")) for t in ticks]
        assert written == pytest.approx(ticks)

    def test_senseless_drawings_are_refused(self) -> None:
        with pytest.raises(InputError):
            interval_plot([], title="t")
        with pytest.raises(InputError):
            grouped_bars(["a"], {"n": [1, 2]}, title="t")
        with pytest.raises(InputError):
            grouped_bars(["a"], {"n": [-1]}, title="t")
        with pytest.raises(InputError):
            grouped_bars([], {"n": []}, title="t")
        with pytest.raises(InputError):
            grouped_bars(["a"], {}, title="t")
        with pytest.raises(InputError):
            confusion_figure([[1]], ["a", "b"], title="t")
        with pytest.raises(InputError):
            lines({"a": [(0, float("nan"))]}, "x", "y", title="t")
        with pytest.raises(InputError):
            lines({"a": []}, "x", "y", title="t")


def test_cards_stand_in_every_order_and_need_no_script() -> None:
    cards = [Card(name, [], {"p": name}, ["look"] if name == "b" else []) for name in "abc"]
    block = SortableCards(cards, {"given": [0, 0, 0], "by <p>": [0.5, None, 0.1]})
    html = str(block.html())
    assert [line for line in html.splitlines() if line.startswith("<li")] == [
        '<li style="--o0:0;--o1:1">',
        '<li style="--o0:1;--o1:2">',
        '<li style="--o0:2;--o1:0">',
    ]
    assert html.count(" checked") == 1
    assert "by &lt;p&gt;" in html
    assert html.count('class="remark"') == 1
    with pytest.raises(InputError, match="3 numbers"):
        SortableCards(cards, {"given": [0]})
