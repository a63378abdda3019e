from __future__ import annotations

import csv
from pathlib import Path

import pytest

from naturalize.curate.clean import curate
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest
from tests_images import jpeg, write_tree

FILES = {
    "a/1.jpg": jpeg(1),
    "a/2.jpg": jpeg(2),
    "a/copy of 2.jpg": jpeg(2),
    "a/cut off.jpg": jpeg(3)[:-200],
    "a/text.jpg": b"this is a letter, not a picture",
    "a/tiny.png": jpeg(4, side=8),
    "b/1.jpg": jpeg(5),
    "b/also in a.jpg": jpeg(1),
    "b/empty.jpg": b"",
}


@pytest.fixture
def findings(tmp_path: Path) -> list[dict[str, str]]:
    dataset = import_dataset(write_tree(tmp_path / "in", FILES), tmp_path / "dataset")
    made = curate(dataset, tmp_path / "out")
    with (made.path / "findings.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def of(findings: list[dict[str, str]], kind: str) -> list[str]:
    return sorted(row["path"] for row in findings if row["kind"] == kind)


def test_each_kind_of_finding(findings: list[dict[str, str]]) -> None:
    assert of(findings, "not_an_image") == ["a/text.jpg", "b/empty.jpg"]
    assert of(findings, "unreadable") == ["a/cut off.jpg", "a/tiny.png"]
    assert of(findings, "label_conflict") == ["a/1.jpg", "b/also in a.jpg"]
    assert of(findings, "duplicate") == ["a/copy of 2.jpg", "b/also in a.jpg"]
    assert all(row["reason"] for row in findings)


def test_columns_are_those_scripts_rely_on(findings: list[dict[str, str]]) -> None:
    assert list(findings[0]) == ["kind", "path", "other_path", "value", "reason"]


def test_what_cannot_be_used_goes_and_copies_share_a_group(tmp_path: Path) -> None:
    dataset = import_dataset(write_tree(tmp_path / "in", FILES), tmp_path / "dataset")
    kept = Manifest.load(curate(dataset, tmp_path / "out")).samples
    assert [sample.id for sample in kept] == ["a/2.jpg", "a/copy of 2.jpg", "b/1.jpg"]
    assert kept[0].group == kept[1].group != kept[2].group


def test_a_clean_set_stays_whole(tmp_path: Path) -> None:
    files = {f"{label}/{i}.jpg": jpeg(10 * i + ord(label)) for label in "ab" for i in range(4)}
    dataset = import_dataset(write_tree(tmp_path / "in", files), tmp_path / "dataset")
    made = curate(dataset, tmp_path / "out")
    assert made.summary["findings"] == {}
    assert Manifest.load(made).samples == Manifest.load(dataset).samples
