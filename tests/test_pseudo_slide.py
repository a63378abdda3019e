from __future__ import annotations

from naturalize.artefact import Artefact
from naturalize.curate.pseudo_slide import light_and_stain, pseudo_slides
from naturalize.datasets.phantom import render, sample_slide
from naturalize.seeds import child
from naturalize.split.split import RealSplit


def test_images_of_one_slide_are_alike_and_those_of_others_are_not() -> None:
    def figures(slide: int, cell: int) -> list[float]:
        drawn = render("LY", rng=child(cell, "c"), slide=sample_slide(child(slide, "s")))
        return light_and_stain(drawn.image)[:3].tolist()

    for slide in range(3):
        same = [figures(slide, cell) for cell in (0, 1)]
        other = figures(slide + 5, 0)
        far = [sum(abs(a - b) for a, b in zip(same[0], x, strict=True)) for x in (same[1], other)]
        assert far[0] < far[1]


def test_groups_stay_whole_and_nothing_depends_on_chance(split: Artefact) -> None:
    real = RealSplit.load(split)
    samples = real.train
    found = pseudo_slides(real.root, samples, seed=1)
    assert found == pseudo_slides(real.root, samples, seed=1)
    assert found.keys() == {sample.id for sample in samples}
    together: dict[str, set[str]] = {}
    for sample in samples:
        together.setdefault(sample.group, set()).add(found[sample.id])
    assert all(len(slides) == 1 for slides in together.values())
