"""Studies: nothing leaks, any share and any interruption give the same, controls are controls."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from naturalize.artefact import Artefact, open_artefact
from naturalize.audit.edited_side import EditedSide
from naturalize.compose.composite_set import CompositeSet
from naturalize.compose.record import read_records
from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets import phantom
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import write_table
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError, LeakError
from naturalize.evaluate.bootstrap import Interval
from naturalize.images import encode_jpeg
from naturalize.predictions import Predictions
from naturalize.seeds import child
from naturalize.split.leak_check import check_donors
from naturalize.split.make_split import make_split
from naturalize.split.split import RealSplit
from naturalize.study.cell import first_cells, last_cells
from naturalize.study.choose import choices
from naturalize.study.grids import grids
from naturalize.study.originals import make_originals
from naturalize.study.prepare import Home
from naturalize.study.probe import cost, probe
from naturalize.study.render_study import render_study
from naturalize.study.results import StudyResults, gather
from naturalize.study.run_study import Share, Told, planned, run_study
from naturalize.study.spec import Spec, load_spec, shipped_specs
from naturalize.study.study_page import study_page
from naturalize.study.subset import check_subset, draw_subset
from tests_images import jpeg, write_tree

SIDES = ("train", "test", "test", "val")
SURROUNDINGS = ("same-class", "other-class")
SMALL = {"model": "custom-cnn", "budget": 32, "batch": 16, "px": 32, "crop": None}


def spec_of(**more: object) -> Spec:
    arms = {"none": {"train": "none"}, "flips": {"train": "flips"}}
    given = {"name": "t", "question": "?", "arms": arms, "training": SMALL}
    return Spec.model_validate(given | more)


CHOSEN = {
    "none": {"train": "none"},
    "chosen": {"best_of": ["flips", "stain"], "choice_seeds": [0]},
    "both": {"train": "balanced", "beside": "chosen"},
}


def hear_nothing(told: Told) -> None:
    pass


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """A split of 60 noisy images of three classes."""
    home = tmp_path_factory.mktemp("plain")
    files = {f"{c}/{i}.jpg": jpeg(i + 100 * n) for n, c in enumerate("abc") for i in range(20)}
    dataset = import_dataset(write_tree(home / "in", files), home / "dataset")
    return make_split(dataset, home / "split")


class TestSpec:
    @pytest.mark.parametrize("name", shipped_specs())
    def test_shipped_specs_are_read_and_written_back(self, name: str, tmp_path: Path) -> None:
        spec = load_spec(name)
        assert spec.name == name
        (tmp_path / "again.yaml").write_text(spec.yaml())
        assert load_spec(str(tmp_path / "again.yaml")) == spec
        if isinstance(spec, Spec):
            assert all(pair[0] != pair[1] for pair in spec.pairs)

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"armz": {}}, "armz"),
            ({"comparisons": [["none", "nobody"]]}, "nobody"),
            ({"arms": {"x": {"train": "flips", "best_of": ["flips"]}}}, "either train or best_of"),
            ({"arms": {"x": {"train": "none", "composed": {"change": {"blnd": 1}}}}}, "blnd"),
            ({"folds": 5, "sizes": [10]}, "folds go without sizes"),
            ({"folds": 5, "swapped_surroundings": True}, "in their own surroundings"),
            ({"arms": {"x": {"best_of": ["none"], "choice_seeds": [7]}}}, "some of seeds"),
            ({"training": {"bugdet": 3}}, "bugdet"),
            ({"arms": {"x": {"train": "none", "composed": {"share": 1.5}}}}, "share"),
        ],
    )
    def test_mistakes_are_named(self, wrong: dict[str, object], says: str, tmp_path: Path) -> None:
        text = yaml.safe_dump(json.loads(spec_of().model_dump_json()) | wrong)
        (tmp_path / "spec.yaml").write_text(text)
        with pytest.raises(InputError, match=says):
            load_spec(str(tmp_path / "spec.yaml"))

    def test_unknown_specs_are_refused(self) -> None:
        with pytest.raises(InputError, match="low-data"):
            load_spec("no-such-study")


class TestShares:
    @given(st.integers(1, 6))
    @settings(max_examples=6, deadline=None)
    def test_every_cell_is_in_exactly_one_share_whatever_was_chosen(self, count: int) -> None:
        spec = spec_of(arms=CHOSEN, sizes=[5, 8], seeds=[0, 1])
        chosen = {("chosen", 5): "stain"}
        for cells in (list(first_cells(spec)), list(last_cells(spec, chosen))):
            dealt = [Share(i, count).of(cells) for i in range(1, count + 1)]
            names = Counter(cell.name for share in dealt for cell in share)
            assert names == Counter(cell.name for cell in cells if cell is not None)
        assert len(list(last_cells(spec, {}))) == len(list(last_cells(spec, chosen)))

    @pytest.mark.parametrize("text", ["0/2", "3/2", "x", "1", "1/0"])
    def test_senseless_shares_are_refused(self, text: str) -> None:
        with pytest.raises(InputError, match="--share"):
            Share.read(text)


def split_of(groups: list[tuple[str, int]]) -> RealSplit:
    """A split whose train side has groups of (class, images), and one test image a class."""

    def sample(name: str, label: str, group: str) -> Sample:
        fields = {"source": "", "height_px": 9, "width_px": 9, "sha256": f"digest of {name}"}
        return Sample(id=name, label=label, group=group, **fields)

    train = [
        sample(f"{g}-{i}", label, f"g{g}") for g, (label, n) in enumerate(groups) for i in range(n)
    ]
    test = [sample(f"t{label}", label, f"t{label}") for label in "ab"]
    return RealSplit("s", Path(), ("a", "b"), tuple(train), (), tuple(test))


group_lists = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([1, 1, 1, 2, 3])), min_size=60, max_size=80
)


class TestSubsets:
    @given(group_lists, st.integers(0, 3))
    @settings(max_examples=25, deadline=None)
    def test_small_subsets_lie_in_larger_ones(
        self, groups: list[tuple[str, int]], seed: int
    ) -> None:
        whole = split_of([*groups, *[("a", 1)] * 20, *[("b", 1)] * 20])
        drawn = {size: draw_subset(whole, size, seed=seed) for size in (5, 9, 16)}
        labels = {sample.id: sample.label for sample in whole.train}
        for size, sides in drawn.items():
            learned = {name for name, side in sides.items() if side != "test"}
            assert Counter(labels[name] for name in learned) == {"a": size, "b": size}
            assert {"train", "val", "test"} == set(sides.values())
            for group in {sample.group for sample in whole.train}:
                members = {s.id for s in whole.train if s.group == group}
                assert members <= learned or not members & learned
                assert len({sides[name] for name in members & learned}) < 2
        assert drawn[5].items() <= drawn[9].items() <= drawn[16].items()

    def test_seeds_draw_other_images(self) -> None:
        whole = split_of([("a", 1)] * 40 + [("b", 1)] * 40)
        assert draw_subset(whole, 10, seed=0) != draw_subset(whole, 10, seed=1)

    def test_too_few_images_name_the_class(self) -> None:
        whole = split_of([("a", 1)] * 40 + [("b", 1)] * 4)
        with pytest.raises(InputError, match="class b: expected 5 train images, got 4"):
            draw_subset(whole, 5, seed=0)

    def test_an_image_from_anywhere_else_is_a_leak(self) -> None:
        whole = split_of([("a", 1)] * 10 + [("b", 1)] * 10)
        a, b = whole.train[:5], whole.train[10:15]
        fine = RealSplit("x", Path(), whole.classes, a[1:] + b[1:], a[:1] + b[:1], whole.test)
        check_subset(fine, whole, 5)
        forged = a[0].model_copy(update={"sha256": "other bytes"})
        for side, samples in (
            ("train", (*fine.train, whole.test[0])),
            ("val", (*fine.val, whole.test[0])),
            ("val", (forged,)),
            ("test", (*fine.test, whole.train[-1])),
            ("train", (*fine.train, whole.train[9])),
        ):
            leaky = RealSplit(**(fine.__dict__ | {side: samples}))
            with pytest.raises(LeakError):
                check_subset(leaky, whole, 5)


@pytest.fixture(scope="module")
def two_a_class(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """A split of phantoms of two classes, each with two test images."""
    home, files = tmp_path_factory.mktemp("two"), {}
    sides = {f"{c}/{i}.jpg": side for c in ("LY", "SNE") for i, side in enumerate(SIDES)}
    for name in sides:
        rng = child(0, name)
        drawn = phantom.render(name.split("/")[0], rng=rng, slide=phantom.sample_slide(rng))
        files[name] = encode_jpeg(drawn.image)
    dataset = import_dataset(write_tree(home / "in", files), home / "dataset")
    (home / "sides.csv").write_text(write_table(["id", "side"], sides.items()))
    return make_split(dataset, home / "split", frozen=home / "sides.csv")


@pytest.fixture(scope="module")
def whole_study(plain: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Home:
    spec = spec_of(arms=CHOSEN, sizes=[5, 8], seeds=[0, 1], curve="size")
    home = Home(tmp_path_factory.mktemp("study"), spec, plain)
    assert run_study(home, Share(), hear_nothing) == 0
    return home


class TestRunning:
    def test_shares_merged_give_what_one_run_gives(
        self, whole_study: Home, plain: Artefact, tmp_path: Path
    ) -> None:
        home = Home(tmp_path / "s", whole_study.spec, plain)
        for share in (Share(2, 2), Share(1, 2)):
            assert run_study(home, share, hear_nothing) > 0
        assert run_study(home, Share(), hear_nothing) == 0
        one, other = gather(whole_study, resamples=50), gather(home, resamples=50)
        assert one.blocks == other.blocks
        ids = [
            {f.name: open_artefact(f).id for f in (h.folder / "cells").iterdir()}
            for h in (whole_study, home)
        ]
        assert ids[0] == ids[1]

    def test_finished_cells_stay_as_they_are(self, whole_study: Home) -> None:
        before = {f: f.stat().st_mtime_ns for f in whole_study.folder.glob("cells/*/*")}
        assert run_study(whole_study, Share(), lambda told: pytest.fail(told.cell)) == 0
        assert before == {f: f.stat().st_mtime_ns for f in before}
        assert not list((whole_study.folder / "trainings").iterdir())

    def test_the_choice_looks_at_validation_images_alone(self, whole_study: Home) -> None:
        found = choices(whole_study)
        assert set(found) == {("chosen", 5), ("chosen", 8)}
        for (_, size), best in found.items():
            scored = {
                name: self.validated(whole_study, f"{name}_n{size}-s0_s0", size)
                for name in ("flips", "stain")
            }
            assert scored[best] == max(scored.values())
        for cell in last_cells(whole_study.spec, found):
            assert cell is not None
            if cell.treatment.train.startswith("balanced"):
                chosen = found["chosen", cell.ground.size]
                assert cell.treatment.train == f"balanced+{chosen}"

    def validated(self, home: Home, cell: str, size: int | None) -> float:
        found = Predictions.load(home.folder / "cells" / cell / "val.npz")
        split = RealSplit.load(open_artefact(home.folder / "grounds" / f"n{size}-s0" / "split"))
        truth = {sample.id: sample.label for sample in split.val}
        labels = [truth[name] for name in found.sample_ids]
        return float(
            metrics.f1_score(
                labels, found.labels(), labels=found.classes, average="macro", zero_division=0
            )
        )

    def test_every_arm_shows_each_class_as_often(self, whole_study: Home) -> None:
        shown: dict[str, set[str]] = {}
        for folder in (whole_study.folder / "cells").iterdir():
            cell = open_artefact(folder, "cell")
            if "balanced" not in cell.manifest["parameters"]["train"]:
                real = json.dumps(cell.summary["real_seen"])
                shown.setdefault(cell.manifest["parameters"]["ground"], set()).add(real)
        assert all(len(counts) == 1 for counts in shown.values())

    def test_seeds_learn_from_subsets_of_their_own(self, whole_study: Home) -> None:
        learned = {
            RealSplit.load(open_artefact(folder, "split")).train
            for folder in whole_study.folder.glob("grounds/n5-*/split")
        }
        assert len(learned) == 2

    def test_another_training_is_not_taken_for_this_one(
        self, whole_study: Home, plain: Artefact
    ) -> None:
        longer = whole_study.spec.training.model_copy(update={"budget": 48})
        other = whole_study.spec.model_copy(update={"training": longer})
        home = Home(whole_study.folder, other, plain)
        (name, *_) = [cell.name for cell in first_cells(other)]
        assert (home.folder / "cells" / name).is_dir()
        from naturalize.study.run_cell import run_cell

        with pytest.raises(InputError, match="another request"):
            run_cell(home, next(first_cells(other)))

    def test_results_are_written_in_every_form(self, whole_study: Home) -> None:
        results = gather(whole_study, resamples=50)
        render_study(whole_study, results)
        folder = whole_study.folder
        assert StudyResults.model_validate_json((folder / "results.json").read_text()) == results
        page = (folder / "study.html").read_text()
        assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
        assert "5 real images a class" in page
        for grid in grids(results):
            text = (folder / "tables" / f"{grid.name}.csv").read_text()
            rows = list(csv.reader(io.StringIO(text)))
            assert rows == [list(grid.columns), *map(list, grid.rows)]
            assert grid.latex().count(r"\\") == len(rows)
            assert grid.title in (folder / "tables" / "tables.md").read_text()

    @pytest.mark.parametrize(("holm_p", "doubted"), [(0.4, 1), (0.02, 0)])
    def test_a_gain_that_may_be_chance_is_told_so(
        self, whole_study: Home, holm_p: float, doubted: int
    ) -> None:
        results = gather(whole_study, resamples=20)
        block = results.blocks[0]
        first = block.report.comparisons[0]
        gain = {"macro_f1": Interval(0.03, 0.01, 0.05), "holm_p": holm_p}
        better = first.model_copy(update=gain)
        report = block.report.model_copy(update={"comparisons": (better,)})
        shown = block.model_copy(update={"report": report})
        page = study_page(results.model_copy(update={"blocks": (shown,)}))
        assert "+3.0 points of macro F1 (+1.0 to +5.0)" in page
        assert page.count("may be chance") == doubted

    def test_an_unfinished_study_shows_the_arms_that_are_done(
        self, plain: Artefact, tmp_path: Path
    ) -> None:
        home = Home(tmp_path, spec_of(seeds=[0, 1]), plain)
        run_study(home, Share(1, 2), hear_nothing)
        results = gather(home, resamples=20)
        assert [b.missing for b in results.blocks] in ([("flips",)], [("none",)], [])
        render_study(home, results)

    def test_folds_test_every_image_once(self, plain: Artefact, tmp_path: Path) -> None:
        home = Home(tmp_path, spec_of(folds=3, arms={"none": {"train": "none"}}), plain)
        assert run_study(home, Share(), hear_nothing) == 0
        (block,) = gather(home, resamples=20).blocks
        assert block.report.n == 60
        assert np.sum(block.report.arms[0].summed_confusion) == 60

    def test_other_slides_are_asked_about_class_by_folder(self, tmp_path: Path) -> None:
        labels = ("BNE", "LY", "SNE")
        files = {f"{c}/{i}.jpg": jpeg(i + 100 * ord(c[0])) for c in labels for i in range(20)}
        dataset = import_dataset(write_tree(tmp_path / "in", files), tmp_path / "dataset")
        split = make_split(dataset, tmp_path / "split")
        strange = {f"neutrophil/{i}.jpg": jpeg(500 + i) for i in range(3)}
        strange |= {f"LY/{i}.jpg": jpeg(600 + i) for i in range(3)}
        other = import_dataset(write_tree(tmp_path / "other", strange), tmp_path / "slides")
        arms = {"none": {"train": "none"}}
        home = Home(tmp_path / "study", spec_of(arms=arms), split, other=other)
        assert run_study(home, Share(), hear_nothing) == 0
        _, block = gather(home, resamples=20).blocks
        assert block.report.classes == ("lymphocyte", "neutrophil")
        found = Predictions.load(next((tmp_path / "study" / "cells").iterdir()) / "other.npz")
        assert found.classes == labels
        right = [
            (row[1] < row[0] + row[2]) == name.startswith("neutrophil")
            for row, name in zip(found.probabilities, found.sample_ids, strict=True)
        ]
        assert block.report.arms[0].scores.accuracy.value == pytest.approx(np.mean(right))
        leaky = Home(tmp_path / "leaky", spec_of(arms=arms), split, other=split.input("curated"))
        with pytest.raises(LeakError, match="own data too"):
            run_study(leaky, Share(), hear_nothing)

    def test_a_second_source_is_tested_on_and_never_learned_from(
        self, plain: Artefact, tmp_path: Path
    ) -> None:
        home = Home(tmp_path, spec_of(without_second_source=True), plain)
        sides = [home.whole.train, home.whole.val, home.whole.test]
        strange = frozenset(side[0].id for side in sides)
        home.__dict__["strange"] = strange
        home.check()
        assert run_study(home, Share(), hear_nothing) == 0
        learned = RealSplit.load(open_artefact(tmp_path / "grounds" / "all" / "split"))
        seen = {s.id for s in learned.train + learned.val + learned.test}
        assert seen == {s.id for s in home.images} - strange
        main, apart = gather(home, resamples=20).blocks
        assert (main.report.n, apart.report.n) == (len(home.whole.test) - 1, 3)
        render_study(home, gather(home, resamples=20))

    def test_cells_in_other_surroundings_are_asked_about_and_never_written(
        self, two_a_class: Artefact, tmp_path: Path
    ) -> None:
        home = Home(tmp_path / "study", spec_of(swapped_surroundings=True), two_a_class)
        assert run_study(home, Share(), hear_nothing) == 0
        real, moved, swapped = gather(home, resamples=20).blocks
        assert moved.report.n == swapped.report.n <= real.report.n == len(home.whole.test)
        cells = sorted((tmp_path / "study" / "cells").iterdir())
        found = [
            {name: Predictions.load(cell / f"{name}.npz") for name in ("test", *SURROUNDINGS)}
            for cell in cells
        ]
        for one in found:
            ids = one["same-class"].sample_ids
            assert ids == one["other-class"].sample_ids
            assert set(ids) <= {sample.id for sample in home.whole.test}
            shown = [one["test"].only(ids), *(one[name] for name in SURROUNDINGS)]
            assert not any(np.array_equal(a.probabilities, b.probabilities)
                           for a, b in combinations(shown, 2))  # fmt: skip
        side = EditedSide.of(two_a_class, seed=0)
        names = [one.sample.id for one in side.apart]
        for view, alike in zip(SURROUNDINGS, (True, False), strict=True):
            partner = {names[own]: names[other] for own, other in side.pairs[view]}
            assert all((name[:2] == partner[name][:2]) == alike for name in ids)
        alone = Home(tmp_path / "study", home.spec, two_a_class)
        assert gather(alone, resamples=20).blocks[1:] == (moved, swapped)
        assert "edited" not in alone.__dict__
        render_study(alone, gather(alone, resamples=20))
        assert not list((tmp_path / "study").rglob("*.jpg"))

    def test_surroundings_without_cells_are_refused(self, plain: Artefact, tmp_path: Path) -> None:
        home = Home(tmp_path, spec_of(swapped_surroundings=True), plain)
        with pytest.raises(InputError, match="cell"):
            run_study(home, Share(), hear_nothing)

    def test_one_source_cannot_be_parted(self, plain: Artefact, tmp_path: Path) -> None:
        home = Home(tmp_path, spec_of(without_second_source=True), plain)
        with pytest.raises(InputError, match="second source"):
            home.check()

    def test_a_probe_says_what_it_will_take(self, plain: Artefact, tmp_path: Path) -> None:
        home = Home(tmp_path, spec_of(sizes=[5]), plain)
        first, _ = planned(home)
        rates = probe(home, first)
        assert cost(home, first * 2, rates) == pytest.approx(2 * cost(home, first, rates))
        assert not any(tmp_path.iterdir())


class TestComposites:
    def test_originals_are_the_donors_files_class_by_class(
        self, composites: Artefact, tmp_path: Path
    ) -> None:
        made = CompositeSet.load(make_originals(composites, tmp_path / "originals"))
        bank = CutoutBank.load(composites.input("bank"))
        split = RealSplit.load(composites.input("bank").input("split"))
        labels = {sample.id: sample.label for sample in split.train}
        assert Counter(image.label for image in made.images) == Counter(
            record.scene.label for record in read_records(composites)
        )
        for image, record in zip(made.images, read_records(composites), strict=True):
            donor = bank.by_id[record.scene.placements[0].cutout].sample_id
            assert (made.root / image.file).read_bytes() == (split.root / donor).read_bytes()
            assert image.label == labels[donor]
        check_donors(split, made.donors, what="originals")

    def test_arms_with_composites_and_their_control(self, split: Artefact, tmp_path: Path) -> None:
        composed = {"dose": 0.5}
        arms = {
            "naturalize": {"train": "naturalize", "composed": composed},
            "originals": {"train": "naturalize", "composed": composed | {"shows": "originals"}},
            "quarter": {"train": "naturalize", "composed": composed | {"share": 0.25}},
            "flips": {"train": "flips"},
        }
        home = Home(tmp_path, spec_of(arms=arms), split)
        assert run_study(home, Share(), hear_nothing) == 0
        cells = [open_artefact(folder) for folder in (tmp_path / "cells").iterdir()]
        shown = [
            {c: n + cell.summary["synthetic_seen"][c] for c, n in cell.summary["real_seen"].items()}
            for cell in cells
        ]
        assert all(counts == shown[0] for counts in shown)
        synthetic = {
            composed.get("share", composed["shows"]): sum(cell.summary["synthetic_seen"].values())
            for cell in cells
            if (composed := cell.manifest["parameters"]["composed"]) is not None
        }
        assert 0 < synthetic[0.25] < synthetic["composites"]
        (block,) = gather(home, resamples=50).blocks
        assert [arm.name for arm in block.report.arms] == list(arms)
        assert block.report.arms[0].blood is not None
