"""Does a trained network look at the cell? Its answers when cell and surroundings are parted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.audit.shortcut_findings import SHORTCUTS, Model, Seen, Shortcuts
from naturalize.audit.shortcut_page import shortcut_page
from naturalize.audit.taken_apart import TakenApart, sources_of, take_apart
from naturalize.audit.views import OTHER, OWN, VIEWS, View
from naturalize.curate.finding import TABLE as FINDINGS
from naturalize.datasets.manifest import read_table
from naturalize.errors import InputError
from naturalize.evaluate.alignment import aligned_labels
from naturalize.evaluate.bootstrap import bootstrap_seed_scores
from naturalize.evaluate.compare import PairedDifference, paired_difference
from naturalize.predictions import Predictions
from naturalize.progress import Track, quiet
from naturalize.seeds import child
from naturalize.split.split import RealSplit
from naturalize.train.pixels import load_pixels
from naturalize.train.predict import predict
from naturalize.train.trained_model import ModelInfo, load_model

PAGE = "shortcuts.html"
BATCH = 32
Labels = Sequence[str]
Answers = Mapping[str, Labels]
Networks = Mapping[str, tuple[nn.Module, ModelInfo]]


@dataclass(frozen=True, eq=False)
class TestSide:
    """The test images of a split, those taken apart, and why others were not."""

    split: RealSplit
    apart: tuple[TakenApart, ...]
    left_out: Mapping[str, Mapping[str, int]]
    seed: int

    def partners(self, view: View) -> tuple[list[int], list[int]]:
        """Return the images that can be shown so, and whose surroundings each gets."""
        drawn = view.partners(self.apart, seed=self.seed)
        pairs = [(own, other) for own, other in enumerate(drawn) if other is not None]
        return [own for own, _ in pairs], [other for _, other in pairs]


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

    networks = [load_model(run) for run in runs]

    def write(draft: Draft) -> None:
        side = _taken_apart(runs[0].input("split"), seed, track)
        asked = dict(zip([run.id for run in runs], networks, strict=True))
        answers = {view.name: _answers(draft, asked, side, view, track) for view in VIEWS}
        whole = _shortcuts(
            side, [_model(name, some, side, answers) for name, some in models.items()]
        )
        draft.write(SHORTCUTS, whole.model_dump_json(indent=1) + "\n")
        draft.write(PAGE, shortcut_page(whole, side.apart, seed=seed))
        draft.summary.update(images=whole.n, taken_apart=whole.apart)

    inputs = {f"run-{i}": run for i, run in enumerate(runs)}
    return build(out, Request("shortcuts", {}, inputs, seed), write, if_exists=if_exists)


def _taken_apart(split: Artefact, seed: int, track: Track) -> TestSide:
    curated = split.input("curated")
    known = read_table(curated.path / FINDINGS) if curated.kind == "curated" else []
    sources, real = sources_of(known), RealSplit.load(split)
    tried = [
        (sample, take_apart(real.root, sample, sources.get(sample.id, "")))
        for sample in track(real.test, len(real.test), "finding cells")
    ]
    reasons: dict[str, Counter[str]] = {}
    for sample, found in tried:
        if isinstance(found, str):
            reasons.setdefault(found, Counter())[sample.label] += 1
    apart = tuple(found for _, found in tried if isinstance(found, TakenApart))
    if not apart:
        raise InputError("split", "test images with a cell at the centre", "none")
    return TestSide(real, apart, {why: dict(count) for why, count in reasons.items()}, seed)


def _answers(draft: Draft, networks: Networks, side: TestSide, view: View, track: Track) -> Answers:
    """Return, by run, the class it names for each image that can be shown so."""
    own, others = side.partners(view)
    readers = [
        partial(view.show, side.apart[i], side.apart[j]) for i, j in zip(own, others, strict=True)
    ]

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

    if not own:
        return {}
    answers: Answers = json.loads(draft.remember(f"{view.name}.json", work))
    return answers


def _model(
    name: str, runs: Sequence[Artefact], side: TestSide, answers: Mapping[str, Answers]
) -> Model:
    """Score what the runs of one model answered, view by view."""
    test, classes = side.split.test, side.split.classes
    ids = [sample.id for sample in test]
    stored = [Predictions.load(run.path / "test.npz") for run in runs]
    whole = [aligned_labels(one, ids, classes) for one in stored]
    truth, groups = [s.label for s in test], [s.group for s in test]
    by_id = [dict(zip(ids, labels, strict=True)) for labels in whole]
    return Model(
        name=name,
        runs=tuple(run.path.name for run in runs),
        whole=bootstrap_seed_scores(truth, whole, groups, classes, rng=child(side.seed, "audit")),
        sway=_sway(side, runs, answers),
        seen=tuple(
            _seen(side, view, by_id, [answers[view.name][run.id] for run in runs])
            for view in VIEWS
            if answers[view.name]
        ),
    )


def _seen(
    side: TestSide, view: View, whole: Sequence[Mapping[str, str]], said: Sequence[Labels]
) -> Seen:
    """Score the answers to one view, beside those to the same images as they are."""
    own, others = side.partners(view)
    samples = [side.apart[i].sample for i in own]
    other = [side.apart[j].sample.label for j in others]
    truth, groups = [s.label for s in samples], [s.group for s in samples]
    before = [[labels[s.id] for s in samples] for labels in whole]
    classes, draws = side.split.classes, partial(child, side.seed, "audit", view.name)
    follows = follows_whole = None
    if view.suits is not None and not any(t == o for t, o in zip(truth, other, strict=True)):
        follows, follows_whole = (
            bootstrap_seed_scores(other, labels, groups, classes, rng=draws()).accuracy
            for labels in (said, before)
        )
    return Seen(
        view=view.name,
        n=len(samples),
        scores=bootstrap_seed_scores(truth, said, groups, classes, rng=draws()),
        whole=bootstrap_seed_scores(truth, before, groups, classes, rng=draws()),
        change=paired_difference(truth, before, said, groups, classes, rng=draws()),
        follows=follows,
        follows_whole=follows_whole,
    )


def _sway(
    side: TestSide, runs: Sequence[Artefact], answers: Mapping[str, Answers]
) -> PairedDifference | None:
    """Compare surroundings of another class with those of a cell's own, on cells shown in both."""
    views = [view for view in VIEWS if view.name in (OWN, OTHER)]
    named: list[list[dict[int, str]]] = []
    for view in views:
        shown, _ = side.partners(view)
        found = answers[view.name]
        named.append([dict(zip(shown, found[run.id], strict=True)) for run in runs if found])
    if not all(named):
        return None
    both = sorted(set(named[0][0]) & set(named[1][0]))
    own, other = ([[labels[i] for i in both] for labels in some] for some in named)
    samples = [side.apart[i].sample for i in both]
    truth, groups = [s.label for s in samples], [s.group for s in samples]
    rng = child(side.seed, "audit", "sway")
    return paired_difference(truth, own, other, groups, side.split.classes, rng=rng)


def _shortcuts(side: TestSide, models: Sequence[Model]) -> Shortcuts:
    labels = Counter(one.sample.label for one in side.apart)
    sources = Counter(one.source for one in side.apart)
    return Shortcuts(
        split=side.split.id,
        seed=side.seed,
        classes=side.split.classes,
        n=len(side.split.test),
        n_groups=len({sample.group for sample in side.split.test}),
        apart=len(side.apart),
        left_out={why: dict(count) for why, count in side.left_out.items()},
        sources={name or "main": n for name, n in sources.most_common()},
        commonest=max(labels.values()) / len(side.apart),
        models=tuple(models),
    )
