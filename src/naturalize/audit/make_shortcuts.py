"""Does a trained network look at the cell? Its answers when cell and surroundings are parted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from torch import nn

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.audit.edited_side import EditedSide
from naturalize.audit.shortcut_findings import SHORTCUTS
from naturalize.audit.shortcut_page import shortcut_page
from naturalize.audit.shortcut_scores import Answers, score_all
from naturalize.audit.views import VIEWS, View
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.train.pixels import load_pixels
from naturalize.train.predict import predict
from naturalize.train.trained_model import ModelInfo, load_model

PAGE = "shortcuts.html"
BATCH = 32
Networks = Mapping[str, tuple[nn.Module, ModelInfo]]


def make_shortcuts(
    models: Mapping[str, Sequence[Artefact]],
    out: Path,
    *,
    seed: int = 0,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``shortcuts`` artefact: ``shortcuts.json`` and a page.

    ``models`` holds, by name, runs of one split that differ in their seed. Test images are edited
    in memory; intervals resample groups and seeds.
    """
    runs = [run for some in models.values() for run in some]
    (split_id, *others) = {run.manifest["inputs"]["split"]["id"] for run in runs}
    if others:
        raise InputError("runs", f"runs of split {split_id}", f"one of {others[0]}")
    networks = {run.id: load_model(run) for run in runs}

    def write(draft: Draft) -> None:
        side = EditedSide.of(runs[0].input("split"), seed=seed, track=track)
        answers = {view.name: _answers(draft, networks, side, view, track) for view in VIEWS}
        whole = score_all(side, models, answers)
        draft.write(SHORTCUTS, whole.model_dump_json(indent=1) + "\n")
        draft.write(PAGE, shortcut_page(whole, side))
        draft.summary.update(images=whole.n, taken_apart=whole.apart)

    inputs = {f"run-{i}": run for i, run in enumerate(runs)}
    return build(out, Request("shortcuts", {}, inputs, seed), write, if_exists=if_exists)


def _answers(
    draft: Draft, networks: Networks, side: EditedSide, view: View, track: Track
) -> Answers:
    """Return, by run, the class it names for each image that can be shown so."""
    apart = side.apart
    readers = [partial(view.show, apart[own], apart[other]) for own, other in side.pairs[view.name]]

    def work() -> str:
        shown, found = {}, {}
        for run, (network, info) in networks.items():
            size = info.input_px, info.crop_px
            if size not in shown:
                shown[size] = load_pixels(
                    readers, input_px=size[0], crop_px=size[1], what=view.title, track=track
                )
            answers = predict(
                network,
                shown[size],
                mean=info.mean,
                std=info.std,
                views=info.views,
                batch_size=BATCH,
            )
            found[run] = [info.classes[i] for i in answers.argmax(axis=1)]
        return json.dumps(found)

    if not readers:
        return {}
    answers: Answers = json.loads(draft.remember(f"{view.name}.json", work))
    return answers
