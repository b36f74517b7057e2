"""Files and folders appear whole or not at all: what is left behind when a write fails midway."""

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
import torch

from rlhf_kit import storage
from rlhf_kit.storage import (
    MANIFEST,
    StorageError,
    is_complete,
    load_tensors,
    new_folder,
    save_tensors,
    write_json_lines,
    write_text,
)


def names(folder) -> list[str]:
    """Everything in a folder, hidden files included."""
    return sorted(p.name for p in folder.iterdir())


def one_line(caught) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def make(path, **files: str) -> None:
    with new_folder(path) as folder:
        for name, text in files.items():
            (folder / name).write_text(text)


# Texts.

def test_text_is_utf8_with_unix_line_ends_and_makes_its_folder(tmp_path):
    write_text(tmp_path / "a" / "b" / "notes.txt", "很好\nok\n")
    assert (tmp_path / "a" / "b" / "notes.txt").read_bytes() == "很好\nok\n".encode()
    assert names(tmp_path / "a" / "b") == ["notes.txt"]


def test_json_lines(tmp_path):
    write_json_lines(tmp_path / "rows.jsonl", [{"text": "很好\n"}, {"n": 1}])
    assert (tmp_path / "rows.jsonl").read_text(encoding="utf-8") == '{"text": "很好\\n"}\n{"n": 1}\n'


@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "tempfile.mkstemp"])
def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, step):
    path = tmp_path / "notes.txt"
    write_text(path, "old")
    monkeypatch.setattr(f"rlhf_kit.storage.{step}", full_disk)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        write_text(path, "new")
    assert str(path) in one_line(caught)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["notes.txt"]


def test_text_that_is_no_unicode_leaves_the_old_one(tmp_path):
    write_text(tmp_path / "notes.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "notes.txt", "new \ud800")
    assert (tmp_path / "notes.txt").read_text() == "old"
    assert names(tmp_path) == ["notes.txt"]


def test_a_path_that_cannot_be_is_named(tmp_path):
    write_text(tmp_path / "file", "x")
    for path in (tmp_path / "file" / "below.txt", tmp_path):
        with pytest.raises(StorageError) as caught:
            write_text(path, "new")
        assert str(path) in one_line(caught)


def test_others_may_read_what_was_written(tmp_path):
    """A class shares one cache; temporary files and those of safetensors are private by nature."""
    from safetensors.torch import save_file
    write_text(tmp_path / "notes.txt", "x")
    save_tensors(tmp_path / "state", {"x": torch.zeros(1)}, {})
    with new_folder(tmp_path / "model") as folder:
        save_file({"x": torch.zeros(1)}, folder / "weights")
    modes = {p.relative_to(tmp_path).as_posix(): stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"notes.txt": 0o644, "state": 0o644, "model": 0o755, "model/weights": 0o644,
                     "model/manifest.json": 0o644}


# Folders.

def test_a_folder_appears_with_its_manifest(tmp_path):
    with new_folder(tmp_path / "model") as folder:
        assert not (tmp_path / "model").exists()
        (folder / "sub").mkdir()
        (folder / "sub" / "weights").write_bytes(b"12345")
    assert json.loads((tmp_path / "model" / MANIFEST).read_text()) == {"files": {os.path.join("sub", "weights"): 5}}
    assert is_complete(tmp_path / "model")
    assert names(tmp_path) == ["model"]


def test_a_copy_of_a_complete_folder_is_complete(tmp_path):
    make(tmp_path / "model", weights="12345")
    with new_folder(tmp_path / "copy") as folder:
        shutil.copytree(tmp_path / "model", folder, dirs_exist_ok=True)
    assert is_complete(tmp_path / "copy")


def test_a_new_folder_replaces_the_old_one(tmp_path):
    make(tmp_path / "model", old="x")
    make(tmp_path / "model", new="x")
    assert names(tmp_path / "model") == ["manifest.json", "new"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_a_folder_that_is_not_finished_leaves_the_old_one(tmp_path, error):
    def half_made():
        with new_folder(tmp_path / "model") as folder:
            (folder / "new").write_text("half")
            raise error

    make(tmp_path / "model", old="x")
    with pytest.raises(StorageError if isinstance(error, OSError) else type(error)):
        half_made()
    assert names(tmp_path / "model") == ["manifest.json", "old"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_folder_that_cannot_be_moved_into_place_leaves_the_old_one(tmp_path, monkeypatch, failing):
    """The exchange (0), or whichever of the renames where there is none: what was there before is unchanged."""
    make(tmp_path / "model", old="x")
    real, calls = os.replace, []
    monkeypatch.setattr(storage, "_exchange", lambda *_: False if failing else full_disk())

    def replace(source, target):
        calls.append(target)
        return full_disk() if len(calls) == failing else real(source, target)

    monkeypatch.setattr(storage.os, "replace", replace)
    with pytest.raises(StorageError, match="unchanged"):
        make(tmp_path / "model", new="x")
    assert len(calls) >= failing
    assert names(tmp_path / "model") == ["manifest.json", "old"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize(("windows", "read", "replaced"), [(True, 3, True), (True, 10**9, False), (False, 1, False)])
def test_on_windows_a_file_that_somebody_reads_is_replaced_a_moment_later(tmp_path, monkeypatch, windows, read,
                                                                          replaced):
    """The studio looks at a run's numbers twice a second; no training may end because of that."""
    (tmp_path / "old").write_text("old")
    (tmp_path / "new").write_text("new")
    real, tries = os.replace, []

    def replace(source, target):
        tries.append(target)
        if len(tries) <= read:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        real(source, target)
    monkeypatch.setattr(storage.os, "replace", replace)
    monkeypatch.setattr(storage, "PATIENCE", 0.2 if read > 3 else 5.0)
    with nullcontext() if replaced else pytest.raises(PermissionError):
        storage._replace(tmp_path / "new", tmp_path / "old", windows)
    assert (tmp_path / "old").read_text() == ("new" if replaced else "old")
    assert len(tries) > 3 or not windows


def test_a_manifest_means_the_same_on_every_system(tmp_path):
    with new_folder(tmp_path / "model") as folder:
        (folder / "head").mkdir()
        (folder / "head" / "weights").write_text("x")
    assert list(json.loads((tmp_path / "model" / MANIFEST).read_text())["files"]) == ["head/weights"]


def test_a_file_in_the_way_of_a_folder_is_kept(tmp_path):
    write_text(tmp_path / "model", "mine")
    with pytest.raises(StorageError):
        make(tmp_path / "model", new="x")
    assert (tmp_path / "model").read_text() == "mine"
    assert names(tmp_path) == ["model"]


def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path):
    make(tmp_path / "old", a="x")
    program = ("import os, signal, sys; from rlhf_kit.storage import new_folder\n"
               "with new_folder(sys.argv[1]) as folder:\n"
               "    (folder / 'weights').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)")
    for name in ("new", "old"):
        assert subprocess.run([sys.executable, "-c", program, tmp_path / name]).returncode == -signal.SIGKILL
    assert not (tmp_path / "new").exists()
    assert is_complete(tmp_path / "old")


def test_a_folder_is_incomplete_if_anything_is_missing_cut_or_longer(tmp_path):
    def changed(change) -> bool:
        make(tmp_path / "model", weights="12345", config="{}")
        assert is_complete(tmp_path / "model")
        change(tmp_path / "model")
        return is_complete(tmp_path / "model")

    assert not changed(lambda model: (model / "weights").write_text("123"))
    assert not changed(lambda model: (model / "weights").write_text("123456"))
    assert not changed(lambda model: (model / "config").unlink())
    for broken in ("", "{", "[]", '{"files": 3}', "null"):
        assert not changed(lambda model, text=broken: (model / "manifest.json").write_text(text))
    assert not changed(lambda model: (model / "manifest.json").unlink())
    assert not is_complete(tmp_path / "nowhere")


# What the kit did not write.

def test_a_folder_of_somebodys_is_refused_in_one_line_before_anything_is_made(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.md").write_text("mine")
    with pytest.raises(StorageError, match=r"did not write \(notes.md\).*Name a new or empty folder") as caught, \
            new_folder(tmp_path / "mine"):
        raise AssertionError("refused before it is filled")
    one_line(caught)
    assert (names(tmp_path), names(tmp_path / "mine")) == (["mine"], ["notes.md"])


def test_another_programs_manifest_is_not_ours(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / MANIFEST).write_text('{"name": "my app", "icons": []}')
    with pytest.raises(StorageError, match="did not write"):
        make(tmp_path / "app", weights="x")
    assert names(tmp_path / "app") == [MANIFEST]


def test_what_somebody_put_into_a_folder_of_ours_is_kept_when_it_is_replaced(tmp_path):
    """A note, a folder, a link, an empty folder, and a file whose name the new one has too."""
    make(tmp_path / "model", weights="old", config="old")
    model = tmp_path / "model"
    (model / "notes.md").write_text("mine")
    (model / "plots" / "deep").mkdir(parents=True)
    (model / "plots" / "deep" / "a.png").write_text("picture")
    (model / "empty").mkdir()
    (model / "tokenizer").write_text("mine too")
    (model / "link").symlink_to("notes.md")
    make(model, weights="new", tokenizer="new")
    assert names(model) == ["empty", "link", MANIFEST, "notes.md", "plots", "tokenizer", "tokenizer.kept", "weights"]
    assert (model / "plots" / "deep" / "a.png").read_text() == "picture"
    assert (model / "tokenizer").read_text() == "new"
    assert (model / "tokenizer.kept").read_text() == "mine too"
    assert os.readlink(model / "link") == "notes.md"
    make(model, weights="newer", tokenizer="newer")
    assert (model / "tokenizer.kept").read_text() == "mine too"
    assert len(names(model)) == 8
    assert is_complete(model)
    assert names(tmp_path) == ["model"]


def test_a_damaged_manifest_lists_nothing_so_all_is_kept(tmp_path):
    make(tmp_path / "model", weights="same", config="old")
    (tmp_path / "model" / MANIFEST).write_text("{")
    make(tmp_path / "model", weights="same", config="new")
    assert names(tmp_path / "model") == ["config", "config.kept", MANIFEST, f"{MANIFEST}.kept", "weights"]


def test_on_a_disk_without_links_it_is_copied(tmp_path, monkeypatch):
    def none(*_, **__):
        raise OSError(errno.EPERM, "no links here")
    make(tmp_path / "model", weights="old")
    (tmp_path / "model" / "notes.md").write_text("mine")
    monkeypatch.setattr(os, "link", none)
    make(tmp_path / "model", weights="new")
    assert (tmp_path / "model" / "notes.md").read_text() == "mine"


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    make(tmp_path / "disk" / "model", weights="old")
    (tmp_path / "model").symlink_to(tmp_path / "disk" / "model")
    make(tmp_path / "model", weights="new")
    assert (tmp_path / "model").is_symlink()
    assert (tmp_path / "disk" / "model" / "weights").read_text() == "new"
    assert (names(tmp_path), names(tmp_path / "disk")) == (["disk", "model"], ["model"])


def test_the_folder_that_one_is_in_and_what_is_not_writable_are_refused_first(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path in (".", tmp_path / "here", ".."):
        with pytest.raises(StorageError, match=r"Name a folder inside it|did not write"):
            storage.check_new_folder(path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError, match="read-only for you"):
        storage.check_new_folder(tmp_path / "new")


def test_removing_takes_what_the_kit_wrote_and_leaves_the_rest(tmp_path):
    make(tmp_path / "run" / "policy", weights="x")
    make(tmp_path / "run" / "judge", weights="x")
    for name in ("policy/notes.md", "checkpoints/ppo/state", "checkpoints/mine.txt", "checkpoints/sft/state"):
        write_text(tmp_path / "run" / name, "x")
    write_text(tmp_path / "run" / "checkpoints" / "ppo" / ".state-abcdefgh.unfinished", "half")
    storage.remove(tmp_path / "run", ["state"])
    left = sorted(str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*") if p.is_file())
    assert left == ["checkpoints/mine.txt", "policy/manifest.json", "policy/notes.md"]
    assert not is_complete(tmp_path / "run" / "policy")
    make(tmp_path / "run" / "policy", weights="again")                 # it may be written anew around the notes
    assert names(tmp_path / "run" / "policy") == [MANIFEST, "notes.md", "weights"]


def test_a_manifest_that_points_out_of_its_folder_takes_nothing_there(tmp_path):
    """A folder from somewhere else: its manifest may say anything."""
    make(tmp_path / "model", weights="x")
    (tmp_path / "letter").write_text("dear")
    (tmp_path / "model" / "way").symlink_to(tmp_path)
    (tmp_path / "model" / MANIFEST).write_text(json.dumps({"files": {
        "weights": 1, "../letter": 4, "way/letter": 4, str(tmp_path / "letter"): 4, ".": 0}}))
    storage.remove(tmp_path / "model")
    assert (tmp_path / "letter").read_text() == "dear"
    assert not (tmp_path / "model" / "weights").exists()


def test_files_go_into_somebodys_folder_only_where_nothing_of_theirs_lies(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    storage.write_files(tmp_path, {"README.md": "one", "zh/a.txt": "甲"})
    storage.write_files(tmp_path, {"README.md": "two"})               # ours is replaced
    (tmp_path / "zh" / "a.txt").write_text("edited")
    with pytest.raises(StorageError, match=r"a\.txt is there already and is not, or no longer, what the kit") as caught:
        storage.write_files(tmp_path, {"README.md": "three", "zh/a.txt": "乙"})
    one_line(caught)
    assert [(tmp_path / n).read_text() for n in ("README.md", "zh/a.txt", "thesis.tex")] == ["two", "edited", "mine"]
    with pytest.raises(StorageError, match="is a folder"):
        storage.write_files(tmp_path, {"zh": "x"})


# A kill, or Ctrl-C, at any line of the replacing.

def killed_at(number: int, path, interrupt: bool) -> bool:
    """Replace the folder in a child that is killed (or interrupted) at its n-th line of storage.py after the folder
    was filled; whether it got to the end."""
    def trace(frame, event, _):
        if frame.f_code.co_filename != storage.__file__:
            return None
        if event == "line" and counting:
            counting[0] += 1
            if counting[0] == number:
                if interrupt:
                    raise KeyboardInterrupt
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    counting = []
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sys.settrace(trace)
            with new_folder(path) as folder:
                (folder / "weights").write_text("new")
                counting.append(0)
            code = 0
        except BaseException:                                         # whatever it was, this process is a copy
            code = 1
        finally:
            sys.settrace(None)
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0


def killed_at_every_line(folder: Path, exchange: bool, interrupt: bool) -> None:
    """Then the old folder is there or the new one, whole, and somebody's notes are in it; a sweep takes the rest."""
    if not exchange:
        storage._exchange = lambda *_: False
    seen, number, through = set(), 0, False
    while not through:
        number += 1
        base = folder / str(number)
        make(base / "model", weights="old")
        (base / "model" / "notes.md").write_text("mine")
        through = killed_at(number, base / "model", interrupt)
        if exchange:
            assert (base / "model" / "weights").exists()              # at no moment is it away
        assert is_complete(base / "model")                            # looking for it puts it back
        seen.add((base / "model" / "weights").read_text())
        storage.sweep(base / "model")
        assert names(base) == ["model"]
        assert names(base / "model") == [MANIFEST, "notes.md", "weights"]
        assert (base / "model" / "notes.md").read_text() == "mine"
    assert number > 40
    assert seen == {"old", "new"}


@pytest.mark.parametrize(("exchange", "interrupt"), [
    (True, False), *(pytest.param(*case, marks=pytest.mark.slow)
                     for case in ((True, True), (False, False), (False, True)))])
def test_replacing_a_folder_may_be_killed_at_any_line(tmp_path, exchange, interrupt):
    """From a process of its own: of one that holds a whole test run, every copy takes a tenth of a second."""
    if exchange and storage._exchanger() is None:
        pytest.skip("this system cannot exchange two names")
    code = f"from tests.test_storage import *\nkilled_at_every_line(Path({str(tmp_path)!r}), {exchange}, {interrupt})"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Tensors.

def test_tensors_come_back_bit_for_bit_with_what_is_said_about_them(tmp_path):
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    tensors = {"x": x, "turned": x.T, "half": x.to(torch.bfloat16), "whole": torch.arange(3), "one": torch.tensor(2.0)}
    about = {"text": "很好", "infinite": float("inf"), "list": [1, None]}
    save_tensors(tmp_path / "state", tensors, about)
    back, said = load_tensors(tmp_path / "state")
    assert said == about
    assert all(torch.equal(back[name], tensor) and back[name].dtype == tensor.dtype for name, tensor in tensors.items())


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), "SafetensorError"])
def test_tensors_that_cannot_be_written_leave_the_old_ones(tmp_path, monkeypatch, error):
    from safetensors import SafetensorError
    path = tmp_path / "state"
    save_tensors(path, {"x": torch.zeros(2)}, {"n": 1})

    def fail(tensors, name, metadata):
        with open(name, "wb") as file:
            file.write(b"half")
        raise SafetensorError("I/O error: No space left on device\nmore") if isinstance(error, str) else error

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(StorageError, match="No space left") as caught:
        save_tensors(path, {"x": torch.ones(2)}, {"n": 2})
    assert str(path) in one_line(caught)
    assert load_tensors(path)[1] == {"n": 1}
    assert names(tmp_path) == ["state"]


@pytest.mark.parametrize("cut", [0, 4, 20, 60, -1])
def test_a_cut_file_is_refused_in_one_line(tmp_path, cut):
    save_tensors(tmp_path / "state", {"x": torch.zeros(100)}, {"n": 1})
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:cut])
    with pytest.raises(StorageError, match="Delete it to start that part again") as caught:
        load_tensors(tmp_path / "state")
    assert str(tmp_path / "state") in one_line(caught)


def test_files_of_somebody_else_are_refused_in_one_line(tmp_path):
    from safetensors.torch import save_file
    save_file({"x": torch.zeros(1)}, tmp_path / "plain")
    save_file({"x": torch.zeros(1)}, tmp_path / "about", metadata={"about": "{"})
    (tmp_path / "garbage").write_bytes(os.urandom(500))
    (tmp_path / "folder").mkdir()
    for name in ("plain", "about", "garbage", "folder", "nowhere"):
        with pytest.raises(StorageError) as caught:
            load_tensors(tmp_path / name)
        assert str(tmp_path / name) in one_line(caught)


def test_a_flipped_bit_is_seen_wherever_it_is(tmp_path):
    """In the length, the names, the JSON or the numbers; a blank more in the header changes nothing and may pass."""
    path, tensors, about = tmp_path / "state", {"x": torch.randn(6), "optimizer.1.step": torch.ones(())}, {"kl": 0.125}
    save_tensors(path, tensors, about)
    whole = path.read_bytes()
    for place in range(0, 8 * len(whole), 3):                      # every byte has two or three of its bits flipped
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with suppress(StorageError):
            back, said = load_tensors(path)
            assert said == about
            assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_what_a_kill_in_the_midst_of_tensors_leaves_is_swept_away(tmp_path):
    """safetensors writes into a file of its own name, which nobody would know to be ours."""
    program = ("import os, signal, sys, torch, safetensors.torch; from pathlib import Path\n"
               "from rlhf_kit.storage import save_tensors\n"
               "def save_file(tensors, name, metadata):\n"
               "    (Path(name).parent / '.tmpAbCdEf').write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
               "safetensors.torch.save_file = save_file\n"
               "save_tensors(sys.argv[1], {'x': torch.zeros(1)}, {})")
    path = tmp_path / "state"
    save_tensors(path, {"x": torch.ones(1)}, {"n": 1})
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2
    storage.sweep(path)
    assert names(tmp_path) == ["state"]
    assert load_tensors(path)[1] == {"n": 1}


@pytest.mark.parametrize("error", [Exception("No space left on device (os error 28)"),
                                   shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])])
def test_a_full_disk_is_known_by_whatever_name_a_library_gives_it(tmp_path, error):
    def half_made():
        with new_folder(tmp_path / "model"):
            raise error

    with pytest.raises(StorageError, match=r"model cannot be written: .*No space left on device.*free some space"):
        half_made()
    assert names(tmp_path) == []


# Sweeping up after a killed process.

@pytest.mark.parametrize("name", ["model", "a[1]*"])
def test_sweeping_takes_the_unfinished_of_this_name_and_nothing_else(tmp_path, name):
    keep = [name, f".{name}", f"{name}-new", f".{name}2-abcdefgh.unfinished", ".other-abcdefgh.unfinished",
            f".{name}-abcdefgh", f".{name}-my own.unfinished"]
    for place in (*keep, f".{name}-abcdefgh.unfinished"):
        (tmp_path / place).write_text("x")
    (tmp_path / f".{name}-d_fgh1jk.unfinished" / "deep").mkdir(parents=True)
    storage.sweep(tmp_path / name)
    assert names(tmp_path) == sorted(keep)


def test_sweeping_where_nothing_is_does_nothing(tmp_path):
    storage.sweep(tmp_path / "nowhere" / "model")
    assert names(tmp_path) == []


# Lines, and second names

def test_lines_are_added_and_a_full_disk_adds_no_part_of_one(tmp_path, monkeypatch):
    path = tmp_path / "new" / "log.jsonl"
    storage.add_line(path, {"a": "好"})
    with monkeypatch.context() as patch:
        def full(_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            storage.add_line(path, {"a": 2})
    storage.add_line(path, {"a": 3})
    assert path.read_text(encoding="utf-8") == '{"a": "好"}\n{"a": 3}\n'


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name_keeps_the_content_when_the_file_is_written_anew(tmp_path, monkeypatch, links):
    def none(*_):
        raise OSError(errno.EPERM, "no links here")
    if not links:
        monkeypatch.setattr(os, "link", none)
    write_text(tmp_path / "now", "one")
    write_text(tmp_path / "kept", "older")
    storage.same_file_as(tmp_path / "now", tmp_path / "kept")
    write_text(tmp_path / "now", "two")
    assert (tmp_path / "kept").read_text() == "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "now"]
