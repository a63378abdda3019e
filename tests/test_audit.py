"""Audits: pools that share nothing, figures that mean what they say, probes that can see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from naturalize.artefact import Artefact
from naturalize.audit.auc import auc
from naturalize.audit.crop_probe import CropProbe
from naturalize.audit.findings import Finding, Findings, shipped_findings
from naturalize.audit.make_audit import make_audit
from naturalize.audit.pictures import composed_pictures, real_pictures, two_draws
from naturalize.audit.pools import Pool, two_pools
from naturalize.audit.sheet import SHOWN, write_sheet
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import Encode, load_recipe
from naturalize.cutouts.bank import CutoutBank
from naturalize.evaluate.bootstrap import Interval
from naturalize.images import Rgb
from naturalize.split.split import RealSplit


@pytest.fixture(scope="module")
def pools(bank: Artefact, split: Artefact) -> tuple[Pool, Pool]:
    train = RealSplit.load(split).train
    return two_pools(CutoutBank.load(bank), train, rng=np.random.default_rng(0))


def test_pools_share_no_image_group_or_cutout(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    for what in ("id", "group", "sha256"):
        assert not {getattr(s, what) for s in a.samples} & {getattr(s, what) for s in b.samples}
    assert not {row.id for row in a.bank.rows} & {row.id for row in b.bank.rows}
    assert abs(len(a.samples) - len(b.samples)) <= 1


def test_composites_of_a_pool_come_from_that_pool_alone(pools: tuple[Pool, Pool]) -> None:
    pool = pools[1]
    names = {sample.id for sample in pool.samples}
    for seed in range(6):
        label = pool.samples[seed].label
        if not pool.bank.subjects(label):
            continue
        rng = np.random.default_rng(seed)
        scene = draw_scene(load_recipe("naturalize"), pool.bank, label, rng=rng)
        assert scene.plate in names
        assert {pool.bank.by_id[p.cutout].sample_id for p in scene.placements} <= names


def test_draws_are_alike_in_class_and_apart(pools: tuple[Pool, Pool]) -> None:
    one, two = two_draws(pools[0], 6, rng=np.random.default_rng(0))
    assert sorted(s.label for s in one) == sorted(s.label for s in two)
    assert not {s.id for s in one} & {s.id for s in two}
    assert 1 <= len(one) <= 6


def test_composites_match_real_images_in_class_size_and_encode(
    pools: tuple[Pool, Pool], split: Artefact
) -> None:
    samples, _ = two_draws(pools[0], 3, rng=np.random.default_rng(0))
    real = real_pictures(RealSplit.load(split).root, samples, Encode(quality=10))
    made = composed_pictures(pools[0], samples, load_recipe("naturalize"), seed=0)
    assert [rgb.shape for rgb in real] == [rgb.shape for rgb in made]
    steps = np.abs(np.diff(real[0].astype(int), axis=1)).mean(axis=(0, 2))
    assert steps[7::8].mean() > 1.5 * np.delete(steps, np.s_[7::8]).mean()


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    real, made = rng.normal(0, 1, 80), rng.normal(1, 1, 70)
    found = auc(real, made, rng=rng)
    assert found.value == pytest.approx((made[:, None] > real).mean())
    assert found.low < found.value < found.high
    assert auc(made, made.copy(), rng=rng).value == pytest.approx(0.5)


def test_the_crop_probe_sees_grain_and_nothing_where_there_is_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("naturalize.audit.crop_probe.STEPS", 30)
    monkeypatch.setattr("naturalize.audit.crop_probe.BATCH", 16)
    rng = np.random.default_rng(1)

    def pictures(spread: float) -> list[Rgb]:
        drawn = rng.normal(200, spread, (30, 96, 96, 3))
        return list(np.clip(drawn, 0, 255).astype(np.uint8))

    probe = CropProbe()
    same = probe.scores(pictures(4), pictures(4), [pictures(4), pictures(4)], seed=0)
    assert 0.25 < auc(*same, rng=rng).value < 0.75
    told = probe.scores(pictures(4), pictures(12), [pictures(4), pictures(12)], seed=0)
    assert auc(*told, rng=rng).value > 0.95


def test_an_audit_of_a_phantom(
    bank: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naturalize.audit.crop_probe.STEPS", 2)
    recipe = load_recipe("naturalize")
    made = make_audit(bank, tmp_path / "audit", recipe=recipe, count=4)
    found = Findings.load(made)
    assert {f.trial for f in found.found} == {"real against real", "naturalize", "alpha"}
    assert {f.probe for f in found.found} == {"frozen", "crops"}
    assert all(0 <= f.auc.low <= f.auc.value <= f.auc.high <= 1 for f in found.found)
    assert "alpha" in (made.path / "audit.html").read_text()


def test_over_the_limit_is_told_by_the_upper_end(bank: Artefact) -> None:
    recipe = load_recipe("naturalize")
    known = [
        Finding(probe=probe, trial="naturalize", auc=Interval(0.55, 0.5, high), n=9)
        for probe, high in (("frozen", 0.61), ("crops", 0.69))
    ]
    limits = {"frozen": 0.6, "crops": 0.7}
    findings = Findings(recipe=recipe, bank="", seed=0, limits=limits, found=tuple(known))
    assert [f.probe for f in findings.over_limit()] == ["frozen"]


def test_shipped_findings_are_about_that_very_recipe() -> None:
    recipe = load_recipe("naturalize")
    assert shipped_findings(recipe) is not None
    assert shipped_findings(recipe.model_copy(update={"overlap": 0.31})) is None


def test_a_sheet_shuffles_and_holds_its_key(bank: Artefact, tmp_path: Path) -> None:
    page = write_sheet(bank, tmp_path / "sheet.html", recipe=load_recipe("naturalize"))
    text = page.read_text()
    shown = text.count("<img ")
    assert 2 <= shown <= 2 * SHOWN
    key = text[text.index("Which were real") :]
    assert key.count("composite") == shown // 2
