"""Measure Score-CAM: against pytorch-grad-cam, and few masks against all of them.

    python benchmarks/explain.py against -o out/explain/against        # phantoms, random weights
    python benchmarks/explain.py agreement RUN -o out/explain/agreement.json

``against`` asks each program in a process of its own, on one thread, about one phantom at 224 px;
what an earlier call finished is kept, so it can be done in pieces (``--only``). Time is processor
time, so that what runs beside it counts little; memory is by how much the process grew beyond what
it held after one plain forward pass. ``agreement`` takes one test image of each class (or of the
first ``--images`` classes) of a run's split and compares ``--channels K`` with every map, beside
another way to save: the K maps that vary most, the others left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from naturalize.artefact import open_artefact
from naturalize.datasets.phantom import render, sample_slide
from naturalize.explain.maps import cam_layer, look
from naturalize.explain.member import Member
from naturalize.explain.pictured import one_each_class
from naturalize.explain.score_cam import CHANNELS, CamSettings, score_cam, unit_maps, weighted
from naturalize.seeds import child
from naturalize.split.split import RealSplit
from naturalize.train.backbones import BACKBONES, build
from naturalize.train.pixels import fit_square, normalise

MODELS = ("efficientnetv2-b0", "densenet-169")
PROGRAMS = ("grad-cam", "ours", "ours-all")
SIDE, CLASSES, TARGET = 224, 11, 3
COUNTS = (24, 96)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    against = verbs.add_parser("against")
    against.add_argument("-o", "--out", type=Path, required=True)
    against.add_argument("--only", choices=PROGRAMS)
    against.add_argument("--model", choices=MODELS)
    one = verbs.add_parser("one")
    one.add_argument("program")
    one.add_argument("model")
    one.add_argument("file", type=Path)
    agreement = verbs.add_parser("agreement")
    agreement.add_argument("run", type=Path)
    agreement.add_argument("--images", type=int, default=11, help="at most, one a class")
    agreement.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.verb == "one":
        measure(args.program, args.model, args.file)
    elif args.verb == "agreement":
        write(args.out, agree(args.run, args.images))
    else:
        args.out.mkdir(parents=True, exist_ok=True)
        measure_all(args.out, args.only, args.model)
        write(args.out / "against.json", compared(args.out))


def write(file: Path, found: object) -> None:
    """Write and print JSON."""
    text = json.dumps(found, indent=1)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")
    print(text)


def measure_all(folder: Path, only: str | None, model: str | None) -> None:
    """Start a process for each program and network that is not measured yet."""
    for name in MODELS if model is None else (model,):
        for program in PROGRAMS if only is None else (only,):
            file = folder / f"{program}-{name}.npz"
            if not file.exists():
                words = [sys.executable, __file__, "one", program, name, str(file)]
                subprocess.run(words, check=True)


def measure(program: str, name: str, file: Path) -> None:
    """Explain one phantom by one program, and keep the picture with time and memory."""
    row = BACKBONES[name]
    model = build(name, n_classes=CLASSES, input_px=SIDE, weights="random").eval()
    rgb = render("SNE", rng=child(0, "cell"), slide=sample_slide(child(0, "slide"))).image
    square = fit_square(rgb, input_px=SIDE, crop_px=None).transpose(2, 0, 1)[None].copy()
    image = normalise(torch.from_numpy(square), row.mean, row.std).contiguous()
    with torch.no_grad():
        model(image)
    held, begun, wall = _peak_mib(), time.process_time(), time.perf_counter()
    if program == "grad-cam":
        from pytorch_grad_cam import ScoreCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        method = ScoreCAM(model, [model.get_submodule(row.cam_layer)])
        (heat,) = method(image, [ClassifierOutputTarget(TARGET)])
    else:
        settings = CamSettings(channels=None if program == "ours-all" else CHANNELS)
        heat = score_cam(model, image, layer=row.cam_layer, target=TARGET, settings=settings)
    figures = [time.process_time() - begun, time.perf_counter() - wall, _peak_mib() - held, held]
    np.savez(file, heat=heat, figures=figures)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compared(folder: Path) -> list[dict[str, object]]:
    """Put what was measured side by side."""
    found = []
    for name in MODELS:
        reference = folder / f"grad-cam-{name}.npz"
        for program in PROGRAMS:
            file = folder / f"{program}-{name}.npz"
            if not (file.exists() and reference.exists()):
                continue
            with np.load(file) as own, np.load(reference) as theirs:
                seconds, wall, grown, held = own["figures"].tolist()
                row = {
                    "model": name,
                    "program": program,
                    "cpu_seconds": round(seconds, 1),
                    "wall_seconds": round(wall, 1),
                    "grown_mib": round(grown),
                    "held_before_mib": round(held),
                    "times_faster": round(theirs["figures"][0] / seconds, 1),
                    "share_of_memory": round(grown / theirs["figures"][2], 3),
                    "correlation": _correlation(own["heat"], theirs["heat"]),
                }
            found.append(row)
    return found


def agree(folder: Path, count: int) -> dict[str, object]:
    """Correlate pictures of few masks with those of all, on one test image of each class."""
    run = open_artefact(folder, "run")
    member = Member.load(run)
    layer = cam_layer(member.info)
    split = RealSplit.load(run.input("split"))
    rows: dict[str, list[float]] = {}
    seconds = 0.0
    drawn = one_each_class(split, seed=0)[:count]
    for one in drawn:
        square = member.square(one.read())
        target = int(member.probabilities([square]).argmax())
        begun = time.process_time()
        every = member.heat(square, target, CamSettings(channels=None))
        seconds += time.process_time() - begun
        for masks in COUNTS:
            few = member.heat(square, target, CamSettings(channels=masks))
            rows.setdefault(f"groups {masks}", []).append(_correlation(every, few))
            varied = most_varied(member, square, target, layer, masks)
            rows.setdefault(f"most varied {masks}", []).append(_correlation(every, varied))
        print(one.name, {name: values[-1] for name, values in rows.items()}, file=sys.stderr)
    return {
        "run": run.path.name,
        "split": split.id,
        "images": [one.name for one in drawn],
        "cpu_seconds_of_all_maps_an_image": round(seconds / len(drawn), 1),
        "correlation": {
            name: {"least": min(values), "median": float(np.median(values)), "each": values}
            for name, values in rows.items()
        },
    }


def most_varied(
    member: Member, square: np.ndarray, target: int, layer: str, count: int
) -> np.ndarray:
    """Return the picture of the ``count`` maps that vary most over the grid, without the others."""
    pixels = torch.from_numpy(square.transpose(2, 0, 1)[None].copy())
    image = normalise(pixels, member.info.mean, member.info.std)
    maps = look(member.network, image, layer).maps.numpy()
    chosen = maps[np.argsort(-maps.std(axis=(1, 2)), kind="stable")[:count]]
    side = image.shape[-1]
    with torch.inference_mode():
        grid = torch.from_numpy(unit_maps(chosen))[:, None]
        answers = []
        for some in torch.split(grid, 8):
            large = torch.nn.functional.interpolate(
                some, size=(side, side), mode="bilinear", align_corners=True
            )
            answers.append(member.network(image * large)[:, target])
    weights = torch.cat(answers).double().softmax(dim=0).numpy()
    return weighted(chosen, weights, side)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return round(float(np.corrcoef(one.ravel(), other.ravel())[0, 1]), 5)


if __name__ == "__main__":
    main()
