from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.cli.app import app
from naturalize.datasets.crops import CropPlan, window
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest, read_sample, read_table
from naturalize.errors import InputError
from naturalize.geometry import Box
from tests_images import write_tree

BOXES = {
    "one": [("WBC", Box(20, 30, 20, 24)), ("RBC", Box(60, 70, 12, 10)), ("RBC", Box(0, 5, 9, 9))],
    "two": [("RBC", Box(40, 50, 10, 10)), ("WBC", Box(70, 100, 22, 20))],
}
SHAPE = (100, 130)


def field(number: int) -> images.Rgb:
    rng = np.random.Generator(np.random.PCG64(number))
    return rng.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)


PIXELS = {name: field(i) for i, name in enumerate(BOXES)}


def voc(name: str, *, flags: str = "", filename: str = "") -> bytes:
    objects = "".join(
        f"<object><name>{label}</name>{flags}<bndbox><xmin>{box.left + 1}</xmin>"
        f"<ymin>{box.top + 1}</ymin><xmax>{box.right}</xmax><ymax>{box.bottom}</ymax>"
        "</bndbox></object>"
        for label, box in BOXES[name]
    )
    file = f"<filename>{filename or f'{name}.png'}</filename>"
    return f"<annotation>{file}{objects}</annotation>".encode()


def write_voc(root: Path) -> Path:
    files = {f"Annotations/{name}.xml": voc(name) for name in BOXES}
    files |= {f"JPEGImages/{name}.png": images.encode_png(PIXELS[name]) for name in BOXES}
    return write_tree(root, files)


def coco(folder: str = "") -> dict[str, list[dict[str, object]]]:
    names = list(BOXES)
    return {
        "images": [{"id": i, "file_name": f"{folder}{name}.png"} for i, name in enumerate(names)],
        "categories": [{"id": 1, "name": "RBC"}, {"id": 7, "name": "WBC"}],
        "annotations": [
            {
                "image_id": names.index(name),
                "category_id": 7 if label == "WBC" else 1,
                "bbox": [box.left, box.top, box.width, box.height],
            }
            for name, boxes in BOXES.items()
            for label, box in boxes
        ],
    }


def write_coco(root: Path) -> Path:
    files = {"annotations/all.json": json.dumps(coco()).encode()}
    files |= {f"train/{name}.png": images.encode_png(PIXELS[name]) for name in BOXES}
    return write_tree(root, files)


def crops_of(made: Artefact) -> dict[tuple[str, str], list[images.Rgb]]:
    """Return the pixels of all crops by field and label."""
    manifest = Manifest.load(made)
    found: dict[tuple[str, str], list[images.Rgb]] = {}
    for sample in manifest.samples:
        key = (Path(sample.group).stem, sample.label)
        found.setdefault(key, []).append(read_sample(manifest.root, sample))
    return found


@pytest.mark.parametrize(("layout", "write"), [("voc", write_voc), ("coco", write_coco)])
def test_crops_are_the_boxes_of_the_field_with_their_margin(
    layout: str, write: object, tmp_path: Path
) -> None:
    assert callable(write)
    plan = CropPlan(margin_px=3)
    made = import_dataset(write(tmp_path / "in"), tmp_path / "out", layout=layout, crops=plan)
    assert made.summary["counts"] == {"RBC": 2, "WBC": 2}
    assert made.summary["set_aside"] == {"at_border": 1}
    crops = crops_of(made)
    for name, boxes in BOXES.items():
        for label, box in boxes:
            if box.top:
                (crop,) = crops[name, label]
                np.testing.assert_array_equal(crop, PIXELS[name][box.grown(3).slices])


@pytest.mark.parametrize(("layout", "write"), [("voc", write_voc), ("coco", write_coco)])
def test_a_field_is_one_group_and_every_crop_tells_its_box(
    layout: str, write: object, tmp_path: Path
) -> None:
    assert callable(write)
    made = import_dataset(write(tmp_path / "in"), tmp_path / "out", layout=layout, crops=CropPlan())
    samples = Manifest.load(made).samples
    assert len({sample.group for sample in samples}) == 2
    rows = {row["id"]: row for row in read_table(made.path / "crops.csv")}
    assert set(rows) == {sample.id for sample in samples}
    for sample in samples:
        row = rows[sample.id]
        assert (row["field"], row["label"]) == (sample.group, sample.label)
        box = Box(*(int(row[key]) for key in ("top", "left", "height", "width")))
        assert (sample.label, box) in BOXES[Path(sample.group).stem]


def test_a_size_gives_squares_of_real_pixels(tmp_path: Path) -> None:
    plan = CropPlan(size_px=40, margin_px=2, border=True, labels=("WBC", "RBC"))
    made = import_dataset(write_voc(tmp_path / "in"), tmp_path / "out", layout="voc", crops=plan)
    assert made.summary["counts"] == {"RBC": 3, "WBC": 2}
    for (name, _), crops in crops_of(made).items():
        for crop in crops:
            assert crop.shape == (40, 40, 3)
            windows = np.lib.stride_tricks.sliding_window_view(PIXELS[name], (40, 40, 3))
            assert (windows[:, :, 0, 0, 0, 0] == crop[0, 0, 0]).any()
            places = np.argwhere((windows[:, :, 0, 0, 0] == crop[0, 0]).all(axis=-1))
            assert any((windows[r, c, 0] == crop).all() for r, c in places)


@pytest.mark.parametrize("top", range(0, 100, 9))
@pytest.mark.parametrize("size", [None, 30])
def test_a_window_lies_in_the_field_and_holds_the_box(top: int, size: int | None) -> None:
    box = Box(top, 95, 12, 20)
    cut, kind = window(box, CropPlan(size, 4, border=True), *SHAPE)
    assert cut is not None
    assert kind == ""
    assert cut.clipped(*SHAPE) == cut
    inside = box.clipped(*SHAPE)
    assert cut.top <= inside.top < inside.bottom <= cut.bottom
    assert cut.left <= inside.left < inside.right <= cut.right
    assert size is None or (cut.height, cut.width) == (size, size)


@pytest.mark.parametrize(
    ("box", "plan", "kind"),
    [
        (Box(200, 200, 5, 5), CropPlan(), "empty_box"),
        (Box(20, 20, -3, 5), CropPlan(), "empty_box"),
        (Box(0, 20, 9, 9), CropPlan(), "at_border"),
        (Box(20, 121, 9, 9), CropPlan(), "at_border"),
        (Box(20, 20, 25, 9), CropPlan(30, 4), "too_large"),
        (Box(20, 20, 9, 9), CropPlan(101, 4), "too_large"),
    ],
)
def test_boxes_that_are_not_cut(box: Box, plan: CropPlan, kind: str) -> None:
    assert window(box, plan, *SHAPE) == (None, kind)


def test_voc_finds_images_by_the_name_of_the_annotation_too(tmp_path: Path) -> None:
    files = {f"{name}.xml": voc(name, filename="C:\\old\\else.jpg") for name in BOXES}
    files |= {f"{name}.png": images.encode_png(PIXELS[name]) for name in BOXES}
    made = import_dataset(
        write_tree(tmp_path / "in", files), tmp_path / "out", layout="voc", crops=CropPlan()
    )
    assert made.summary["counts"] == {"RBC": 2, "WBC": 2}


def test_doubtful_objects_and_bare_fields_are_set_aside(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "in")
    difficult = voc("two", flags="<difficult>1</difficult>")
    entity = b'<!DOCTYPE a [<!ENTITY x "xxxx">]><annotation>&x;</annotation>'
    write_tree(
        source,
        {
            "Annotations/two.xml": difficult,
            "Annotations/bomb.xml": entity,
            "Annotations/half.xml": voc("one")[:-20],
            "Annotations/other.xml": b"<svg/>",
            "Annotations/alone.xml": voc("one", filename="alone.png"),
            "JPEGImages/bare.png": images.encode_png(PIXELS["one"]),
        },
    )
    made = import_dataset(source, tmp_path / "out", layout="voc", crops=CropPlan())
    assert made.summary["counts"] == {"RBC": 1, "WBC": 1}
    assert made.summary["set_aside"] == {
        "unreadable": 4,
        "unlabelled": 1,
        "at_border": 1,
        "doubtful": 2,
    }


def test_fields_that_cannot_be_decoded_are_set_aside(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "in")
    whole = images.encode_png(PIXELS["two"])
    (source / "JPEGImages/two.png").write_bytes(whole[: len(whole) // 2])
    made = import_dataset(source, tmp_path / "out", layout="voc", crops=CropPlan())
    rows = read_table(made.path / "set_aside.csv")
    assert ("JPEGImages/two.png", "unreadable") in [(row["path"], row["kind"]) for row in rows]


@pytest.mark.parametrize("folder", ["", "train/", "../train/"])
def test_coco_paths(folder: str, tmp_path: Path) -> None:
    source = write_coco(tmp_path / "in")
    (source / "annotations/all.json").write_text(json.dumps(coco(folder)))
    plan = CropPlan()
    if folder == "../train/":
        with pytest.raises(InputError, match="COCO annotations and their images"):
            import_dataset(source, tmp_path / "out", layout="coco", crops=plan)
    else:
        made = import_dataset(source, tmp_path / "out", layout="coco", crops=plan)
        assert made.summary["counts"] == {"RBC": 2, "WBC": 2}


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        "3",
        '{"images": [], "annotations": []}',
        '{"images": 3, "annotations": [], "categories": []}',
        '{"images": [{"id": 1}], "annotations": [], "categories": []}',
        '{"images": [], "annotations": [{"image_id": 1, "category_id": 9}], "categories": []}',
        '{"images": [], "annotations": [{"image_id": 1, "category_id": 1, '
        '"bbox": [1, 2, NaN, 3]}], "categories": [{"id": 1, "name": "x"}]}',
        "[" * 100_000,
    ],
)
def test_json_that_is_no_coco_is_explained(content: str, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", {"all.json": content.encode()})
    with pytest.raises(InputError, match="COCO annotations and their images, got"):
        import_dataset(source, tmp_path / "out", layout="coco", crops=CropPlan())


def test_crowds_are_set_aside(tmp_path: Path) -> None:
    source = write_coco(tmp_path / "in")
    content = coco()
    content["annotations"][3]["iscrowd"] = 1
    (source / "annotations/all.json").write_text(json.dumps(content))
    made = import_dataset(source, tmp_path / "out", layout="coco", crops=CropPlan())
    assert made.summary["set_aside"] == {"at_border": 1, "doubtful": 1}


def test_a_zip_of_fields_gives_the_same_crops(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for file in sorted(source.rglob("*.*")):
            archive.write(file, f"BCCD/{file.relative_to(source).as_posix()}")
    both = [
        import_dataset(tmp_path / name, tmp_path / f"out {name}", layout="voc", crops=CropPlan())
        for name in ("in", "in.zip")
    ]
    assert Manifest.load(both[0]).samples == Manifest.load(both[1]).samples


def test_crops_and_layouts_that_do_not_go_together(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "in")
    with pytest.raises(InputError, match=r"or --crops too, .* got voc"):
        import_dataset(source, tmp_path / "out", layout="voc")
    with pytest.raises(InputError, match="--crops: expected --as voc or coco, got folder"):
        import_dataset(source, tmp_path / "out", layout="folder", crops=CropPlan())
    with pytest.raises(InputError, match="--size"):
        CropPlan(size_px=0)
    with pytest.raises(InputError, match="--margin"):
        CropPlan(margin_px=-1)


def test_the_command(tmp_path: Path) -> None:
    source = write_voc(tmp_path / "in")
    words = ["import", str(source), "--as", "voc", "--crops", "--size", "40", "--margin", "2"]
    words += ["--classes", "WBC, RBC", "--border", "-o", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, words)
    assert json.loads(done.stdout)["summary"]["counts"] == {"RBC": 3, "WBC": 2}


def test_real_fields_of_view(shared_data: Path, tmp_path: Path) -> None:
    plan = CropPlan(size_px=250, labels=("WBC", "Platelets"))
    made = import_dataset(shared_data / "BCCD", tmp_path / "out", layout="voc", crops=plan)
    aside = Counter(made.summary["set_aside"])
    assert made.summary["counts"].keys() == {"WBC", "Platelets"}
    # 301 WBC and 292 platelets are annotated; each becomes a crop or is set aside
    told = aside["at_border"] + aside["too_large"] + aside["doubtful"] + aside["empty_box"]
    assert sum(made.summary["counts"].values()) + told == 301 + 292
    assert aside["at_border"] == 83 + 30
