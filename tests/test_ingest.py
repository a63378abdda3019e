"""Whatever lies in a folder becomes an image or a finding: nothing else, and nothing is lost."""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from typer.testing import CliRunner

from naturalize import images
from naturalize.cli.app import app
from naturalize.curate.clean import curate
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import read_table
from naturalize.errors import ImageError, InputError, NotAnImageError
from tests_images import jpeg, write_tree

RGB = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (20, 30, 3)).astype(np.uint8)
GREY16 = np.arange(600, dtype=np.uint16).reshape(20, 30) * 109


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


PICTURE = Image.fromarray(RGB)


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_formats(format_: str) -> None:
    picture = PICTURE.quantize(16) if format_ == "GIF" else PICTURE
    options = {"lossless": True} if format_ == "WEBP" else {}
    got = images.decode(saved(picture, format_, **options))
    if format_ == "JPEG":
        assert got.shape == RGB.shape
    else:
        np.testing.assert_array_equal(got, np.asarray(picture.convert("RGB")))


HOW = [{}, {"quality": 30}, {"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_proven_files_decode_to_the_same_pixels(mode: str, how: dict[str, int]) -> None:
    data = saved(PICTURE.convert(mode), "JPEG", **how)
    np.testing.assert_array_equal(images.decode(data, proven=True), images.decode(data))


@pytest.mark.parametrize("quality", [1, 50, 75, 95, 100])
@pytest.mark.parametrize(("chroma", "subsampling"), [("4:4:4", 0), ("4:2:0", 2)])
@pytest.mark.parametrize("part", [np.s_[:], np.s_[:1, :1], np.s_[:7, ::-3]])
def test_jpegs_are_those_of_pillow(
    quality: int, chroma: images.Chroma, subsampling: int, part: tuple[slice, ...]
) -> None:
    rgb = RGB[part]
    wanted = saved(Image.fromarray(rgb), "JPEG", quality=quality, subsampling=subsampling)
    assert images.encode_jpeg(rgb, quality=quality, chroma=chroma) == wanted


def test_proven_files_are_turned_upright_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(PICTURE, "JPEG", exif=exif)
    np.testing.assert_array_equal(images.decode(data, proven=True), images.decode(data))
    png = saved(PICTURE, "PNG")
    np.testing.assert_array_equal(images.decode(png, proven=True), RGB)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_few_colours_become_three_channels(mode: str) -> None:
    picture = PICTURE.convert(mode)
    np.testing.assert_array_equal(
        images.decode(saved(picture, "PNG")), np.asarray(picture.convert("RGB"))
    )


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_high_byte(format_: str) -> None:
    got = images.decode(saved(Image.fromarray(GREY16), format_))
    np.testing.assert_array_equal(got, np.repeat((GREY16 // 256)[..., None], 3, axis=2))


def test_colour_of_sixteen_bits_is_scaled_as_grey_is() -> None:
    import cv2

    wide = RGB.astype(np.uint16) * 256 + 77
    _, png = cv2.imencode(".png", wide[..., ::-1])
    np.testing.assert_array_equal(images.decode(png.tobytes()), RGB)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_values_without_a_scale_are_refused(dtype: type) -> None:
    with pytest.raises(ImageError, match="8 or 16 bits a channel"):
        images.decode(saved(Image.fromarray(GREY16.astype(dtype)), "TIFF"))


def test_cmyk_is_converted() -> None:
    got = images.decode(saved(PICTURE.convert("CMYK"), "TIFF"))
    np.testing.assert_array_equal(got, RGB)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_white(mode: str) -> None:
    picture = PICTURE.convert("RGBA")
    picture.putalpha(
        Image.fromarray(np.where(np.arange(30) < 15, 255, 0).astype(np.uint8)[None]).resize(
            (30, 20), Image.Resampling.NEAREST
        )
    )
    got = images.decode(saved(picture.convert(mode), "PNG"))
    assert (got[:, 15:] == 255).all()
    assert not (got[:, :15] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_and_the_header_says_so(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(PICTURE, "PNG", exif=exif)
    turned = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, -1),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB),
    }[orientation]
    np.testing.assert_array_equal(images.decode(data), turned)
    assert images.size(data) == turned.shape[:2]


def test_a_damaged_exif_block_costs_nothing() -> None:
    data = saved(PICTURE, "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense")
    np.testing.assert_array_equal(images.decode(data), RGB)


def test_an_icc_profile_changes_no_value() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    np.testing.assert_array_equal(images.decode(saved(PICTURE, "PNG", icc_profile=profile)), RGB)


@pytest.mark.parametrize("format_", ["GIF", "TIFF", "WEBP", "PNG"])
def test_several_pages_are_refused(format_: str) -> None:
    data = saved(PICTURE, format_, save_all=True, append_images=[PICTURE.rotate(180)])
    for read in (images.decode, images.decode_labels):
        with pytest.raises(ImageError, match="a single picture"):
            read(data)


def test_a_jpeg_with_a_preview_is_its_first_picture() -> None:
    data = saved(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(180)], quality=95)
    first = images.decode(saved(PICTURE, "JPEG", quality=95))
    np.testing.assert_array_equal(images.decode(data), first)


@pytest.mark.parametrize("read", [images.size, images.decode])
@pytest.mark.parametrize("side", [9_000, 20_000])
def test_too_many_pixels_are_refused_from_the_header(read: object, side: int) -> None:
    assert callable(read)
    data = saved(Image.new("1", (side, side)), "PNG")
    with pytest.raises(ImageError, match="at most 64,000,000 pixels"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"P6 1 1 255 abc"],
    ids=["empty", "text", "postscript", "portable pixmap"],
)
def test_other_files_are_no_images(data: bytes) -> None:
    with pytest.raises(NotAnImageError):
        images.decode(data)


SEEDS = {
    "jpeg": saved(PICTURE, "JPEG"),
    "progressive": saved(PICTURE, "JPEG", progressive=True),
    "png": saved(PICTURE, "PNG"),
    "palette": saved(PICTURE.convert("P"), "PNG", transparency=3),
    "tiff": saved(PICTURE, "TIFF"),
    "tiff16": saved(Image.fromarray(GREY16), "TIFF", compression="tiff_lzw"),
    "bmp": saved(PICTURE, "BMP"),
    "gif": saved(PICTURE, "GIF"),
    "webp": saved(PICTURE, "WEBP"),
    "pages": saved(PICTURE, "TIFF", save_all=True, append_images=[PICTURE]),
}
EDIT = st.tuples(st.sampled_from(["flip", "cut", "insert"]), st.integers(0), st.binary(max_size=6))


def mutated(data: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    changed = bytearray(data)
    for how, where, what in edits:
        at = where % (len(changed) + 1)
        if how == "cut":
            del changed[at:]
        elif how == "insert":
            changed[at:at] = what
        else:
            changed[at : at + len(what)] = what
    return bytes(changed)


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits=st.lists(EDIT, min_size=1, max_size=4))
def test_damaged_files_give_an_image_or_an_image_error(
    kind: str, edits: list[tuple[str, int, bytes]]
) -> None:
    data = mutated(SEEDS[kind], edits)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            rgb = images.decode(data)
        except ImageError:
            return
        assert rgb.dtype == np.uint8
        assert images.size(data) == rgb.shape[:2]
        assert rgb.shape[2:] == (3,)


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "bmp", "webp"])
def test_a_file_cut_off_half_way_is_no_image(kind: str) -> None:
    data = SEEDS[kind]
    with pytest.raises(ImageError):
        images.decode(data[: len(data) // 2])


ODD = {
    "a/1.jpg": jpeg(1),
    "a/a png.jpg": saved(PICTURE, "PNG"),
    "a/no suffix": jpeg(2),
    "a/line\nbreak.jpg": jpeg(3),
    "a/größe 中.jpg": jpeg(4),
    "a/[/red].jpg": jpeg(5),
    "b/1.jpg": jpeg(6),
    "b/grey.png": saved(PICTURE.convert("L"), "PNG"),
    "b/one pixel.png": saved(Image.new("RGB", (1, 1)), "PNG"),
    "b/huge.png": saved(Image.new("1", (20_000, 20_000)), "PNG"),
    "b/pages.tif": SEEDS["pages"],
    "b/empty.jpg": b"",
    "b/cut.jpg": jpeg(7)[:-500],
    "b/letter.doc": b"Dear colleague",
    "beside.jpg": jpeg(8),
}
USABLE = {name for name in ODD if name.startswith("a/")} | {"b/1.jpg", "b/grey.png"}


def outcome(source: Path, home: Path) -> tuple[Counter[str], set[str]]:
    """Import and curate, and return what became of every path: kinds counted, samples kept."""
    dataset = import_dataset(source, home / "dataset")
    curated = curate(dataset, home / "curated")
    findings = read_table(curated.path / "findings.csv")
    kinds = Counter(row["kind"] for row in read_table(dataset.path / "set_aside.csv"))
    kinds += Counter(row["kind"] for row in findings if row["kind"] == "unreadable")
    return kinds, {row["id"] for row in read_table(curated.path / "samples.csv")}


def test_every_file_of_a_folder_is_accounted_for(tmp_path: Path) -> None:
    kinds, kept = outcome(write_tree(tmp_path / "in", ODD), tmp_path)
    assert kept == USABLE
    assert kinds == {"not_an_image": 2, "unlabelled": 1, "unreadable": 4}
    assert kinds.total() + len(kept) == len(ODD)


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes are Linux's")
def test_names_no_one_can_decode(tmp_path: Path) -> None:
    odd = os.fsdecode(b"b/\xff\xfe.jpg")
    _, kept = outcome(write_tree(tmp_path / "in", {"a/1.jpg": jpeg(1), odd: jpeg(2)}), tmp_path)
    assert kept == {"a/1.jpg", odd}


def test_links_that_go_round_or_nowhere_are_set_aside(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", {"a/1.jpg": jpeg(1), "b/1.jpg": jpeg(2)})
    (source / "a" / "loop").symlink_to(source)
    (source / "a" / "nowhere.jpg").symlink_to(source / "gone")
    (source / "a" / "itself.jpg").symlink_to(source / "a" / "itself.jpg")
    (source / "a" / "same.jpg").symlink_to(source / "a" / "1.jpg")
    made = import_dataset(source, tmp_path / "out")
    assert made.summary["counts"] == {"a": 2, "b": 1}
    assert made.summary["set_aside"] == {"not_an_image": 1, "unreadable": 2}


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(5, "I/O error")])
def test_files_that_fail_while_read_are_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    source = write_tree(tmp_path / "in", {f"{c}/{i}.jpg": jpeg(i) for c in "ab" for i in (1, 2)})
    honest = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path.name == "2.jpg":
            raise error
        return honest(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    made = import_dataset(source, tmp_path / "out")
    assert made.summary["set_aside"] == {"unreadable": 2}
    assert {row["reason"] for row in read_table(made.path / "set_aside.csv")} == {error.strerror}


def test_a_folder_that_cannot_be_opened_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_tree(tmp_path / "in", {f"{c}/1.jpg": jpeg(ord(c)) for c in "abc"})
    honest = os.scandir

    def denied(path: object) -> object:
        if path == str(source / "b"):
            raise PermissionError(13, "denied", path)
        return honest(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", denied)
    made = import_dataset(source, tmp_path / "out")
    assert made.summary["counts"] == {"a": 1, "c": 1}
    assert made.summary["set_aside"] == {"unreadable": 1}


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_is_not_the_current_folder(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_tree(tmp_path / "in", {"a/1.jpg": jpeg(1), "b/1.jpg": jpeg(2)}))
    done = CliRunner().invoke(app, ["import", empty, "-o", str(tmp_path / "out")])
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes are Linux's")
def test_classes_whose_name_cannot_be_printed_are_set_aside(tmp_path: Path) -> None:
    labels = ["[red]", "中", "line\nbreak", os.fsdecode(b"\xff")]
    source = write_tree(tmp_path / "in", {f"{c}/1.jpg": jpeg(i) for i, c in enumerate(labels)})
    done = CliRunner().invoke(app, ["import", str(source), "-o", str(tmp_path / "out"), "--json"])
    summary = json.loads(done.stdout)["summary"]
    assert summary["classes"] == ["[red]", "中"]
    assert summary["set_aside"] == {"unlabelled": 2}
