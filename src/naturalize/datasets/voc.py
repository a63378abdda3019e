"""Pascal VOC annotations: one XML file an image (Everingham et al. 2010, IJCV 88)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from naturalize.datasets.field_of_view import FieldOfView, LabelledBox
from naturalize.datasets.file_tree import SetAside, read_regular
from naturalize.errors import InputError
from naturalize.geometry import Box


def read_voc(root: Path, names: Sequence[str]) -> tuple[list[FieldOfView], list[SetAside]]:
    """Return the fields of view the XML files below ``root`` describe, and what was set aside.

    An image is found by the annotation's ``filename`` or by the XML file's own name, wherever it
    lies below ``root``. Corners count from 1 and lie inside the box, as VOC has it.
    """
    images = _by_name(names)
    fields: list[FieldOfView] = []
    aside: list[SetAside] = []
    for name in names:
        if not name.lower().endswith(".xml"):
            continue
        try:
            annotation = _parse(root / name)
            image = _image_of(annotation, name, images)
            fields.append(FieldOfView(image, _boxes(annotation)))
        except (ElementTree.ParseError, ValueError, OverflowError, OSError, LookupError) as error:
            aside.append((name, "unreadable", f"not a VOC annotation: {error}"))
    if not fields:
        got = aside[0][2] if aside else "no XML file"
        raise InputError(f"source {root}", "Pascal VOC annotations and their images", got)
    return fields, aside


def _parse(file: Path) -> ElementTree.Element:
    """Parse an annotation; a document with its own entities is refused, they can burst."""
    data, refused = read_regular(file)
    if refused or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError(refused or "it declares entities")
    root = ElementTree.fromstring(data)
    if root.tag != "annotation":
        raise ValueError(f"its root element is {root.tag!r}")
    return root


def _by_name(names: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the files that are no XML by file name and by stem."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() != ".xml":
            found[path.name].append(name)
            found[path.stem].append(name)
    return found


def _image_of(
    annotation: ElementTree.Element, name: str, images: Mapping[str, Sequence[str]]
) -> str:
    given = PurePosixPath(annotation.findtext("filename") or "").name
    for key in (given, PurePosixPath(given).stem, PurePosixPath(name).stem):
        found = images.get(key, ())
        if len(found) == 1:
            return found[0]
        if found:
            raise LookupError(f"several images are called {key}")
    raise LookupError(f"no image is called {given or PurePosixPath(name).stem}")


def _boxes(annotation: ElementTree.Element) -> tuple[LabelledBox, ...]:
    return tuple(_box(element) for element in annotation.iter("object"))


def _box(element: ElementTree.Element) -> LabelledBox:
    corners = []
    for key in ("ymin", "xmin", "ymax", "xmax"):
        text = element.findtext(f"bndbox/{key}")
        if text is None:
            raise ValueError(f"a box without {key}")
        corners.append(round(float(text)))
    top, left, bottom, right = corners
    box = Box(top - 1, left - 1, bottom - top + 1, right - left + 1)
    doubts = tuple(key for key in ("difficult", "truncated") if element.findtext(key) == "1")
    return LabelledBox((element.findtext("name") or "").strip(), box, doubts)
