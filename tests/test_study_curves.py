"""Curves of a study: what lies on which, and that none of a dose is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from naturalize.study.curves import curves
from naturalize.study.results import StudyResults
from naturalize.study.spec import Spec

PUBLISHED = Path(__file__).parents[1] / "docs" / "results" / "blend" / "results.json"
DOSES = (0.5, 1, 2, 4, 8, 16, 32, 64)


def of_doses(curve: str = "dose") -> StudyResults:
    """Return results of an arm without composites, its control, eight doses and another share."""
    composed = {"recipe": "naturalize", "dose": 1, "shows": "originals"}
    arms = {"flips": {"train": "flips"}, "dose 0": {"train": "naturalize", "composed": composed}}
    for dose in DOSES:
        arms[f"dose {dose}"] = {"train": "naturalize", "composed": {"dose": dose}}
    arms["less"] = {"train": "naturalize", "composed": {"dose": 4, "share": 0.25}}
    given = {"name": "d", "question": "?", "arms": arms, "curve": curve, "sizes": [25]}
    found = StudyResults.model_validate_json(PUBLISHED.read_bytes())
    (block,) = found.blocks
    scored = tuple(block.report.arms[0].model_copy(update={"name": name}) for name in arms)
    report = block.report.model_copy(update={"arms": scored, "comparisons": ()})
    blocks = (block.model_copy(update={"report": report}),)
    return found.model_copy(update={"spec": Spec.model_validate(given), "blocks": blocks})


def points_of(drawn: str) -> list[int]:
    """Return how many points each curve has, in order."""
    return [len(one.split()) for one in re.findall(r'<polyline points="([^"]*)"', drawn)]


def test_doses_are_one_curve_whatever_their_number() -> None:
    assert points_of(str(curves(of_doses()))) == [1, 1 + len(DOSES), 1]


def test_over_size_each_arm_is_a_curve_as_far_as_colours_go() -> None:
    assert points_of(str(curves(of_doses("size")))) == [1] * 7


def test_arms_not_run_have_no_point() -> None:
    found = of_doses()
    (block,) = found.blocks
    report = block.report.model_copy(update={"arms": block.report.arms[2:4]})
    fewer = found.model_copy(update={"blocks": (block.model_copy(update={"report": report}),)})
    assert points_of(str(curves(fewer))) == [2]


def test_curves_over_size_need_sizes() -> None:
    with pytest.raises(ValueError, match="curve size goes with sizes"):
        Spec.model_validate(
            {"name": "d", "question": "?", "arms": {"a": {"train": "none"}}, "curve": "size"}
        )
