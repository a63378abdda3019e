"""Lessons tell the truth, examples stay true however they are changed, and a network learns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from naturalize.artefact import Artefact
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import load_recipe
from naturalize.compose.scene import Placement
from naturalize.cutouts.bank import CutoutBank
from naturalize.errors import InputError, NaturalizeError
from naturalize.seeds import child
from naturalize.segment import Smear
from naturalize.segment.cell_net import N_RAYS, SEEN, UNIT_PX, unfolded
from naturalize.teach import learn as learning
from naturalize.teach.crowd import crowd_picture, draw_crowd, placed_mask
from naturalize.teach.learn import learn
from naturalize.teach.lesson import Lesson, make_lesson, pack_lessons, unpack_lessons
from naturalize.teach.make_network import NETWORK, make_network
from naturalize.teach.network import CellNetwork, loss_of, to_onnx
from naturalize.teach.pile import piled
from naturalize.teach.vary import SIDE_PX, UNKNOWN, Example, draw_example


@pytest.fixture(scope="module")
def loaded(bank: Artefact) -> CutoutBank:
    return CutoutBank.load(bank)


@pytest.fixture(scope="module")
def lessons(loaded: CutoutBank) -> list[Lesson]:
    made = [make_lesson(loaded, rng=child(0, "lesson", i)) for i in range(6)]
    return [one for one in made if one is not None]


def reach_of(offset: NDArray, rays: NDArray) -> NDArray:
    """Return how far cells reach from their centre towards places ``offset`` (2, n) from it."""
    angle = np.arctan2(offset[0], offset[1]) % (2 * np.pi)
    sector = np.floor(angle / (2 * np.pi) * N_RAYS).astype(int) % N_RAYS
    return np.asarray(rays[sector, np.arange(rays.shape[1])])


def test_crowds_come_from_the_bank_and_repeat(loaded: CutoutBank) -> None:
    one, again = (draw_crowd(loaded, rng=child(3, "crowd")) for _ in range(2))
    assert one == again
    assert all(name in loaded.by_id for name in one.cutouts)


def test_crowds_cut_press_and_add(loaded: CutoutBank) -> None:
    scenes = [draw_crowd(loaded, rng=child(i, "crowd")) for i in range(12)]
    subjects = [
        sum(loaded.by_id[p.cutout].kind == "WBC" for p in scene.placements) for scene in scenes
    ]
    assert max(subjects) > 1
    boxes = [(scene, placed_mask(loaded, p)[1]) for scene in scenes for p in scene.placements[:1]]
    assert any(
        box.top < 0 or box.left < 0 or box.bottom > scene.height_px or box.right > scene.width_px
        for scene, box in boxes
    )


def test_crowds_leave_out_red_cells_that_may_be_two(loaded: CutoutBank) -> None:
    areas = {row.id: row.area_px for row in loaded.bystanders["RBC"][0]}
    usual = float(np.median(list(areas.values())))
    scenes = [draw_crowd(loaded, rng=child(i, "crowd")) for i in range(20)]
    placed = {one.cutout for scene in scenes for one in scene.placements} & set(areas)
    assert max(areas.values()) > 1.4 * usual
    assert max(areas[one] for one in placed) < 1.35 * usual
    assert len(placed) > 0.7 * len(areas)


def of_kind(kind: str, placements: Sequence[Placement], bank: CutoutBank) -> list[Placement]:
    return [one for one in placements if bank.by_id[one.cutout].kind == kind]


def test_piles_move_red_cells_alone_and_onto_one_another(loaded: CutoutBank) -> None:
    scene = draw_scene(load_recipe("recomposed"), loaded, loaded.classes[0], rng=child(0, "pile"))
    cells = of_kind("RBC", scene.placements, loaded)
    spread = [one.model_copy(update={"top": 200 * i, "left": 0}) for i, one in enumerate(cells * 9)]
    others = [one for one in scene.placements if one not in cells]
    rng, again = child(1, "pile"), child(1, "pile")
    made = list(piled([*spread, *others], loaded, rng=rng))
    assert made == list(piled([*spread, *others], loaded, rng=again))
    assert made[len(spread) :] == others
    assert [one.cutout for one in made] == [one.cutout for one in [*spread, *others]]
    distance = []
    for below, own in pairwise(made[: len(spread)]):
        one, other = (placed_mask(loaded, place)[1] for place in (below, own))
        down = one.top + one.height / 2 - other.top - other.height / 2
        right = one.left + one.width / 2 - other.left - other.width / 2
        distance.append(np.hypot(down, right) / other.height)
    near = np.array(distance) < 1.3
    assert 0.3 < near.mean() < 0.9
    assert min(distance) < 0.6


def test_nucleated_cells_hide_what_lies_below_them(loaded: CutoutBank) -> None:
    recipe = load_recipe("recomposed")
    scene = draw_scene(recipe, loaded, loaded.classes[0], rng=child(0, "hide"))
    (subject,) = of_kind("WBC", scene.placements, loaded)
    red = of_kind("RBC", scene.placements, loaded)[0]
    mask, box = placed_mask(loaded, subject)
    below = red.model_copy(
        update={"top": box.top, "left": box.left - loaded.by_id[red.cutout].box.width // 2}
    )
    alone, over = (
        crowd_picture(scene.model_copy(update={"placements": shown}), loaded).astype(int)
        for shown in ((subject,), (subject, below))
    )
    off = np.abs(over - alone).max(axis=2)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
    assert off[box.slices][inner].max() <= 8
    assert off.max() > 30


def test_a_lesson_shows_what_it_says(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        density = lesson.seen.astype(np.float32)[..., 1]
        slide, cells = density[lesson.shown == 0], density[lesson.shown != 0]
        assert np.median(cells) > 5 * abs(np.median(slide))
        nucleated = density[lesson.shown == SEEN.index("WBC")]
        red = density[lesson.shown == SEEN.index("RBC")]
        if nucleated.size and red.size:
            assert np.percentile(nucleated, 90) > np.percentile(red, 90)


def test_owners_lie_in_their_outlines(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        rows, columns = np.nonzero(lesson.owner > 0)
        cells = lesson.cells[lesson.owner[rows, columns] - 1]
        offset = np.stack([rows - cells[:, 0], columns - cells[:, 1]])
        within = np.hypot(*offset) <= reach_of(offset, cells[:, 2:].T) + 1.5
        assert within.mean() > 0.97
        assert (lesson.shown[lesson.owner != 0] > 0).all()
        assert (lesson.owner[lesson.shown == 0] == 0).all()


def test_lessons_are_packed_and_unpacked(lessons: list[Lesson]) -> None:
    again = unpack_lessons(pack_lessons(lessons))
    assert len(again) == len(lessons)
    for one, other in zip(lessons, again, strict=True):
        for name in ("seen", "shown", "owner", "cells"):
            first, second = getattr(one, name), getattr(other, name)
            assert first.dtype == second.dtype
            assert np.array_equal(first, second)


@pytest.mark.parametrize("seed", range(8))
def test_votes_stay_true_when_an_example_is_turned_and_sized(
    lessons: list[Lesson], seed: int
) -> None:
    example = draw_example(lessons[seed % len(lessons)], rng=child(seed, "example"))
    assert example.seen.shape == (12, SIDE_PX // 2, SIDE_PX // 2)
    votes = example.votes[:, example.known] * UNIT_PX
    within = np.hypot(*votes[:2]) <= reach_of(-votes[:2], votes[2:]) + 2
    assert within.mean() > 0.97
    shown = example.shown[1::2, 1::2]
    assert (shown[example.known] > 0).all()
    assert (shown[example.known] != UNKNOWN).all()


def tensors(examples: list[Example]) -> list[torch.Tensor]:
    names = ("seen", "shown", "votes", "known")
    return [torch.from_numpy(np.stack([getattr(e, n) for e in examples])) for n in names]


def test_the_right_answer_costs_nothing(lessons: list[Lesson]) -> None:
    examples = [draw_example(lesson, rng=child(1, "right")) for lesson in lessons[:2]]
    _, shown, votes, known = tensors(examples)
    answer = torch.zeros(2, 16 + 2 + N_RAYS, 64, 64)
    right = torch.nn.functional.one_hot(shown.long().clamp(max=3), 4).permute(0, 3, 1, 2) * 40.0
    answer[:, :16] = torch.nn.functional.pixel_unshuffle(right, 2)
    answer[:, 16:] = votes
    assert float(loss_of(answer, shown, votes, known)) < 1e-4
    assert float(loss_of(torch.zeros_like(answer), shown, votes, known)) > 1
    shares, told = unfolded(answer[0].numpy())
    asked = examples[0].shown != UNKNOWN
    assert (shares.argmax(axis=0)[asked] == examples[0].shown[asked]).all()
    assert np.array_equal(told, examples[0].votes)


def test_onnxruntime_says_what_torch_says() -> None:
    torch.manual_seed(0)
    network = CellNetwork().eval()
    net = InferenceSession(to_onnx(network), providers=["CPUExecutionProvider"])
    for side in (64, 96):
        seen = np.random.default_rng(side).random((1, 12, side, 64), np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(seen)).numpy()
        assert np.abs(net.run(["told"], {"seen": seen})[0] - expected).max() < 1e-4


def test_a_network_learns(lessons: list[Lesson], tmp_path: Path) -> None:
    _, losses = learn(lessons, steps=24, seed=0, checkpoint=tmp_path / "state.safetensors")
    assert losses[-4:].mean() < 0.7 * losses[:4].mean()


def test_interrupted_learning_ends_the_same(
    lessons: list[Lesson], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "_SAVE_EVERY", 2)
    whole, losses = learn(lessons, steps=4, seed=1, checkpoint=tmp_path / "whole")

    def stop(items, total, what):
        yield from list(items)[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(lessons, steps=4, seed=1, checkpoint=tmp_path / "cut", track=stop)
    again, losses_again = learn(lessons, steps=4, seed=1, checkpoint=tmp_path / "cut")
    assert np.array_equal(losses, losses_again)
    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_loss_that_is_no_number_stops(lessons: list[Lesson], tmp_path: Path) -> None:
    broken = [Lesson(one.seen * np.float16(np.nan), *_truth(one)) for one in lessons]
    with pytest.raises(NaturalizeError, match="no longer a number"):
        learn(broken, steps=1, seed=0, checkpoint=tmp_path / "state")


def _truth(lesson: Lesson) -> tuple[NDArray, NDArray, NDArray]:
    return lesson.shown, lesson.owner, lesson.cells


def test_a_taught_network_segments(bank: Artefact, tmp_path: Path) -> None:
    made = make_network(bank, tmp_path / "network", lessons=4, steps=2, workers=1)
    assert made.summary["lessons"] <= 4
    assert not list(made.path.rglob("*.npz"))
    taught = Smear(network=str(made.path / NETWORK))
    assert taught.parameters()["network"] != Smear().parameters()["network"]
    picture = np.full((200, 200, 3), 240, np.uint8)
    assert taught.segment(picture) == []


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no network")
    for file in (bad, tmp_path / "none.onnx"):
        with pytest.raises(InputError, match="network"):
            Smear(network=str(file))


@pytest.mark.parametrize("wrong", [{"lessons": 0}, {"steps": 0}])
def test_numbers_below_one_are_refused(
    wrong: dict[str, int], bank: Artefact, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"--{next(iter(wrong))}"):
        make_network(bank, tmp_path / "network", **wrong)
    assert not (tmp_path / "network").exists()
