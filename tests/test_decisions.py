from __future__ import annotations

import csv
import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naturalize.artefact import Artefact
from naturalize.curate import decision_page
from naturalize.curate.clean import curate
from naturalize.curate.decision_card import make_cards
from naturalize.curate.decisions import COLUMNS, Decision, decisions_table, read_decisions
from naturalize.curate.finding import Finding
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest, read_table
from naturalize.errors import InputError
from tests_images import jpeg, write_tree

ODD = ('a/odd, "quoted"\nname.jpg', "b/Größe <b>&amp;.jpg")
FILES = {
    "a/1.jpg": jpeg(1),
    "a/2.jpg": jpeg(2),
    "a/copy of 2.jpg": jpeg(2),
    "a/cut off.jpg": jpeg(3)[:-200],
    "a/text.jpg": b"this is a letter, not a picture",
    "b/1.jpg": jpeg(5),
    "b/also in a.jpg": jpeg(1),
    "b/2.jpg": jpeg(6),
    ODD[0]: jpeg(7),
    "a/copy of odd.jpg": jpeg(7),
    ODD[1]: jpeg(8),
    "b/copy of Größe.jpg": jpeg(8),
}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    home = tmp_path_factory.mktemp("decisions")
    return import_dataset(write_tree(home / "in", FILES), home / "dataset")


@pytest.fixture(scope="module")
def undecided(data: Artefact) -> Artefact:
    return curate(data, data.path.parent / "undecided")


def decide(data: Artefact, home: Path, *rows: str) -> Artefact:
    table = home / "decisions.csv"
    table.write_text("path,decision,label,group,note\n" + "".join(f"{row}\n" for row in rows))
    return curate(data, home / "decided", decisions=table)


def kept(made: Artefact) -> dict[str, tuple[str, str]]:
    return {s.id: (s.label, s.group) for s in Manifest.load(made).samples}


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(words, words, words), max_size=6, unique_by=lambda row: row[0]))
@settings(max_examples=60, deadline=None)
def test_a_table_comes_back_whatever_names_hold(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    decisions = [
        Decision(path=path, decision="group" if group else "keep", group=group, note=note)
        for path, group, note in rows
    ]
    file = tmp_path_factory.mktemp("table") / "decisions.csv"
    file.write_bytes(decisions_table(decisions).encode())
    read = read_decisions(file, paths={d.path for d in decisions}, classes=["a"])
    assert list(read.values()) == decisions


def test_spreadsheets_may_add_a_byte_order_mark_and_their_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    file.write_bytes("\ufeffpath,decision\r\na.jpg,drop\r\n\r\n".encode())
    assert read_decisions(file, paths={"a.jpg"}, classes=["a"]) == {
        "a.jpg": Decision(path="a.jpg", decision="drop")
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("c/9.jpg,keep,,,", r"row 3: .*image of this data set, got c/9\.jpg"),
        ("b/1.jpg,burn,,,", r"row 3: .*keep, drop, relabel, group, got 'burn'"),
        ("b/1.jpg,relabel,z,,", r"row 3: .*classes a, b to relabel to, got 'z'"),
        ("b/1.jpg,relabel,,,", r"row 3: .*classes a, b to relabel to, got ''"),
        ("b/1.jpg,keep,a,,", r"row 3: .*no label beside keep, got 'a'"),
        ("b/1.jpg,drop,,g,", r"row 3: .*no group beside drop, got 'g'"),
        ("b/1.jpg,group,,,", r"row 3: .*the name of a group, got none"),
        ("a/1.jpg,keep,,,", r"row 3: .*each image once, got the one of row 2"),
        ("b/1.jpg,keep", r"row 3: expected 5 cells, got 2"),
        ('b/1.jpg,keep,,,"open', r"a readable CSV file"),
        ("a/cut off.jpg,keep,,,", r"cut off\.jpg: expected drop, since it cannot be used"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(
    data: Artefact, tmp_path: Path, row: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        decide(data, tmp_path, "a/1.jpg,keep,,,", row)
    assert not (tmp_path / "decided").exists()


@pytest.mark.parametrize("text", ["", "name,decision\n", "path;decision\n", "path,decision,by\n"])
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(InputError, match="--decisions"):
        read_decisions(tmp_path / "d.csv", paths=set(), classes=["a"])
    with pytest.raises(InputError, match="readable"):
        read_decisions(tmp_path / "none.csv", paths=set(), classes=["a"])


def test_a_decision_beats_the_preset(data: Artefact, undecided: Artefact, tmp_path: Path) -> None:
    assert {"a/1.jpg", "b/also in a.jpg"}.isdisjoint(kept(undecided))
    made = decide(data, tmp_path, "a/1.jpg,keep,,,mine", "b/1.jpg,drop,,,", "b/2.jpg,relabel,a,,")
    expected = kept(undecided) | {"a/1.jpg": ("a", "a/1.jpg"), "b/2.jpg": ("a", "b/2.jpg")}
    del expected["b/1.jpg"]
    assert kept(made) == expected
    assert made.summary["decisions"] == {"keep": 1, "drop": 1, "relabel": 1}
    findings = "findings.csv"
    assert (made.path / findings).read_text() == (undecided.path / findings).read_text()
    rows = read_table(made.path / "decisions.csv")
    assert (rows[0]["path"], rows[0]["note"]) == ("a/1.jpg", "mine")
    assert made.id != undecided.id


def test_group_joins_images_but_never_parts_copies(data: Artefact, tmp_path: Path) -> None:
    made = decide(data, tmp_path, "b/1.jpg,group,,mine,", "a/2.jpg,group,,mine,")
    groups = {name: group for name, (_, group) in kept(made).items()}
    assert len({groups[name] for name in ("b/1.jpg", "a/2.jpg", "a/copy of 2.jpg")}) == 1
    assert groups["b/2.jpg"] != groups["b/1.jpg"]


def test_group_sets_apart_what_only_looks_alike(tmp_path: Path) -> None:
    noise = decision_page.images.decode(jpeg(9, side=64))
    again = decision_page.images.encode_jpeg(noise, quality=60)
    files = {"a/1.jpg": jpeg(9, side=64), "a/2.jpg": again, "b/1.jpg": jpeg(10, side=64)}
    data = import_dataset(write_tree(tmp_path / "in", files), tmp_path / "dataset")
    found = kept(curate(data, tmp_path / "undecided"))
    assert found["a/1.jpg"] == found["a/2.jpg"] == ("a", "a/1.jpg")
    joined = decide(data, tmp_path, "a/2.jpg,group,,a/1.jpg,found so", "b/1.jpg,group,,a/1.jpg,")
    assert {group for _, group in kept(joined).values()} == {"a/1.jpg"}
    shutil.rmtree(joined.path)
    apart = decide(data, tmp_path, "a/2.jpg,group,,apart,")
    assert kept(apart)["a/2.jpg"] == ("a", "apart")
    assert kept(apart)["a/1.jpg"] == ("a", "a/1.jpg")


def test_cards_propose_what_the_preset_does(data: Artefact) -> None:
    samples = Manifest.load(data).samples
    findings = [
        Finding(kind="focus", path="b/1.jpg", reason="."),
        Finding(kind="duplicate", path="a/copy of 2.jpg", other_path="a/2.jpg", reason="."),
        Finding(kind="label_conflict", path="a/1.jpg", other_path="b/also in a.jpg", reason="."),
    ]
    chosen = {"b/2.jpg": Decision(path="b/2.jpg", decision="relabel", label="a")}
    cards = make_cards(samples, findings, dropping=["label_conflict"], decisions=chosen)
    assert {card.path: (card.now.decision, card.now.group) for card in cards} == {
        "a/copy of 2.jpg": ("group", "a/2.jpg"),
        "a/2.jpg": ("group", "a/2.jpg"),
        "a/1.jpg": ("drop", ""),
        "b/also in a.jpg": ("keep", ""),
        "b/1.jpg": ("keep", ""),
        "b/2.jpg": ("relabel", ""),
    }


def test_the_page_holds_all_it_shows(undecided: Artefact) -> None:
    page = (undecided.path / "curation.html").read_text()
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert addresses
    assert all(a.startswith(("data:image/jpeg;base64,", "#")) for a in addresses)
    named = {row["path"] for row in read_table(undecided.path / "findings.csv")}
    assert {entry["path"] for entry in page_data(page)["images"]} >= named
    assert "<b>&amp;" not in page


def test_a_full_page_says_what_it_leaves_out(
    data: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_page, "MAX_IMAGES", 4)
    monkeypatch.setattr(decision_page, "MAX_PICTURE_BYTES", 0)
    page = (curate(data, tmp_path / "out").path / "curation.html").read_text()
    assert len(page_data(page)["images"]) == 4
    assert "more images are in findings.csv only" in page
    assert "2 images are listed without a picture" in page


def test_a_name_that_is_no_unicode_is_shown_and_locked() -> None:
    finding = Finding(kind="focus", path="a/\udcff.jpg", reason=".")
    (card,) = make_cards([], [finding], dropping=[], decisions={})
    assert card.locked
    assert "a/\\udcff.jpg" in decision_page._Desk((card,), ("",), ("a",)).html()


def page_data(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    found: dict[str, Any] = json.loads(text)
    return found


def browse(page: Path, home: Path, script: str) -> Any:
    """Open a page in a browser, run ``script`` on it and return what its function ``result`` says.

    ``card(path)`` gives the element of an image.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium to open the page with")
    paths = [entry["path"] for entry in page_data(page.read_text())["images"]]
    names = json.dumps(paths).replace("<", "\\u003c")
    tail = f"""<pre id="result"></pre><script>
    const paths = {names};
    const card = (path) => document.getElementById("c" + paths.indexOf(path));
    const pick = (path, value) => card(path).querySelector(`input[value=${{value}}]`).click();
    const type = (path, what, text) => {{
      const field = card(path).querySelector(what);
      field.value = text;
      field.dispatchEvent(new Event("input", {{ bubbles: true }}));
    }};
    const by = (id) => document.getElementById(id);
    const set = (id, value) => {{
      by(id).value = value;
      by(id).dispatchEvent(new Event("input"));
    }};
    const shown = () => paths.filter((path) => !card(path).hidden);
    const result = (() => {{ {script} }})();
    by("result").textContent = JSON.stringify(result);
    </script>"""
    copy = home / "page.html"
    copy.write_text(page.read_text().replace("</body>", tail + "</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={home / 'profile'}", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    (text,) = re.findall(r'<pre id="result">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    return json.loads(html.unescape(text))


def test_choices_in_a_browser_are_honoured(
    data: Artefact, undecided: Artefact, tmp_path: Path
) -> None:
    script = f"""
    const odd = {json.dumps(ODD[0])};
    const before = shown().length;
    by("download").click();
    const nothing = by("csv").value;
    pick("a/1.jpg", "keep");
    pick("b/also in a.jpg", "relabel");
    by("download").click();
    const lacking = by("said").textContent;
    type("b/also in a.jpg", "select.label", "a");
    pick(odd, "drop");
    type(odd, "input.note", 'torn, "half" of it');
    type("a/copy of 2.jpg", "input.group", "mine");
    by("download").click();
    const text = by("csv").value;
    set("by-class", "b");
    const ofB = shown();
    set("by-class", "");
    set("by-kind", "label_conflict");
    const conflicts = shown();
    set("by-kind", "");
    set("by-choice", "changed");
    return {{ before, nothing, lacking, text, ofB, conflicts, changed: shown() }};
    """
    seen = browse(undecided.path / "curation.html", tmp_path, script)
    assert seen["before"] == 10
    assert list(csv.reader(seen["nothing"].splitlines())) == [list(COLUMNS)]
    assert "need a class" in seen["lacking"]
    assert set(seen["ofB"]) == {"b/also in a.jpg", ODD[1], "b/copy of Größe.jpg"}
    assert set(seen["conflicts"]) == {"a/1.jpg", "b/also in a.jpg"}
    assert set(seen["changed"]) == {"a/1.jpg", "b/also in a.jpg", "a/copy of 2.jpg", ODD[0]}
    table = tmp_path / "decisions.csv"
    table.write_bytes(seen["text"].encode())
    paths = {s.id for s in Manifest.load(data).samples}
    assert set(read_decisions(table, paths=paths, classes=["a", "b"]).values()) == {
        Decision(path="a/1.jpg", decision="keep"),
        Decision(path="b/also in a.jpg", decision="relabel", label="a"),
        Decision(path=ODD[0], decision="drop", note='torn, "half" of it'),
        Decision(path="a/copy of 2.jpg", decision="group", group="mine"),
    }
    again = curate(data, tmp_path / "again", decisions=table)
    assert kept(again)["b/also in a.jpg"][0] == "a"
    assert ODD[0] not in kept(again)
    second = tmp_path / "second"
    second.mkdir()
    text = browse(
        again.path / "curation.html", second, 'by("download").click(); return by("csv").value;'
    )
    table.write_bytes(text.encode())
    assert read_decisions(table, paths=paths, classes=["a", "b"]).keys() == {
        "a/1.jpg",
        "b/also in a.jpg",
        "a/copy of 2.jpg",
        ODD[0],
    }


def test_keys_and_buttons_decide_too(undecided: Artefact, tmp_path: Path) -> None:
    script = """
    const press = (key) => document.activeElement.dispatchEvent(
      new KeyboardEvent("keydown", { key, bubbles: true }));
    const first = shown().findIndex((path) => path === "a/1.jpg");
    card("a/1.jpg").querySelector("input:checked").focus();
    press("K");
    const kept = card("a/1.jpg").className;
    press("n");
    press("d");
    const next = document.activeElement.closest(".card").id;
    const second = document.activeElement.closest(".card").className;
    set("by-class", "b");
    document.querySelector("[data-all=drop]").click();
    set("by-class", "");
    set("by-choice", "drop");
    const dropped = shown().length;
    set("by-choice", "");
    document.querySelector('[data-all=""]').click();
    by("download").click();
    return { kept, step: Number(next.slice(1)) - first, second, dropped, text: by("csv").value };
    """
    seen = browse(undecided.path / "curation.html", tmp_path, script)
    assert "keep" in seen["kept"] and "drop" in seen["second"]
    assert seen["step"] == 1
    assert seen["dropped"] >= 5
    assert list(csv.reader(seen["text"].splitlines())) == [list(COLUMNS)]


def test_the_command_line_takes_decisions(data: Artefact, tmp_path: Path) -> None:
    table = tmp_path / "decisions.csv"
    table.write_text("path,decision\nb/1.jpg,drop\n")
    words = [
        sys.executable,
        "-m",
        "naturalize",
        "curate",
        str(data.path),
        "--decisions",
        str(table),
    ]
    done = subprocess.run([*words, "-o", str(tmp_path / "out"), "--json"], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["decisions"] == {"drop": 1}
    table.write_text("path,decision\nb/1.jpg,burn\n")
    done = subprocess.run([*words, "-o", str(tmp_path / "other")], capture_output=True)
    assert done.returncode == 2
    assert b"row 2" in done.stderr
    assert b"Traceback" not in done.stderr
