"""Score what networks answered when cell and surroundings were parted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from naturalize.artefact import Artefact
from naturalize.audit.edited_side import EditedSide
from naturalize.audit.shortcut_findings import Model, Seen, Shortcuts
from naturalize.audit.views import OTHER, OWN, VIEWS, View
from naturalize.evaluate.alignment import aligned
from naturalize.evaluate.bootstrap import bootstrap_seed_scores
from naturalize.evaluate.compare import PairedDifference, paired_difference
from naturalize.predictions import Predictions
from naturalize.seeds import child

Labels = Sequence[str]
Answers = Mapping[str, Labels]
"""By run, the class it names for each image of a view."""


def score_all(
    side: EditedSide,
    models: Mapping[str, Sequence[Artefact]],
    answers: Mapping[str, Answers],
) -> Shortcuts:
    """Score the ``answers``, by view, of the runs of each model."""
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
        models=tuple(_model(name, runs, side, answers) for name, runs in models.items()),
    )


def _model(
    name: str, runs: Sequence[Artefact], side: EditedSide, answers: Mapping[str, Answers]
) -> Model:
    """Score what the runs of one model answered, view by view."""
    test, classes = side.split.test, side.split.classes
    ids = [sample.id for sample in test]
    stored = [Predictions.load(run.path / "test.npz") for run in runs]
    whole = [aligned(one, ids, classes).labels() for one in stored]
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
    side: EditedSide, view: View, whole: Sequence[Mapping[str, str]], said: Sequence[Labels]
) -> Seen:
    """Score the answers to one view, beside those to the same images as they are."""
    samples = [side.apart[own].sample for own, _ in side.pairs[view.name]]
    other = [side.apart[other].sample.label for _, other in side.pairs[view.name]]
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
    side: EditedSide, runs: Sequence[Artefact], answers: Mapping[str, Answers]
) -> PairedDifference | None:
    """Compare surroundings of another class with those of a cell's own, on cells shown in both."""
    named: list[list[dict[int, str]]] = []
    for view in (OWN, OTHER):
        shown = [own for own, _ in side.pairs[view]]
        named.append([dict(zip(shown, answers[view].get(run.id, ()), strict=True)) for run in runs])
    both = sorted(set(named[0][0]) & set(named[1][0]))
    if not both:
        return None
    own, other = ([[labels[i] for i in both] for labels in some] for some in named)
    samples = [side.apart[i].sample for i in both]
    truth, groups = [s.label for s in samples], [s.group for s in samples]
    rng = child(side.seed, "audit", "sway")
    return paired_difference(truth, own, other, groups, side.split.classes, rng=rng)
