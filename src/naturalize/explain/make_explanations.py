"""Explain what trained networks answer to some images; write pictures, figures and a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.cutouts.cut_image import find_subject
from naturalize.errors import InputError
from naturalize.explain.explanation import (
    CSV,
    TABLE,
    Explanation,
    by_run,
    explanations_table,
)
from naturalize.explain.gallery import gallery_page
from naturalize.explain.member import Member
from naturalize.explain.paint import COLOURS, Colours, laid_over, painted
from naturalize.explain.pictured import Pictured
from naturalize.explain.score_cam import CamSettings, Heat
from naturalize.explain.trust import means, measure_trust
from naturalize.images import Rgb, encode_png
from naturalize.progress import Track, quiet
from naturalize.seeds import child
from naturalize.segment import Smear
from naturalize.train.pixels import fit_square

PAGE = "gallery.html"


@dataclass(frozen=True)
class Asked:
    """What is to be explained: ``label`` a class, or None for the one each network predicts."""

    label: str | None = None
    settings: CamSettings = field(default_factory=CamSettings)
    colours: Colours = "jet"
    trust: bool = True

    def __post_init__(self) -> None:
        if self.colours not in COLOURS:
            raise InputError("--colours", " or ".join(COLOURS), self.colours)


def make_explanations(
    runs: Sequence[Artefact],
    shown: Sequence[Pictured],
    out: Path,
    *,
    asked: Asked | None = None,
    seed: int = 0,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write an ``explanations`` artefact: pictures, two tables of figures, and a gallery.

    Each of ``runs``, all of one split, explains each of ``shown`` by itself, as a member of the
    ensemble they form.
    """
    asked = Asked() if asked is None else asked
    if not runs or not shown:
        raise InputError("explain", "at least one run and one image", "none")
    splits = {run.manifest["inputs"]["split"]["id"] for run in runs}
    if len(splits) > 1:
        raise InputError("runs", "runs of one split", " and ".join(sorted(splits)))
    members = [Member.load(run) for run in runs]
    _refuse(members, asked)

    def write(draft: Draft) -> None:
        lines = (_explained(draft, members, asked, n, one, seed) for n, one in enumerate(shown, 1))
        text = "".join(track(lines, len(shown), "explaining"))
        found = [Explanation.model_validate_json(line) for line in text.splitlines()]
        draft.write(TABLE, text)
        draft.write(CSV, explanations_table(found))
        draft.write(PAGE, gallery_page(found, asked.settings, draft.path))
        draft.summary.update(images=len(shown), trust=_summary(found))

    parameters = {
        "images": [[one.name, one.sha256] for one in shown],
        "label": asked.label,
        "settings": asdict(asked.settings),
        "colours": asked.colours,
        "trust": asked.trust,
    }
    inputs = {f"run-{i}": run for i, run in enumerate(runs)}
    request = Request("explanations", parameters, inputs, seed)
    return build(out, request, write, if_exists=if_exists)


def _refuse(members: Sequence[Member], asked: Asked) -> None:
    """Refuse a class that a network does not know, and runs one could not tell apart."""
    names = [member.name for member in members]
    if len(set(names)) < len(names):
        raise InputError("runs", "folders of different names", ", ".join(names))
    for member in members:
        if asked.label is not None and asked.label not in member.info.classes:
            raise InputError("--class", f"one of {', '.join(member.info.classes)}", asked.label)


@dataclass(frozen=True, eq=False)
class _Image:
    """An image at work; ``cell`` is its cell in white on black, None where there is none."""

    number: int
    listed: Pictured
    rgb: Rgb
    cell: Rgb | None


def _explained(
    draft: Draft, members: Sequence[Member], asked: Asked, number: int, one: Pictured, seed: int
) -> str:
    """Return one line a member, unless an interrupted run explained the image."""

    def work() -> str:
        rgb = one.read()
        image = _Image(number, one, rgb, _central_cell(rgb) if asked.trust else None)
        found = [_by(draft, member, asked, image, seed) for member in members]
        return "".join(explanation.model_dump_json() + "\n" for explanation in found)

    return draft.remember(f"{number}.jsonl", work)


def _by(draft: Draft, member: Member, asked: Asked, image: _Image, seed: int) -> Explanation:
    """Explain an image by one network and write the pictures."""
    square, classes = member.square(image.rgb), member.info.classes
    answer = member.answer(square)
    predicted = classes[int(answer.argmax())]
    label = asked.label or predicted
    target = classes.index(label)
    heat = member.heat(square, target, asked.settings)
    trust = None
    if asked.trust:
        rng = child(seed, "road", image.listed.sha256)
        mask = None if image.cell is None else member.square(image.cell)[..., 0] > 127
        trust = measure_trust(member, square, heat, target, asked.settings, cell=mask, rng=rng)
    found = Explanation(
        number=image.number,
        image=image.listed.name,
        run=member.name,
        truth=image.listed.truth,
        side=image.listed.side,
        predicted=predicted,
        asked=label,
        probability=round(float(answer[target]), 6),
        flat=not heat.any(),
        trust=trust,
    )
    _draw(draft, found, _at_full_size(member, image.rgb), heat, asked.colours)
    return found


def _draw(draft: Draft, one: Explanation, square: Rgb, heat: Heat, colours: Colours) -> None:
    colour = painted(heat, square.shape[0], colours)
    drawn = {"original": square, "heat": colour, "overlay": laid_over(square, colour)}
    for kind, picture in drawn.items():
        draft.write(one.picture(kind), encode_png(picture))


def _at_full_size(member: Member, rgb: Rgb) -> Rgb:
    """Return the square the network looks at with the image's own pixels."""
    side = min(*rgb.shape[:2], member.info.crop_px or rgb.shape[0])
    return fit_square(rgb, input_px=side, crop_px=side)


def _central_cell(rgb: Rgb) -> Rgb | None:
    """Return the mask of the cell the image shows as a black and white image, if there is one."""
    masks = Smear().segment(rgb)
    subject = find_subject(masks, (rgb.shape[0], rgb.shape[1]))
    if subject is None:
        return None
    return np.repeat(np.uint8(255) * masks[subject].to_image(rgb.shape)[..., None], 3, axis=2)


def _summary(found: Sequence[Explanation]) -> dict[str, dict[str, float | None]]:
    """Return the mean of each figure for each run."""
    return {
        run: means([one.trust for one in own if one.trust is not None])
        for run, own in by_run(found).items()
        if own[0].trust is not None
    }
