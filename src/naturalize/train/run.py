"""One training from a split to a run: weights, loss curve and predictions."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from naturalize.artefact import Artefact, Draft, IfExists, Request, build, open_artefact
from naturalize.compose.online import OnlineComposites
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.seeds import child_seed
from naturalize.split.split import Side
from naturalize.train.cbam import Merge, Spatial
from naturalize.train.fit import Keep, Mode, Watch, unwatched
from naturalize.train.frozen import freeze
from naturalize.train.growth import check_growth
from naturalize.train.learn import Circumstances, Learned, learn
from naturalize.train.memory import shortage_told
from naturalize.train.open_feed import decode, open_feed
from naturalize.train.pack import Pack
from naturalize.train.plan import Plan, make_plan
from naturalize.train.plan_model import Choice
from naturalize.train.processes import Precision, start_accelerator, told_by_first
from naturalize.train.run_files import PREDICTIONS, write_run
from naturalize.train.trained_model import build_network, join, load_model

BUDGET_IMAGES = 40_000
VALIDATIONS = 5
_SCRATCH = "checkpoint"

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Work:
    """A planned training, and where its pixels come from."""

    plan: Plan
    pack: Pack | None
    workers: int


def train_run(
    split: Artefact,
    out: Path,
    *,
    composites: Artefact | OnlineComposites | None = None,
    pack: Artefact | None = None,
    arm: str = "flips",
    share: float | None = None,
    model: str = "efficientnet-lite0",
    mode: Mode = "finetune",
    weights: str | None = None,
    branches: Sequence[Artefact] = (),
    merge: Merge = "concat",
    spatial: Spatial = "cbam",
    budget_images: int = BUDGET_IMAGES,
    batch_size: int = 64,
    learning_rate: float | None = None,
    layer_decay: float = 1.0,
    frozen: int = 0,
    ema: float = 0.0,
    keep: Keep = "last",
    validations: int = VALIDATIONS,
    precision: Precision | None = None,
    input_px: int | None = None,
    crop_px: int | None = 256,
    views: int = 1,
    seed: int = 0,
    device: str | None = None,
    workers: int = 1,
    checkpoint_every: int | None = None,
    features: Path | None = None,
    if_exists: IfExists = "refuse",
    watch: Watch = unwatched,
    track: Track = quiet,
) -> Artefact:
    """Train ``model`` on the train side of ``split`` and predict the other two; a ``run`` artefact.

    ``arm``, ``share`` as in :func:`~naturalize.train.arms.find_arm`; ``composites`` are for arms
    with a synthetic share, a folder of them or made as training goes, in ``workers`` processes;
    their donors are proven train images before one is read. The budget counts images shown, rounded
    up to whole batches, and is spent whatever the loss does; each arm shows each class equally
    often.
    With a ``pack`` of the same split and composites, pixels come from it and the image files are
    not needed. ``model`` ``cbam`` is a head over two networks: those of the runs ``branches``, of
    the same split, or new ones; see :class:`~naturalize.train.cbam.Cbam`. ``weights`` as in
    :func:`~naturalize.train.weight_sources.resolve_weights`; ``learning_rate``, ``input_px`` None:
    those of the mode and the backbone; ``crop_px`` as in
    :func:`~naturalize.train.pixels.fit_square`; ``views`` as in
    :func:`~naturalize.train.predict.predict`, for what the run answers in the end; ``device`` as in
    :func:`~naturalize.train.processes.start_accelerator`; ``checkpoint_every`` steps, None: 30
    seconds. ``layer_decay``, ``frozen``, ``ema``, ``keep``, ``validations``, ``precision`` as in
    :class:`~naturalize.train.fit.FitSettings`; ``features`` is a folder where a ``transfer`` keeps
    what the frozen base sees, for the next head; ``watch`` hears how training goes. Started by
    torchrun, each process takes its share of every batch and the first one writes.

    The folder holds ``model.safetensors``, ``model.json``, ``metrics.csv``, ``val.npz`` and
    ``test.npz``. On the CPU of one machine, with one number of threads, a repeated or resumed run
    has the same id. Raises :class:`InputError`, :class:`~naturalize.errors.LeakError`, and
    :class:`~naturalize.errors.NaturalizeError` where training diverges.
    """
    plan = make_plan(
        split,
        composites,
        arm=arm,
        share=share,
        choice=Choice(model, weights, input_px, crop_px, views, tuple(branches), merge, spatial),
        mode=mode,
        budget_images=budget_images,
        batch_size=batch_size,
        learning_rate=learning_rate,
        layer_decay=layer_decay,
        frozen=frozen,
        ema=ema,
        keep=keep,
        validations=validations,
        precision=precision,
        seed=seed,
    )
    if workers < 1:
        raise InputError("workers", "at least 1", workers)
    inputs = _inputs(split, composites, pack)
    inputs |= {f"branch-{number}": run for number, run in enumerate(branches)}
    packed = Pack.load(pack, split, inputs.get("composites"), crop_px) if pack else None
    how = Circumstances(
        start_accelerator(device, precision),
        checkpoint_every=checkpoint_every,
        features=features,
        watch=watch,
        track=track,
    )
    work = Work(plan, packed, workers)
    if not how.accelerator.is_main_process:
        return _follow(out, work, replace(how, watch=unwatched, track=quiet))
    return _lead(out, Request("run", plan.parameters(), inputs, seed), work, how, if_exists)


def _lead(
    out: Path, request: Request, work: Work, how: Circumstances, if_exists: IfExists
) -> Artefact:
    """Write the run; the other processes, if any, are told where training keeps its state."""
    begun = False

    def write(draft: Draft) -> None:
        nonlocal begun
        begun = True
        scratch = draft.path / _SCRATCH
        told_by_first(str(scratch))
        network, learned = _carry_out(work, replace(how, scratch=scratch))
        write_run(draft, work.plan, network, learned, how.accelerator)
        shutil.rmtree(scratch)

    made = build(out, request, write, if_exists=if_exists)
    if not begun:
        told_by_first(None)
    how.accelerator.wait_for_everyone()
    return made


def _follow(out: Path, work: Work, how: Circumstances) -> Artefact:
    """Take part in a training that another process writes; open what it wrote."""
    scratch = told_by_first(None)
    if scratch is not None:
        _carry_out(work, replace(how, scratch=Path(scratch)))
    how.accelerator.wait_for_everyone()
    return open_artefact(out, "run")


def _inputs(
    split: Artefact, composites: Artefact | OnlineComposites | None, pack: Artefact | None
) -> dict[str, Artefact]:
    if isinstance(composites, OnlineComposites):
        if pack is not None:
            raise InputError("pack", "none where composites are made online", pack.path)
        return {"split": split, "bank": composites.bank}
    given = {"split": split, "composites": composites, "pack": pack}
    return {role: artefact for role, artefact in given.items() if artefact is not None}


def _carry_out(work: Work, how: Circumstances) -> tuple[nn.Module, Learned]:
    """Train and predict. What may be wrong comes first: weights, then every image is decoded."""
    plan, device, track = work.plan, how.accelerator.device, how.track
    size, side_px = plan.batches.batch_size, plan.info.input_px
    with shortage_told(batch_size=size, input_px=side_px, device=str(device)):
        network = _network(plan)
        if plan.settings.frozen:
            freeze(network, plan.settings.frozen)
        if plan.arm.growing:
            check_growth(network, side_px, plan.info.backbone)
        log.info("%s starts from weights: %s", plan.info.backbone, plan.info.weights)
        feed = open_feed(plan, work.pack, device=device, workers=work.workers, track=track)
        held_back: dict[Side, Tensor] = {
            side: decode(plan, work.pack, side, track) for side in PREDICTIONS
        }
        return network, learn(plan, network, feed, held_back, how)


def _network(plan: Plan) -> nn.Module:
    """Build the network with the weights it starts from."""
    seed = child_seed(plan.settings.seed, "weights")
    if plan.choice.branches:
        return join([load_model(run)[0] for run in plan.choice.branches], plan.info, seed=seed)
    return build_network(plan.info, weights=plan.choice.weights, seed=seed)
