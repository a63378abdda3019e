"""Composites made while training: any image again, in any order; shares; leaks; the same run."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from naturalize.artefact import Artefact
from naturalize.cli.train import train as train_verb
from naturalize.compose.batches import Batches
from naturalize.compose.online import OnlineComposites, OnlineMix
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import load_recipe
from naturalize.compose.record import read_records
from naturalize.compose.render import render
from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets.manifest import read_sample
from naturalize.errors import InputError, LeakError
from naturalize.report.lineage import arm_names, trace
from naturalize.seeds import child
from naturalize.split.make_split import make_split
from naturalize.split.split import RealSplit
from naturalize.train.online import OnlineDataset, OnlineFeed, mix_of
from naturalize.train.pixels import fit_square
from naturalize.train.training import Training
from naturalize.workers import deaf_children
from test_train import train_on_cpu

T = TypeVar("T")
SMALL = Training(model="custom-cnn", input_px=32, batch_size=8, budget_images=32)
ONLINE = replace(SMALL, arm="naturalize")


class Killed(Exception):
    """Stands for a kill: no error of this package, so the draft stays."""


def kill_after(steps: int, items: Iterable[T], what: str) -> Iterator[T]:
    for number, item in enumerate(items):
        if what == "training" and number == steps:
            raise Killed
        yield item


@pytest.fixture(scope="module")
def online(bank: Artefact) -> OnlineComposites:
    return OnlineComposites(bank, load_recipe("naturalize"), seed=5)


@pytest.fixture(scope="module")
def mix(split: Artefact, online: OnlineComposites) -> OnlineMix:
    return OnlineMix.of(split, online, share=0.5, seed=2)


@pytest.fixture(scope="module")
def feeding(mix: OnlineMix) -> OnlineDataset:
    return OnlineDataset(mix, input_px=32)


@pytest.fixture(scope="module")
def run(split: Artefact, online: OnlineComposites, home: Path) -> Artefact:
    return train_on_cpu(split, home / "run-online", ONLINE, composites=online)


class TestComposites:
    def test_a_composite_is_its_scene_rendered(self, online: OnlineComposites) -> None:
        bank = CutoutBank.load(online.bank)
        for label, number in (("SNE", 7), ("EO", 3), ("SNE", 2)):
            scene = draw_scene(online.recipe, bank, label, rng=child(5, "composite", number))
            expected = render(scene, bank, online.recipe)
            made = online.composite(label, number)
            assert made.scene == scene
            assert made.image.tobytes() == expected.image.tobytes()

    def test_composites_of_a_folder_go_by_the_same_names(
        self, online: OnlineComposites, composites: Artefact
    ) -> None:
        for record in list(read_records(composites))[::-6]:
            again = online.named(Path(record.file).stem)
            assert again.pixels_sha256() == record.pixels_sha256

    def test_they_come_without_end_and_each_can_be_asked_for(
        self, online: OnlineComposites
    ) -> None:
        for number, composite in enumerate(islice(online, 4)):
            again = online.composite(composite.scene.label, number)
            assert again.pixels_sha256() == composite.pixels_sha256()

    def test_classes_are_dealt_as_the_recipe_says(self, bank: Artefact) -> None:
        recipe = load_recipe("naturalize").model_copy(update={"counts": {"EO": 3, "LY": 0}})
        composites = OnlineComposites(bank, recipe)
        assert composites.classes == ("EO",)
        assert next(iter(composites)).scene.label == "EO"

    def test_mistakes_are_named(self, online: OnlineComposites) -> None:
        with pytest.raises(InputError, match=r"label: expected one of .*SNE.*, got XX"):
            online.composite("XX", 0)
        with pytest.raises(InputError, match="number: expected 0 or more"):
            online.composite("SNE", -1)
        for name in ("SNE", "SNE_", "SNE_-1", "SNE_x"):
            with pytest.raises(InputError, match="name: expected"):
                online.named(name)

    def test_no_torch_is_needed(self, online: OnlineComposites) -> None:
        code = (
            "import sys; from pathlib import Path; sys.modules['torch'] = None\n"
            "from naturalize.artefact import open_artefact\n"
            "from naturalize.compose.online import OnlineComposites, OnlineMix\n"
            "from naturalize.compose.recipe import load_recipe\n"
            "bank = open_artefact(Path(sys.argv[1]))\n"
            "online = OnlineComposites(bank, load_recipe('naturalize'), 5)\n"
            "mix = OnlineMix.of(bank.input('split'), online, share=1)\n"
            "print(online.named('SNE_000007').pixels_sha256(), next(mix.epoch(0)).name)"
        )
        words = [sys.executable, "-c", code, str(online.bank.path)]
        digest, name = subprocess.run(
            words, capture_output=True, text=True, check=True
        ).stdout.split()
        assert digest == online.composite("SNE", 7).pixels_sha256()
        assert name.endswith("_000000")


class TestLeaks:
    @pytest.mark.parametrize("side", ["val", "test"])
    def test_a_bank_with_a_held_back_image_is_refused(
        self, bank: Artefact, split: Artefact, home: Path, side: str
    ) -> None:
        real = RealSplit.load(split)
        stray, donor = getattr(real, side)[0], real.train[0]
        copy = shutil.copytree(bank.path, home / f"bank with {side}")
        text = (copy / "donors.csv").read_text()
        swapped = text.replace(donor.id, stray.id).replace(donor.sha256, stray.sha256)
        (copy / "donors.csv").write_text(swapped)
        with pytest.raises(LeakError, match=stray.id):
            OnlineComposites(replace(bank, path=copy), load_recipe("naturalize"))

    def test_a_bank_of_another_split_is_refused(
        self, curated: Artefact, online: OnlineComposites, tmp_path: Path
    ) -> None:
        other = make_split(curated, tmp_path / "split", seed=8)
        with pytest.raises(LeakError, match="are not train images of split"):
            OnlineMix.of(other, online, share=0.5)
        with pytest.raises(LeakError, match="are not train images of split"):
            train_on_cpu(other, tmp_path / "run", ONLINE, composites=online)
        assert not (tmp_path / "run").exists()


class TestMix:
    def test_each_class_gives_way_by_its_own_share(self) -> None:
        labels = [*("A" * 30), *("B" * 20), *("C" * 10)]
        share = {"A": 0.2, "B": 0.7}
        batches = Batches.of(labels, "ABC", "ABC", share=share, batch_size=60, seed=1)
        shown = batches.exposure(200, 3)
        assert (shown.real + shown.synthetic).tolist() == [6000, 4000, 2000]
        for index, wanted in enumerate((0.2, 0.7, 0.0)):
            n = 6000 - 2000 * index
            margin = 4 * np.sqrt(wanted * (1 - wanted) / n)
            assert abs(shown.synthetic[index] / n - wanted) <= margin

    def test_impossible_shares_are_refused(self) -> None:
        for share, says in (({"X": 0.5}, "classes of the split"), (1.5, "from 0 to 1")):
            with pytest.raises(InputError, match=says):
                Batches.of("AB", "AB", "AB", share=share, batch_size=2, seed=0)

    def test_an_epoch_shows_every_image_or_a_composite_of_its_class(self, mix: OnlineMix) -> None:
        shown = list(mix.epoch(0))
        real = {sample.id: sample for sample in mix.split.train}
        assert sorted(one.label for one in shown) == sorted(s.label for s in real.values())
        assert {one.is_real for one in shown} == {True, False}
        for index, one in enumerate(shown):
            if one.is_real:
                sample = real.pop(one.name)
                assert one.label == sample.label
                assert (one.image == read_sample(mix.split.root, sample)).all()
            else:
                assert one.name == f"{one.label}_{index:06d}"
                assert mix.composite(index).scene.label == one.label

    def test_any_image_can_be_asked_for_again(self, mix: OnlineMix) -> None:
        epoch = 3
        found = [mix.at(index, epoch) for index in range(6)]
        for index in reversed(range(6)):
            shown = found[index]
            assert (mix.at(mix.epoch_length * epoch + index).image == shown.image).all()
            if shown.is_real:
                with pytest.raises(InputError, match=f"real image {shown.name}"):
                    mix.composite(index, epoch)
            else:
                assert (mix.composite(index, epoch).image == shown.image).all()
                assert (mix.composites.named(shown.name).image == shown.image).all()

    def test_later_epochs_show_other_composites(self, mix: OnlineMix) -> None:
        names = [{s.name for s in mix.epoch(epoch) if not s.is_real} for epoch in (0, 1)]
        assert names[0]
        assert not names[0] & names[1]


class TestDataset:
    def test_items_are_what_the_mix_shows(self, feeding: OnlineDataset) -> None:
        for index in (0, 5, len(feeding) + 2):
            pixels, label = feeding[index]
            shown = feeding.mix.at(index)
            square = fit_square(shown.image, input_px=32, crop_px=256)
            assert (pixels.numpy() == square.transpose(2, 0, 1)).all()
            assert feeding.mix.split.classes[label] == shown.label

    def test_order_and_workers_change_nothing(self, feeding: OnlineDataset) -> None:
        n = len(feeding)
        backwards = {index: feeding[index] for index in range(n + 11, n - 1, -1)}
        loader = DataLoader(
            feeding.epoch(1), batch_size=5, num_workers=2, multiprocessing_context="spawn"
        )
        pixels, labels = (torch.cat(parts)[:12] for parts in zip(*loader, strict=True))
        for index, (image, label) in enumerate(backwards[n + i] for i in range(12)):
            assert torch.equal(pixels[index], image)
            assert labels[index] == label

    def test_a_feed_goes_on_where_it_was_stopped(self, split: Artefact, mix: OnlineMix) -> None:
        eight = OnlineMix.of(split, mix.composites, share=0.5, batch_size=8)
        feed = OnlineFeed(OnlineDataset(eight, input_px=32))
        whole = list(feed.steps(0, 3, slice(None)))
        (last,) = feed.steps(2, 3, slice(None))
        (half,) = feed.steps(2, 3, slice(1, None, 2))
        assert torch.equal(last[0], whole[2][0])
        assert torch.equal(half[0], whole[2][0][1::2])
        assert half[1].tolist() == whole[2][1][1::2].tolist()

    def test_processes_that_feed_leave_ctrl_c_to_their_parent(self) -> None:
        code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
        before = signal.getsignal(signal.SIGINT)
        with deaf_children():
            inside = subprocess.check_output([sys.executable, "-c", code], text=True)
        assert inside == "True\n"
        assert signal.getsignal(signal.SIGINT) is before


class TestRun:
    def test_the_same_run_again_with_more_workers_and_a_kill(
        self, run: Artefact, split: Artefact, online: OnlineComposites, tmp_path: Path
    ) -> None:
        train = partial(train_on_cpu, split, training=ONLINE, checkpoint_every=2)
        with pytest.raises(Killed):
            train(
                tmp_path / "again",
                composites=online,
                track=lambda items, total, what: kill_after(2, items, what),
            )
        again = train(tmp_path / "again", composites=online, workers=2, if_exists="resume")
        assert again.id == run.id
        other = replace(online, seed=6)
        assert train(tmp_path / "other", composites=other).id != run.id

    def test_what_it_showed_can_be_asked_for(self, run: Artefact, split: Artefact) -> None:
        mix = mix_of(run)
        shown = [mix.at(position) for position in range(SMALL.budget_images)]
        made = [one.label for one in shown if not one.is_real]
        seen = run.summary["synthetic_seen"]
        assert {label: made.count(label) for label in seen} == seen
        assert run.summary["composites"] == len(made) > 0
        plain = train_on_cpu(split, run.path.parent / "run-plain", SMALL)
        for label, count in plain.summary["real_seen"].items():
            assert count == run.summary["real_seen"][label] + seen[label]
        with pytest.raises(InputError, match="trained with --bank"):
            mix_of(plain)

    def test_settings_of_real_images_combine_with_it(
        self, split: Artefact, online: OnlineComposites, tmp_path: Path
    ) -> None:
        asked = replace(ONLINE, arm="naturalize+balanced+crops")
        run = train_on_cpu(split, tmp_path / "run", asked, composites=online)
        mix = mix_of(run)
        shown = [mix.at(position) for position in range(SMALL.budget_images)]
        seen = run.summary["synthetic_seen"]
        made = [one.label for one in shown if not one.is_real]
        assert {label: made.count(label) for label in seen} == seen
        counts = [sum(one.label == label for one in shown) for label in seen]
        assert max(counts) - min(counts) <= 1
        assert list(arm_names([run])) == ["naturalize+balanced+crops online"]

    def test_reports_tell_it_from_composites_of_a_folder(
        self, run: Artefact, split: Artefact, composites: Artefact, bank: Artefact, tmp_path: Path
    ) -> None:
        folder = train_on_cpu(split, tmp_path / "run", ONLINE, composites=composites)
        assert list(arm_names([folder, run])) == ["naturalize", "naturalize online"]
        lineage = trace([run])
        assert lineage.bank is not None
        assert lineage.bank.id == bank.id
        assert lineage.composites is None

    def test_a_damaged_train_image_stops_before_training(
        self, split: Artefact, online: OnlineComposites, tmp_path: Path
    ) -> None:
        real = RealSplit.load(split)
        path = real.root / real.train[-1].id
        data = path.read_bytes()
        try:
            path.write_bytes(b"no image")
            with pytest.raises(InputError, match=path.name):
                train_on_cpu(
                    split,
                    tmp_path / "run",
                    ONLINE,
                    composites=online,
                    track=lambda items, total, what: kill_after(0, items, what),
                )
        finally:
            path.write_bytes(data)

    def test_mistakes_are_named(
        self, split: Artefact, online: OnlineComposites, tmp_path: Path
    ) -> None:
        def wrong(says: str, training: Training = ONLINE, **how: object) -> None:
            with pytest.raises(InputError, match=says):
                train_on_cpu(split, tmp_path / "run", training, composites=online, **how)

        wrong("none, as the arm uses none", replace(ONLINE, arm="flips"))
        wrong("none where composites are made online", pack=split)
        wrong("workers: expected at least 1", workers=0)

    def test_the_verb_takes_a_bank_or_a_folder(self, online: OnlineComposites) -> None:
        folder, out = online.bank.path, Path("nowhere")
        with pytest.raises(InputError, match="--bank, --composites: expected one of the two"):
            train_verb(folder, out, bank=folder, composites=folder)
        with pytest.raises(InputError, match="--recipe: expected a --bank"):
            train_verb(folder, out, recipe="paper")
