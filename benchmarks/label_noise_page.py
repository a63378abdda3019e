"""The page that tells how many labels are wrong, and what that leaves to reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segment_page import table

Figures = Mapping[str, Any]

COLUMNS = {
    "wrong": "labels wrong, of all test images",
    "accuracy": "accuracy of a perfect reader",
    "macro_f1": "its macro F1",
}
ENDS = {"lower": "both judges side against the label", "upper": "either does, or is unsure"}
LIMITS = """## What this does not show

- Both judgements are readings by one vision-language model in one session, the second with the
  images in another order, newly numbered, names swapped at random. **No haematologist has looked.**
  The same reader shares its mistakes with itself, so that the agreement says less than that of two
  persons.
- Labels that networks share are not counted: who learns from labels of one habit repeats the habit.
  Only what networks contradict is held against the labels, so the real share may be higher.
- Controls are of the same label with the same class in second place, where there are such images,
  but networks agree with them: they are easier than what networks contradict. A judge's false
  alarms may be more frequent there, and the real share lower.
- These judges draw the line between myelocyte and promyelocyte elsewhere than whoever filed the
  images: what stands between the two they call a promyelocyte, controls too. Of such pairs the
  judgements say next to nothing, nor does anything that is made of them.
- Taking controls off pair by pair was added, and a division by their right share (Rogan and Gladen
  1978) given up, after the key was opened: where nearly all controls are called wrong, that
  division declares every contradicted label wrong. The plain difference errs to the low side.
- The perfect reader is one who answers as the networks do where the label is wrong and as the label
  everywhere else; judges are taken to overlook no wrong label among the contradicted."""


def page(result: Figures) -> str:
    """Return the figures as Markdown."""
    said = result["said"]
    drawn = {name: sum(one["judge 1"].values()) for name, one in said.items()}
    head = [
        "# How many labels are wrong",
        "Made by `python benchmarks/label_noise.py`: `draw RUN...`, two judgements, `score` "
        "on this folder (`key.csv`, `drawn.json`, `judgements-1.csv` and `-2.csv`).",
        _headline(result),
        f"{result['images']:,} test images (PBC, split `{result['split']}`, "
        f"{result['groups']:,} groups), none seen in training; the mean answer of "
        f"{len(result['runs'])} runs ({', '.join(result['runs'])}). It contradicts the label of "
        f"{drawn['contradicted']} images, of {drawn.get('contradicted with confidence', 0)} with "
        "confidence (confident learning, Northcutt, Jiang and Chuang 2021: the label's probability "
        "is below the mean that images of that label get, another's is not below its own). For "
        f"each a control was drawn, {drawn['controls']} in all: the same label, the same class in "
        "second place where there is such an image, and networks that agree with the label. All "
        "were shuffled and shown twice as large, with two names, A and B, in random order: the "
        "label and what networks say (for controls, say second). The judges did not know which was "
        "which, nor which image was a control.",
    ]
    return "\n\n".join([*head, _ranges(result), _judges(result), _pairs(result), LIMITS]) + "\n"


def _headline(result: Figures) -> str:
    """Return the range over both rules, controls taken off and not."""
    ways = [way for way in result["lower"] if way != "as judged"]
    off, raw = (
        [result[end][way] for end in ENDS for way in some] for some in (ways, ["as judged"])
    )
    return (
        f"**Of 100 test labels {_shares(off)} are wrong as far as two readings by a "
        f"vision-language model can tell, beyond what they say of controls ({_shares(raw)} without "
        "taking that off). A perfect reader would then reach an accuracy of "
        f"{_scores(off, 'accuracy')} and a macro F1 of {_scores(off, 'macro_f1')} "
        f"({_scores(raw, 'accuracy')} and {_scores(raw, 'macro_f1')}).** These are the ends of the "
        "rules below; intervals come on top."
    )


def _shares(found: Sequence[Figures]) -> str:
    values = [100 * one["wrong"]["value"] for one in found]
    return f"{min(values):.1f} to {max(values):.1f}"


def _scores(found: Sequence[Figures], name: str) -> str:
    values = [one[name]["value"] for one in found]
    return " to ".join(f"{value:.3f}"[1:] for value in (min(values), max(values)))


def _ranges(result: Figures) -> str:
    rows = [
        [f"{words}, {way}", *(_told(one[key]) for key in COLUMNS)]
        for end, words in ENDS.items()
        for way, one in result[end].items()
    ]
    return (
        "## The range\n\nA label counts as wrong by one of two rules. The share of controls of "
        "which the same rule says so is taken off: of all together, or of each pair of classes "
        "that has five (the others together). 95% intervals resample groups.\n\n"
        + table(["a label is wrong where", *COLUMNS.values()], rows)
    )


def _judges(result: Figures) -> str:
    head = ["", "images", "against the label: judge 1", "judge 2", "both", "unsure: 1", "2",
            "alike", "Cohen's kappa"]  # fmt: skip
    rows = []
    for name, said in result["said"].items():
        counts = [said[f"judge {judge}"] for judge in (1, 2)]
        agreed = result["agreement"][name]
        against = [one.get("against", 0) for one in counts]
        unsure = [one.get("unsure", 0) for one in counts]
        both = said["both against"]
        share = f"{both['good']} ({both['value']:.2f} [{both['low']:.2f}, {both['high']:.2f}])"
        kappa = "none" if agreed["kappa"] is None else f"{agreed['kappa']:.2f}"
        told = f"{100 * agreed['alike']:.0f}%"
        rows.append([name, both["n"], *against, share, *unsure, told, kappa])
    return "## What the judges said\n\nWilson intervals.\n\n" + table(head, rows)


def _pairs(result: Figures) -> str:
    head = ["label / the other name", "contradicted", "both against", "controls", "both against"]
    keys = ("contradicted", "contradicted, both against", "controls", "controls, both against")
    rows = [[name, *(one.get(key, 0) for key in keys)] for name, one in result["pairs"].items()]
    return "## Pair of classes by pair\n\n" + table(head, rows)


def _told(found: Mapping[str, float]) -> str:
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
