from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from naturalize.artefact import Artefact, Draft, Request, build, open_artefact, write_whole
from naturalize.errors import InputError, NaturalizeError, StorageError


def fill(draft: Draft) -> None:
    draft.write("a/one.txt", "1")
    draft.write("two.bin", b"\x00\x01")
    draft.summary["files"] = 2


def made(path: Path, *, seed: int = 0, **more: int) -> Artefact:
    return build(path, Request("thing", {"n": 1, **more}, seed=seed), fill)


def test_same_request_same_id_wherever_it_is_written(tmp_path: Path) -> None:
    first, second = made(tmp_path / "x"), made(tmp_path / "deep" / "y")
    assert first.id == second.id
    assert first.manifest["content_sha256"] == second.manifest["content_sha256"]
    assert made(tmp_path / "z", seed=1).id != first.id
    assert made(tmp_path / "w", m=2).id != first.id


def test_manifest_describes_the_artefact(tmp_path: Path) -> None:
    parent = made(tmp_path / "parent")
    child = build(tmp_path / "child", Request("next", {"p": 2}, {"parent": parent}, 7), fill)
    manifest = json.loads((child.path / "manifest.json").read_text())
    assert manifest["kind"] == "next"
    assert manifest["schema_version"] == 1
    assert manifest["parameters"] == {"p": 2}
    assert manifest["seed"] == 7
    assert manifest["summary"] == {"files": 2}
    assert child.input("parent").id == parent.id
    assert sorted(p.name for p in child.path.rglob("*")) == [
        "a", "manifest.json", "one.txt", "two.bin",
    ]  # fmt: skip


def test_inputs_are_found_after_the_whole_tree_moved(tmp_path: Path) -> None:
    parent = made(tmp_path / "old" / "parent")
    build(tmp_path / "old" / "child", Request("next", {}, {"parent": parent}), fill)
    (tmp_path / "old").rename(tmp_path / "new")
    assert open_artefact(tmp_path / "new" / "child").input("parent").id == parent.id


def test_an_input_that_changed_is_refused(tmp_path: Path) -> None:
    parent = made(tmp_path / "parent")
    child = build(tmp_path / "child", Request("next", {}, {"parent": parent}), fill)
    build(tmp_path / "parent", Request("thing", {"n": 9}), fill, if_exists="overwrite")
    with pytest.raises(InputError, match="expected artefact"):
        child.input("parent")


def test_existing_output_is_refused_resumed_or_overwritten(tmp_path: Path) -> None:
    first = made(tmp_path / "x")
    with pytest.raises(InputError, match="--resume, --overwrite"):
        made(tmp_path / "x")

    def never(draft: Draft) -> None:
        raise AssertionError("finished work was done again")

    again = build(tmp_path / "x", Request("thing", {"n": 1}, seed=0), never, if_exists="resume")
    assert again.id == first.id
    with pytest.raises(InputError, match="another request's output"):
        build(tmp_path / "x", Request("thing", {"n": 2}), fill, if_exists="resume")
    other = build(tmp_path / "x", Request("thing", {"n": 2}), fill, if_exists="overwrite")
    assert other.id != first.id


def test_output_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="a file"):
        made(tmp_path / "file")
    with pytest.raises((InputError, StorageError), match="file"):
        made(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_users_mistake_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(draft: Draft) -> None:
        draft.write("half", "1")
        raise InputError("--x", "y", "z")

    with pytest.raises(InputError):
        build(tmp_path / "x", Request("thing"), fail)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_run_is_not_an_artefact_and_resumes(tmp_path: Path) -> None:
    calls: list[str] = []
    interrupt = [KeyboardInterrupt()]

    def work(draft: Draft) -> None:
        for name in ("a", "b"):
            draft.remember(name, lambda name=name: calls.append(name) or name)
            if interrupt:
                raise interrupt.pop()
        draft.write("result", "".join(sorted(set(calls))))

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "x", Request("thing"), work)
    with pytest.raises(InputError, match="unfinished"):
        open_artefact(tmp_path / "x")
    with pytest.raises(InputError, match="unfinished run"):
        build(tmp_path / "x", Request("thing"), work)
    with pytest.raises(InputError, match="another request's output"):
        build(tmp_path / "x", Request("thing", {"n": 2}), work, if_exists="resume")
    resumed = build(tmp_path / "x", Request("thing"), work, if_exists="resume")
    assert calls == ["a", "b"]
    whole = build(tmp_path / "y", Request("thing"), lambda d: d.write("result", "ab") and None)
    assert resumed.id == whole.id
    assert sorted(p.name for p in resumed.path.iterdir()) == ["manifest.json", "result"]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from naturalize.artefact import Request, build

    def work(draft):
        done = Path(sys.argv[2])
        for i in range(4):
            if not draft.has(f"{i}.txt"):
                draft.write(f"{i}.txt", str(i))
                with done.open("a") as log:
                    log.write(f"{i}\\n")
            if i == 1 and sys.argv[3] == "kill":
                (draft.path / ".2.txt.123.tmp").write_text("half of a fi")
                os.kill(os.getpid(), signal.SIGKILL)

    build(Path(sys.argv[1]), Request("thing"), work, if_exists="resume")
"""


def test_sigkill_then_resume_redoes_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(KILLED))
    target, log = tmp_path / "out", tmp_path / "log"
    command = [sys.executable, str(script), str(target), str(log)]
    killed = subprocess.run([*command, "kill"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    subprocess.run([*command, "run"], check=True)
    assert log.read_text().split() == ["0", "1", "2", "3"]
    files = sorted(path.name for path in open_artefact(target).path.iterdir())
    assert files == ["0.txt", "1.txt", "2.txt", "3.txt", "manifest.json"]


def test_file_size_limit_is_a_clear_error_and_keeps_the_target_absent(tmp_path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StorageError, match="size limit"):
            build(tmp_path / "x", Request("thing"), lambda d: d.write("big", b"0" * 9999) and None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    assert not (tmp_path / "x").exists()
    assert not list(tmp_path.rglob("big"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    def onto_full_disk(draft: Draft) -> None:
        with Path("/dev/full").open("wb", buffering=0) as stream:
            stream.write(b"0")

    with pytest.raises(StorageError, match="no space left"):
        build(tmp_path / "x", Request("thing"), onto_full_disk)
    assert not (tmp_path / "x").exists()


def test_two_runs_do_not_write_one_output(tmp_path: Path) -> None:
    def nested(draft: Draft) -> None:
        build(tmp_path / "x", Request("thing"), fill, if_exists="resume")

    with pytest.raises(InputError, match="one at work"):
        build(tmp_path / "x", Request("thing"), nested)


def test_write_whole_leaves_the_old_file_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    write_whole(target, "old")

    def fail(self: Path, data: bytes) -> int:
        raise OSError("cable pulled")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="cable"):
        write_whole(target, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "old"


def test_folders_that_are_no_artefact_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        open_artefact(tmp_path / "no")
    with pytest.raises(InputError, match="without a readable manifest"):
        open_artefact(tmp_path)
    thing = made(tmp_path / "x")
    with pytest.raises(NaturalizeError, match="a bank folder, got a thing folder"):
        open_artefact(thing.path, "bank")


def test_an_output_never_replaces_its_own_inputs(tmp_path: Path) -> None:
    parent = made(tmp_path / "home" / "parent")
    child = build(tmp_path / "child", Request("next", {}, {"parent": parent}), fill)
    for target in (parent.path, parent.path.parent):
        for request in (
            Request("next", {}, {"parent": parent}),
            Request("last", {}, {"child": child}),
        ):
            with pytest.raises(InputError, match="apart from its inputs"):
                build(target, request, fill, if_exists="overwrite")
    assert open_artefact(parent.path).id == parent.id


def test_a_folder_that_appears_meanwhile_is_spared(tmp_path: Path) -> None:
    def slow(draft: Draft) -> None:
        fill(draft)
        (tmp_path / "x").mkdir(exist_ok=True)
        (tmp_path / "x" / "thesis.txt").write_text("years of work")

    with pytest.raises(InputError, match="appeared meanwhile"):
        build(tmp_path / "x", Request("thing"), slow)
    assert (tmp_path / "x" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "x" / "thesis.txt").unlink()
    resumed = build(tmp_path / "x", Request("thing"), fill, if_exists="resume")
    assert resumed.id == build(tmp_path / "y", Request("thing"), fill).id


@pytest.mark.parametrize("damage", ["", "other", None], ids=["emptied", "altered", "removed"])
def test_a_table_that_changed_is_refused(tmp_path: Path, damage: str | None) -> None:
    thing = made(tmp_path / "x")
    table = thing.path / "two.bin"
    if damage is None:
        table.unlink()
    else:
        table.write_text(damage)
    with pytest.raises(InputError, match=r"two\.bin: expected the file that was written"):
        open_artefact(thing.path)


def test_an_output_may_be_a_link_to_a_folder_yet_to_come(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert made(tmp_path / "link").path == tmp_path / "target"
    assert open_artefact(tmp_path / "link").kind == "thing"


@pytest.mark.parametrize("name", ["n" * 300, "loop/x"])
def test_names_the_system_refuses_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StorageError, match="could not write"):
        made(tmp_path / name)


def test_a_mistake_spares_what_others_put_beside_it(tmp_path: Path) -> None:
    def fail(draft: Draft) -> None:
        (tmp_path / "new" / "theirs").write_text("a result")
        raise InputError("--x", "y", "z")

    with pytest.raises(InputError):
        build(tmp_path / "new" / "x", Request("thing"), fail)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs"]


def test_overwrite_replaces_a_damaged_artefact_but_no_other_folder(tmp_path: Path) -> None:
    thing = made(tmp_path / "x")
    (thing.path / "two.bin").unlink()
    again = build(thing.path, Request("thing", {"n": 1}, seed=0), fill, if_exists="overwrite")
    assert again.id == thing.id
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="other files"):
        build(tmp_path / "mine", Request("thing"), fill, if_exists="overwrite")
