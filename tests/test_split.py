from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naturalize.artefact import Artefact
from naturalize.curate.clean import curate
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError, LeakError
from naturalize.split.by_group import assign_sides
from naturalize.split.folds import Fold, fold_sides
from naturalize.split.found_pairs import found_pairs
from naturalize.split.leak_check import check_donors, leak_check
from naturalize.split.make_split import FRACTIONS, make_split
from naturalize.split.split import SIDES, RealSplit
from tests_images import jpeg, write_tree


def sample(number: int, label: str, group: str = "") -> Sample:
    name = f"{label}/{number}.jpg"
    return Sample(
        id=name,
        label=label,
        group=group or name,
        source="",
        height_px=1,
        width_px=1,
        sha256=f"{label}{number}",
    )


def make_curated(home: Path, files: dict[str, bytes]) -> Artefact:
    dataset = import_dataset(write_tree(home / "in", files), home / "dataset")
    return curate(dataset, home / "curated")


@given(
    sizes=st.lists(st.integers(1, 4), min_size=12, max_size=60),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_groups_stay_whole_and_shares_come_near_80_10_10(sizes: list[int], seed: int) -> None:
    samples = [
        sample(100 * g + i, "A" if g % 2 else "B", f"group {g}")
        for g, size in enumerate(sizes)
        for i in range(size)
    ]
    sides = assign_sides(samples, seed=seed, fractions=FRACTIONS)
    assert sides.keys() == {s.id for s in samples}
    by_group = {s.group: sides[s.id] for s in samples}
    assert all(sides[s.id] == by_group[s.group] for s in samples)
    for label in "AB":
        counts = Counter(sides[s.id] for s in samples if s.label == label)
        n = sum(counts.values())
        assert set(counts) == set(SIDES)
        for side in ("val", "test"):
            assert abs(counts[side] - n * FRACTIONS[side]) <= max(sizes) + 1


def test_singletons_are_dealt_exactly() -> None:
    samples = [sample(i, label) for label in ("A", "B") for i in range(100)]
    sides = assign_sides(samples, seed=0, fractions=FRACTIONS)
    assert Counter((s.label, sides[s.id]) for s in samples) == {
        (label, side): n for label in "AB" for side, n in (("train", 80), ("val", 10), ("test", 10))
    }
    assert assign_sides(samples, seed=0, fractions=FRACTIONS) == sides
    assert assign_sides(samples[::-1], seed=0, fractions=FRACTIONS) == sides
    assert assign_sides(samples, seed=1, fractions=FRACTIONS) != sides


def test_a_class_of_two_images_is_named() -> None:
    samples = [sample(i, "A") for i in range(9)] + [sample(i, "RARE") for i in range(2)]
    with pytest.raises(InputError, match=r"class RARE: .* at least 3 groups .* got 2 \(2 images\)"):
        assign_sides(samples, seed=0, fractions=FRACTIONS)


def test_copies_end_on_one_side(tmp_path: Path) -> None:
    files = {f"{label}/{i}.jpg": jpeg(i + 50 * ord(label)) for label in "ab" for i in range(12)}
    files |= {f"a/copy {i}.jpg": files[f"a/{i}.jpg"] for i in range(12)}
    made = make_split(make_curated(tmp_path, files), tmp_path / "split")
    split = RealSplit.load(made)
    side_of = {s.sha256: side for side in SIDES for s in split.side(side)}
    for side in SIDES:
        assert all(side_of[s.sha256] == side for s in split.side(side))


def test_the_table_can_be_read_and_reused(curated: Artefact, split: Artefact, home: Path) -> None:
    with (split.path / "split.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {"id", "label", "group", "side"} <= rows[0].keys()
    frozen = home / "frozen.csv"
    kept = rows[: len(rows) - 1]
    frozen.write_text("id,side\n" + "".join(f"{r['id']},{r['side']}\n" for r in kept))
    again = make_split(curated, home / "again", frozen=frozen)
    assert again.summary["left_out"] == 1
    old, new = RealSplit.load(split), RealSplit.load(again)
    for side in SIDES:
        names = {s.id for s in old.side(side)} - {rows[-1]["id"]}
        assert {s.id for s in new.side(side)} == names


def test_a_frozen_split_must_fit_the_data(curated: Artefact, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("id,side\nnowhere.jpg,train\n")
    with pytest.raises(InputError, match=r"nowhere\.jpg"):
        make_split(curated, tmp_path / "out", frozen=table)
    table.write_text("id,side\nnowhere.jpg,exam\n")
    with pytest.raises(InputError, match="sides train, val, test"):
        make_split(curated, tmp_path / "out", frozen=table)
    table.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="columns id and side"):
        make_split(curated, tmp_path / "out", frozen=table)


def test_a_frozen_split_that_parts_copies_is_a_leak(tmp_path: Path) -> None:
    files = {f"{label}/{i}.jpg": jpeg(i + 50 * ord(label)) for label in "ab" for i in range(6)}
    files["a/copy.jpg"] = files["a/0.jpg"]
    sides = dict.fromkeys(files, "train") | {"a/copy.jpg": "test", "b/1.jpg": "test"}
    sides |= {"a/1.jpg": "val", "b/2.jpg": "val"}
    table = tmp_path / "table.csv"
    table.write_text("id,side\n" + "".join(f"{name},{side}\n" for name, side in sides.items()))
    with pytest.raises(LeakError, match=r"--from .* in both train \(a/0\.jpg\) and test \(a/copy"):
        make_split(make_curated(tmp_path, files), tmp_path / "out", frozen=table)


def test_cap_keeps_at_most_so_many_of_a_class(curated: Artefact, tmp_path: Path) -> None:
    made = make_split(curated, tmp_path / "out", cap=3)
    split = RealSplit.load(made)
    counts = Counter(s.label for side in SIDES for s in split.side(side))
    assert set(counts.values()) == {3}
    with pytest.raises(InputError, match="--cap"):
        make_split(curated, tmp_path / "other", cap=2)
    with pytest.raises(InputError, match="nothing beside --from"):
        make_split(curated, tmp_path / "other", cap=3, frozen=made.path / "split.csv")


@pytest.mark.parametrize("what", ["id", "sha256", "group"])
def test_leak_check_finds_whatever_stands_on_two_sides(what: str) -> None:
    train, test = (sample(1, "A"), sample(2, "A")), (sample(3, "A"),)
    split = RealSplit("s", Path(), ("A",), train, (sample(4, "A"),), test)
    leak_check(split)
    twin = test[0].model_copy(update={what: getattr(train[0], what)})
    with pytest.raises(LeakError, match=f"{what} .* in both train .* and test"):
        leak_check(replace(split, test=(twin,)))


def test_every_leak_is_named() -> None:
    train, test = tuple(sample(i, "A", f"g{i}") for i in range(40)), ()
    split = RealSplit("s", Path(), ("A",), train, (), test)
    twins = tuple(sample(100 + i, "A", f"g{i}") for i in range(40))
    with pytest.raises(LeakError) as caught:
        leak_check(replace(split, test=twins))
    for i in range(30):
        assert f"A/{i}.jpg" in str(caught.value)
        assert f"A/{100 + i}.jpg" in str(caught.value)
    assert "and 10 more" in str(caught.value)


def test_a_leaking_table_on_disk_is_refused(split: Artefact, tmp_path: Path) -> None:
    shutil.copytree(split.path, tmp_path / "split")
    header, first, *rest = (split.path / "split.csv").read_text().splitlines()
    side = first.rsplit(",", 1)[1]
    twin = first[: -len(side)] + next(s for s in SIDES if s != side)
    (tmp_path / "split" / "split.csv").write_text("\n".join([header, first, *rest, twin]) + "\n")
    with pytest.raises(LeakError):
        RealSplit.load(replace(split, path=tmp_path / "split"))


def test_donors_must_be_train_images(split: Artefact) -> None:
    real = RealSplit.load(split)
    check_donors(real, [(s.id, s.sha256) for s in real.train], what="bank")
    for stray in (*real.val, *real.test):
        with pytest.raises(LeakError, match="bank: 1 donor images are not train images"):
            check_donors(real, [(stray.id, stray.sha256)], what="bank")
    with pytest.raises(LeakError):
        check_donors(real, [(real.train[0].id, real.test[0].sha256)], what="bank")


@given(
    sizes=st.lists(st.integers(1, 4), min_size=14, max_size=50),
    count=st.integers(3, 7),
    seed=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_folds_test_each_image_once(sizes: list[int], count: int, seed: int) -> None:
    samples = [
        sample(100 * g + i, "A" if g % 2 else "B", f"group {g}")
        for g, size in enumerate(sizes)
        for i in range(size)
    ]
    tested: Counter[str] = Counter()
    for index in range(count):
        sides = fold_sides(samples, Fold(count, index), seed=seed)
        assert sides == fold_sides(samples[::-1], Fold(count, index), seed=seed)
        by_group = {s.group: sides[s.id] for s in samples}
        assert all(sides[s.id] == by_group[s.group] for s in samples)
        after = fold_sides(samples, Fold(count, (index + 1) % count), seed=seed)
        assert {n for n in sides if sides[n] == "val"} == {n for n in after if after[n] == "test"}
        tested.update(name for name, side in sides.items() if side == "test")
        for label in "AB":
            every = [s for s in samples if s.label == label]
            here = sum(sides[s.id] == "test" for s in every)
            assert abs(here - len(every) / count) <= max(sizes)
    assert tested == {s.id: 1 for s in samples}


def test_repeats_deal_the_folds_anew() -> None:
    samples = [sample(i, "A") for i in range(60)]
    first = fold_sides(samples, Fold(5, 0), seed=1)
    assert fold_sides(samples, Fold(5, 0, repeat=1), seed=1) != first
    assert fold_sides(samples, Fold(5, 0), seed=2) != first
    assert Counter(first.values()) == {"train": 36, "val": 12, "test": 12}


def test_a_class_smaller_than_the_folds_is_named() -> None:
    samples = [sample(i, "A") for i in range(9)]
    samples += [sample(i, "RARE", f"g{i % 3}") for i in range(6)]
    with pytest.raises(InputError, match=r"class RARE: .* 5 folds \(or fewer.* got 3 \(6 images\)"):
        fold_sides(samples, Fold(5, 0), seed=0)
    assert fold_sides(samples, Fold(3, 0), seed=0)


def test_a_class_that_lives_in_groups_of_others_is_named() -> None:
    samples = [sample(i, "A", f"g{i // 3}") for i in range(30)]
    samples += [sample(i, "GUEST", f"g{i // 2}") for i in range(4)]
    with pytest.raises(InputError, match=r"class GUEST: .* got 2 \(4 images\)"):
        assign_sides(samples, seed=0, fractions=FRACTIONS)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [((2, 0), "--folds.*at least 3"), ((5, 5), "--fold.*0 to 4"), ((5, 0, -1), "--repeat")],
)
def test_folds_that_cannot_be_are_refused(numbers: tuple[int, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Fold(*numbers)


def test_a_fold_is_an_artefact(curated: Artefact, tmp_path: Path) -> None:
    made = [make_split(curated, tmp_path / str(i), fold=Fold(3, i)) for i in range(3)]
    tests = [{s.id for s in RealSplit.load(split).test} for split in made]
    assert set.union(*tests) == {s.id for s in Manifest.load(curated).samples}
    assert sum(map(len, tests)) == len(set.union(*tests))
    assert len({split.id for split in made}) == 3
    with pytest.raises(InputError, match="--folds: expected nothing beside --from"):
        make_split(curated, tmp_path / "o", fold=Fold(4, 0), frozen=made[0].path / "split.csv")


def test_the_summary_counts_what_a_split_without_groups_would_part(tmp_path: Path) -> None:
    files = {f"{label}/{i}.jpg": jpeg(i + 50 * ord(label)) for label in "ab" for i in range(20)}
    files |= {f"a/copy {i}.jpg": files[f"a/{i}.jpg"] for i in range(20)}
    made = make_split(make_curated(tmp_path, files), tmp_path / "split", seed=4)
    found = made.summary["found_pairs"]
    assert found["duplicate"]["pairs"] == found["any two images of one group"]["pairs"] == 20
    assert found["duplicate"]["parted"] == 0
    alone = [
        s.model_copy(update={"group": s.id}) for s in Manifest.load(made.input("curated")).samples
    ]
    naive = assign_sides(alone, seed=4, fractions=FRACTIONS)
    parted = sum(naive[f"a/{i}.jpg"] != naive[f"a/copy {i}.jpg"] for i in range(20))
    assert found["duplicate"]["parted_without_groups"] == parted > 0


def test_pairs_within_larger_groups_are_counted_one_by_one() -> None:
    samples = [sample(i, "A", "g") for i in range(4)] + [sample(9, "A")]
    sides = dict(
        zip([s.id for s in samples], ["train", "train", "val", "test", "test"], strict=True)
    )
    together = dict.fromkeys(sides, "train")
    rows = [
        {"kind": "same_field", "path": "A/0.jpg", "other_path": "A/2.jpg"},
        {"kind": "label_conflict", "path": "A/0.jpg", "other_path": "A/3.jpg"},
        {"kind": "same_field", "path": "A/0.jpg", "other_path": "gone.jpg"},
    ]
    assert found_pairs(samples, rows, together, sides) == {
        "same_field": {"pairs": 1, "parted": 0, "parted_without_groups": 1},
        "any two images of one group": {"pairs": 6, "parted": 0, "parted_without_groups": 5},
    }


def test_the_command_line_makes_folds(curated: Artefact, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "naturalize", "split", str(curated.path), "--folds", "3"]
    out = ["-o", str(tmp_path / "out"), "--json"]
    done = subprocess.run([*words, "--fold", "1", *out], capture_output=True)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["parameters"]["fold"] == {"count": 3, "index": 1, "repeat": 0}
    assert "one slide region" in made["summary"]["group_rule"]
    for wrong in ([], ["--fold", "3"]):
        done = subprocess.run([*words, *wrong, "-o", str(tmp_path / "no")], capture_output=True)
        assert done.returncode == 2
        assert b"--fold" in done.stderr
