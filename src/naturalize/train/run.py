"""One training from a split to a run: weights, loss curve and predictions."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from naturalize.artefact import Artefact, Draft, IfExists, Request, build, open_artefact
from naturalize.compose.online import OnlineComposites
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.seeds import child_seed
from naturalize.split.split import Side
from naturalize.train.fit import Watch, unwatched
from naturalize.train.frozen import freeze
from naturalize.train.growth import check_growth
from naturalize.train.learn import Circumstances, Learned, learn
from naturalize.train.memory import shortage_told
from naturalize.train.open_feed import decode, open_feed
from naturalize.train.pack import Pack
from naturalize.train.plan import Plan, make_plan
from naturalize.train.processes import start_accelerator, told_by_first
from naturalize.train.run_files import PREDICTIONS, write_run
from naturalize.train.trained_model import build_network, join, load_model
from naturalize.train.training import Training

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
    training: Training,
    *,
    composites: Artefact | OnlineComposites | None = None,
    pack: Artefact | None = None,
    device: str | None = None,
    workers: int = 1,
    checkpoint_every: int | None = None,
    features: Path | None = None,
    if_exists: IfExists = "refuse",
    watch: Watch = unwatched,
    track: Track = quiet,
) -> Artefact:
    """Train on the train side of ``split`` and predict the other two; a ``run`` artefact.

    ``composites`` are for arms with a synthetic share, a folder of them or made as training goes,
    in ``workers`` processes; their donors are proven train images before one is read. Arms show
    each class equally often, but for ``balanced``. With a ``pack`` of the same split and
    composites, pixels come from it and the image files are not needed.

    The rest says how the work is done: ``device`` as in
    :func:`~naturalize.train.processes.start_accelerator`; ``checkpoint_every`` steps, None: 30
    seconds; ``features`` is a folder where a ``transfer`` keeps what the frozen base sees, for the
    next head; ``watch`` hears how training goes. Started by torchrun, each process takes its share
    of every batch and the first one writes.

    The folder holds ``model.safetensors``, ``model.json``, ``metrics.csv``, ``val.npz`` and
    ``test.npz``. On the CPU of one machine, with one number of threads, a repeated or resumed run
    has the same id. Raises :class:`InputError`, :class:`~naturalize.errors.LeakError`, and
    :class:`~naturalize.errors.NaturalizeError` where training diverges.
    """
    plan = make_plan(split, composites, training)
    if workers < 1:
        raise InputError("workers", "at least 1", workers)
    inputs = _inputs(split, composites, pack)
    inputs |= {f"branch-{number}": run for number, run in enumerate(training.branches)}
    packed = Pack.load(pack, split, inputs.get("composites"), training.crop_px) if pack else None
    how = Circumstances(
        start_accelerator(device, training.precision),
        checkpoint_every=checkpoint_every,
        features=features,
        watch=watch,
        track=track,
    )
    work = Work(plan, packed, workers)
    if not how.accelerator.is_main_process:
        return _follow(out, work, replace(how, watch=unwatched, track=quiet))
    request = Request("run", plan.parameters(), inputs, training.seed)
    return _lead(out, request, work, how, if_exists)


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
    if branches := plan.training.branches:
        return join([load_model(run)[0] for run in branches], plan.info, seed=seed)
    return build_network(plan.info, weights=plan.training.weights, seed=seed)
