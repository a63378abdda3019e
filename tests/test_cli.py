"""The command line as a user meets it: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from naturalize.artefact import Artefact, open_artefact
from naturalize.cli.allocator import SETTINGS, keep_buffers
from tests_images import jpeg, write_tree

GOOD = {f"{label}/{i}.jpg": jpeg(i + 50 * ord(label)) for label in "ab" for i in range(4)}


WITHOUT_TORCH = (
    "demo", "phantom", "import", "download", "verify", "curate", "split", "cut", "export",
    "compose", "audit", "study",
)  # fmt: skip


def naturalize(
    *words: object, check: int | None = 0, **more: object
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "naturalize", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def mistake(*words: object, says: str) -> None:
    """Assert exit code 2, a message that says ``says``, and no traceback."""
    done = naturalize(*words, check=2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_every_verb_and_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from naturalize.cli.app import main\n"
        "sys.argv = ['naturalize', '--help']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for verb in WITHOUT_TORCH:
        assert verb in done.stdout


@pytest.mark.parametrize("verb", [*WITHOUT_TORCH, "pack", "train", "evaluate", "explain", "doctor"])
def test_every_verb_shows_an_example(verb: str) -> None:
    assert (
        f"naturalize {verb}"
        in naturalize(verb, "--help", env=os.environ | {"COLUMNS": "200"}).stdout
    )


def test_from_folder_to_split_with_json(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", GOOD)
    naturalize("import", source, "-o", tmp_path / "dataset")
    naturalize("curate", tmp_path / "dataset", "-o", tmp_path / "curated")
    done = naturalize("split", tmp_path / "curated", "-o", tmp_path / "split", "--json")
    manifest = json.loads(done.stdout)
    assert manifest["kind"] == "split"
    assert manifest["summary"]["counts"]["train"] == {"a": 2, "b": 2}


def test_mistakes_with_sources(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    mistake("import", tmp_path / "empty", "-o", out, says="an empty folder")
    mistake("import", tmp_path / "nowhere", "-o", out, says="nothing there")
    one = write_tree(tmp_path / "one", {"a/1.jpg": jpeg(1)})
    mistake("import", one, "-o", out, says="at least two classes")
    mistake("import", one, "-o", out, "--as", "voc", says="--as: expected pbc")
    assert not out.exists()
    assert not (tmp_path / ".out.partial").exists()


def test_a_class_with_two_images_and_damaged_files(tmp_path: Path) -> None:
    damaged = {"a/cut.jpg": jpeg(9)[:-300], "b/text.jpg": b"a letter"}
    rare = {f"rare/{i}.jpg": jpeg(900 + i) for i in range(2)}
    source = write_tree(tmp_path / "in", GOOD | damaged | rare)
    naturalize("import", source, "-o", tmp_path / "dataset")
    naturalize("curate", tmp_path / "dataset", "-o", tmp_path / "curated")
    findings = (tmp_path / "curated" / "findings.csv").read_text()
    assert "unreadable,a/cut.jpg" in findings
    assert "not_an_image,b/text.jpg" in findings
    naturalize("curate", tmp_path / "dataset", "-o", tmp_path / "again", "--strict", check=1)
    mistake("split", tmp_path / "curated", "-o", tmp_path / "split", says="class rare")
    assert not (tmp_path / "split").exists()


def test_output_in_a_files_place_or_over_another_artefact(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", GOOD)
    (tmp_path / "file").write_text("mine")
    mistake("import", source, "-o", tmp_path / "file", says="a file")
    mistake("import", source, "-o", tmp_path / "file" / "below", says="file")
    naturalize("import", source, "-o", tmp_path / "out")
    mistake("import", source, "-o", tmp_path / "out", says="--resume, --overwrite")
    mistake(
        "import", source, "-o", tmp_path / "out", "--resume", "--overwrite", says="one of the two"
    )
    mistake("cut", tmp_path / "out", "-o", tmp_path / "bank", says="a split folder, got a dataset")
    assert (tmp_path / "file").read_text() == "mine"


def test_full_disk_says_so_and_resumes_when_there_is_room(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", GOOD)
    small = f"ulimit -f 1; trap '' XFSZ; exec {sys.executable} -m naturalize import {source}"
    done = subprocess.run(
        ["bash", "-c", f"{small} -o {tmp_path / 'out'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "size limit" in done.stderr
    assert "--resume" in done.stderr
    assert not (tmp_path / "out").exists()
    naturalize("import", source, "-o", tmp_path / "out", "--resume")


def test_killed_cut_resumes_without_cutting_twice(tmp_path: Path) -> None:
    naturalize("phantom", "--count", 100, "-o", tmp_path / "dataset")
    naturalize("curate", tmp_path / "dataset", "-o", tmp_path / "curated")
    naturalize("split", tmp_path / "curated", "-o", tmp_path / "split")
    split, bank = tmp_path / "split", tmp_path / "bank"
    command = [sys.executable, "-m", "naturalize", "cut", str(split), "--workers", "1"]
    running = subprocess.Popen([*command, "-o", str(bank)], stderr=subprocess.DEVNULL)
    first = tmp_path / ".bank.partial" / ".scratch" / "shard-0.json"
    deadline = time.monotonic() + 60
    while not first.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not bank.exists()
    mistake("cut", split, "-o", bank, says="--resume")
    before = (tmp_path / ".bank.partial" / "shards" / "00000.npy").stat().st_mtime_ns
    naturalize("cut", split, "-o", bank, "--resume")
    assert (bank / "shards" / "00000.npy").stat().st_mtime_ns == before
    whole = naturalize("cut", split, "-o", tmp_path / "whole", "--json")
    assert json.loads(whole.stdout)["id"] == open_artefact(bank).id


def test_workers_end_with_a_killed_parent(bank: Artefact, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "naturalize", "compose", str(bank.path), "--count", "4000"]
    running = subprocess.Popen(
        [*command, "-o", str(tmp_path / "x")], stderr=subprocess.DEVNULL, start_new_session=True
    )
    scratch = tmp_path / ".x.partial" / ".scratch"
    deadline = time.monotonic() + 60
    while not scratch.is_dir() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    while time.monotonic() < deadline:
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        os.killpg(running.pid, signal.SIGKILL)
        pytest.fail("workers outlived the process that started them")
    assert not (tmp_path / "x").exists()


def test_compose_and_replay(bank: Artefact, composites: Artefact, tmp_path: Path) -> None:
    naturalize("compose", bank.path, "--recipe", "paper", "--count", 5, "-o", tmp_path / "paper")
    done = naturalize("compose", composites.path, "--replay")
    assert "all 22 composites render to the recorded pixels" in done.stdout
    as_json = naturalize("compose", composites.path, "--replay", "--json")
    assert json.loads(as_json.stdout) == {"rendered": 22, "different": []}
    mistake("compose", composites.path, "--replay", "-o", tmp_path / "x", says="beside --replay")
    mistake("compose", bank.path, says="--out")
    mistake(
        "compose", bank.path, "-o", tmp_path / "x", "--recipe", "no", says="naturalize, objects"
    )


def test_training_without_torch_says_what_to_install(split: Artefact, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'torch' else find(name, *a)\n"
        "from naturalize.cli.app import main\n"
        f"sys.argv = ['naturalize', 'train', {str(split.path)!r}, '-o', {str(tmp_path / 'r')!r}]\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'naturalize[train]'" in done.stderr


def test_training_starts_with_buffers_kept_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execve", lambda file, words, env: started.append(dict(env)))
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    keep_buffers()
    assert len(started) == 1
    assert started[0].items() >= SETTINGS.items()
    monkeypatch.setenv("MALLOC_TOP_PAD_", "0")
    keep_buffers()
    monkeypatch.delenv("MALLOC_TOP_PAD_")
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    keep_buffers()
    assert len(started) == 1


def test_studies_are_listed_planned_and_refused(tmp_path: Path) -> None:
    listed = naturalize("study", "--list").stdout
    for name in ("quick", "low-data", "dose", "blend", "shift", "full", "paper"):
        assert name in listed
    mistake("study", "low-data", "-o", tmp_path / "x", says="--split")
    mistake("study", "nothing", "-o", tmp_path / "x", says="low-data")
    mistake("study", "quick", "--share", "3/2", "-o", tmp_path / "x", says="--share")
    assert not (tmp_path / "x").exists()
