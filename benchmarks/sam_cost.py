"""What SAM costs with our prompts and with the grid of points: same model, images, embedding.

    python benchmarks/sam_cost.py --data ../shared/data --out docs/results/segment

Without ``--weights FOLDER`` the model has the geometry of SAM ViT-B and random weights: these cost
what trained ones cost, but their masks mean nothing, so nothing is said of them. Takes minutes on
a CPU. Writes ``sam-cost.json`` and ``sam-cost.md``; no picture leaves the data folder.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import torch
import transformers
from transformers import SamConfig, SamModel

from naturalize import __version__, images, seeds
from naturalize.images import Rgb
from naturalize.segment import Sam
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_prompts import Candidates, Prompts

MODES = ("smear", "grid")
LIMITS = (
    "**These are costs. Nothing here says how good SAM's masks are**, with our prompts or with the "
    "grid. What follows the decoder (choosing, cleaning, doubles, making disjoint) depends on what "
    "the masks show, which with random weights is nothing, so it is left out of the times."
)


@dataclass
class Spent:
    """Processor and wall-clock seconds, and what they were spent on."""

    process_s: float = 0.0
    wall_s: float = 0.0
    calls: int = 0
    items: int = 0

    def __enter__(self) -> Spent:
        self.process_s -= time.process_time()
        self.wall_s -= time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.process_s += time.process_time()
        self.wall_s += time.perf_counter()


@dataclass
class Watched:
    """A model that notes what it is asked; an image is embedded once for both modes."""

    model: Any
    embedding: Spent = field(default_factory=Spent)
    decoding: Spent = field(default_factory=Spent)
    known: dict[bytes, Any] = field(default_factory=dict)

    @property
    def side_px(self) -> int:
        """That of the model."""
        return int(self.model.side_px)

    def embed(self, given: Sequence[Rgb]) -> list[Any]:
        """Embed what is new."""
        for rgb in given:
            if rgb.tobytes() not in self.known:
                with self.embedding as spent:
                    (self.known[rgb.tobytes()],) = self.model.embed([rgb])
                spent.calls, spent.items = spent.calls + 1, spent.items + 1
        return [self.known[rgb.tobytes()] for rgb in given]

    def decode(self, embedding: Any, prompts: Prompts, frame: Frame) -> Candidates:
        """Decode and count."""
        with self.decoding as spent:
            said: Candidates = self.model.decode(embedding, prompts, frame)
        spent.calls, spent.items = spent.calls + 1, spent.items + len(prompts)
        return said


@dataclass(frozen=True)
class WatchedSam(Sam):
    """SAM with a model that notes what it is asked."""

    watched: Any = None

    def model(self) -> Any:
        """Return the watched model."""
        return self.watched


def main() -> None:
    """Measure, and write the figures and the page."""
    given = _arguments()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        if given.weights is None:
            torch.manual_seed(0)
            SamModel(SamConfig()).save_pretrained(folder)
        result = measure(given, str(given.weights or folder))
    given.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=2) + "\n"
    (given.out / "sam-cost.json").write_text(text)
    (given.out / "sam-cost.md").write_text(page(result))
    print(text)


def measure(given: argparse.Namespace, weights: str) -> dict[str, Any]:
    """Run both modes on the same images and return all figures."""
    paths = _drawn(given.data / "PBC_dataset_normal_DIB", given.images, given.seed)
    model = Sam(weights, device=given.device).model()
    rows, embedding = [], Spent()
    for path in paths:
        rgb = images.read(path)
        row: dict[str, Any] = {"image": path.name}
        watched = Watched(model, embedding)
        for mode in MODES:
            watched.decoding = Spent()
            sam = WatchedSam(prompts=mode, watched=watched)
            with Spent() as proposing:
                asked = sam.smear.segment(rgb) if mode == "smear" else []
            sam.segment(rgb)
            row[mode] = {
                "proposals": len(asked),
                "prompts": watched.decoding.items,
                "decoder_calls": watched.decoding.calls,
                "decoding_process_s": round(watched.decoding.process_s, 2),
                "decoding_wall_s": round(watched.decoding.wall_s, 2),
                "proposing_process_s": round(proposing.process_s, 3),
            }
        rows.append(row)
    said = "random, the geometry of SAM ViT-B"
    if given.weights is not None:
        said = str(Sam(weights).parameters()["weights"])
    return {"weights": said, **_setting(given), **_summary(rows, embedding), "images": rows}


def _summary(rows: list[dict[str, Any]], embedding: Spent) -> dict[str, Any]:
    def mean(mode: str, name: str) -> float:
        return round(sum(row[mode][name] for row in rows) / len(rows), 3)

    names = [name for name in rows[0]["grid"] if name != "proposals"]
    means = {mode: {name: mean(mode, name) for name in names} for mode in MODES}
    embed = {
        "process_s": round(embedding.process_s / embedding.items, 2),
        "wall_s": round(embedding.wall_s / embedding.items, 2),
    }
    return {
        "embedding_per_image": embed,
        "mean_per_image": means,
        "prompts_ratio": round(means["grid"]["prompts"] / means["smear"]["prompts"], 1),
        "fewest_prompts_ratio": round(
            min(row["grid"]["prompts"] / row["smear"]["prompts"] for row in rows), 1
        ),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _setting(given: argparse.Namespace) -> dict[str, Any]:
    device = given.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else f"CPU {platform.machine()}",
        "threads": torch.get_num_threads(),
        "precision": "float16 encoder, float32 decoder" if device == "cuda" else "float32",
        "prompt_batch": Sam().prompt_batch,
        "seed": given.seed,
        "versions": {
            "naturalize": __version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def page(result: dict[str, Any]) -> str:
    """Return the page that tells the figures."""
    total = {mode: _total(result, mode) for mode in MODES}
    faster = total["grid"]["process_s"] / total["smear"]["process_s"]
    return "\n".join(
        [
            "# What SAM costs: prompts from `smear` against the 32 x 32 grid",
            "",
            f"**{result['prompts_ratio']:.0f} times fewer prompts** (on each image at least "
            f"{result['fewest_prompts_ratio']:.0f} times) and {faster:.1f} times less processor "
            "time for embedding and decoding together.",
            "",
            "```",
            "python benchmarks/sam_cost.py --data ../shared/data --out docs/results/segment",
            "```",
            "",
            f"Weights: {result['weights']}. {LIMITS}",
            "",
            _described(result),
            "",
            *_means_table(result, total),
            "",
            *_images_table(result),
            "",
            "Figures: [sam-cost.json](sam-cost.json).",
            "",
        ]
    )


def _described(result: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return (
        f"Mean of {len(result['images'])} PBC images, drawn with seed {result['seed']}; the same "
        f"model and images, one embedding an image for both. {result['device']}, threads: "
        f"{result['threads']}, {result['precision']}, {result['prompt_batch']} prompts a decoder "
        f"call. {versions}. Peak memory {result['peak_memory_mib'] / 1024:.1f} GiB. The machine "
        "was shared with other work: trust processor time before wall time."
    )


def _means_table(result: dict[str, Any], total: dict[str, Any]) -> list[str]:
    grid, smear = (result["mean_per_image"][mode] for mode in ("grid", "smear"))
    embed = result["embedding_per_image"]
    rows = {
        "prompts": (f"{grid['prompts']:.0f}", f"{smear['prompts']:.1f}"),
        "decoder calls": (f"{grid['decoder_calls']:.0f}", f"{smear['decoder_calls']:.1f}"),
        "making proposals, s": ("none", f"{smear['proposing_process_s']:.2f}"),
        "embedding, s (wall)": (_time(embed), _time(embed)),
        "decoding, s (wall)": (_time(grid, "decoding_"), _time(smear, "decoding_")),
        "embedding and decoding, s (wall)": (_time(total["grid"]), _time(total["smear"])),
    }
    head = ["| per image, processor time | grid | `smear` |", "|---|---|---|"]
    return head + [f"| {name} | {a} | {b} |" for name, (a, b) in rows.items()]


def _images_table(result: dict[str, Any]) -> list[str]:
    head = [
        "| image | prompts, grid | prompts, `smear` | decoding, grid, s | decoding, `smear`, s |",
        "|---|---|---|---|---|",
    ]
    return head + [
        f"| {row['image']} | {row['grid']['prompts']} | {row['smear']['prompts']} "
        f"| {row['grid']['decoding_process_s']:.1f} | {row['smear']['decoding_process_s']:.1f} |"
        for row in result["images"]
    ]


def _total(result: dict[str, Any], mode: str) -> dict[str, float]:
    embed, means = result["embedding_per_image"], result["mean_per_image"][mode]
    return {kind: embed[kind] + means[f"decoding_{kind}"] for kind in ("process_s", "wall_s")}


def _time(figures: dict[str, float], prefix: str = "") -> str:
    return f"{figures[f'{prefix}process_s']:.1f} ({figures[f'{prefix}wall_s']:.1f})"


def _drawn(folder: Path, count: int, seed: int) -> list[Path]:
    """Draw images of the folder, none twice."""
    paths = sorted(folder.glob("*/[A-Z]*.jpg"))
    chosen = seeds.child(seed, "sam_cost").choice(len(paths), count, replace=False)
    return [paths[i] for i in chosen]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, help="a local SAM; default: random ViT-B")
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="cpu, cuda, ...; default: a GPU where there is one")
    parser.add_argument("--out", type=Path, default=Path("out/segment"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
