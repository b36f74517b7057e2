"""What a user installs is the wheel, somewhere else: it must bring its word lists, sentences and template along."""

import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from pathlib import Path

import pytest
from lending import lent

import rlhf_kit

ROOT = Path(__file__).parents[1]


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "RLHF_KIT"))}
    return {**kept, "RLHF_KIT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "LANG": "en_GB.UTF-8",
            "LC_ALL": "", "LC_MESSAGES": "", "LANGUAGE": ""}


def first_minute(python: Path, folder: Path) -> None:
    """Start the tour, wait until it trains, stop it as a person would, and look at what it said."""
    where = subprocess.run([python, "-c", "import rlhf_kit; print(rlhf_kit.__file__)"], cwd=folder, text=True,
                           env=environment(folder), capture_output=True, check=True).stdout
    assert where.startswith(str(folder))
    listen = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)       # noqa: E731  a shell's background jobs ignore it
    with subprocess.Popen([python.with_name("rlhf-kit"), "tour"], cwd=folder, env=environment(folder), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=listen) as process:
        try:
            _train_and_stop(process, folder)
        finally:
            process.kill()


def _train_and_stop(process: subprocess.Popen, folder: Path) -> None:
    trained = lambda: list((folder / "cache").glob("tiny-lm-en-*.training/checkpoint.safetensors"))     # noqa: E731
    deadline = time.monotonic() + 150
    while process.poll() is None and not trained() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert process.poll() is None, process.communicate()
    assert trained()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (130, "Stopped. The same command goes on from here.")
    assert "Language model" in out


@pytest.mark.slow
def test_the_wheel_runs_the_tour_outside_the_clone(wheel, tmp_path):
    first_minute(lent(wheel, tmp_path), tmp_path)


def test_the_wheel_has_the_lessons_and_nothing_of_their_solutions(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for lang in ("en", "zh"):
        assert sum(name.startswith(f"rlhf_kit/notebooks/{lang}/") for name in names) == 13
    assert not any("solution" in name or name.endswith("build.py") for name in names)


def test_an_sdist_holds_the_whole_repository_and_builds_the_same_wheel(wheel, tmp_path):
    """File by file and byte by byte; so make and the tests work in it, too."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path]
    subprocess.run([*build, "--sdist", ROOT], check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
    tracked = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                             capture_output=True, text=True, check=True).stdout.strip("\0").split("\0")
    held = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert held == {*tracked, "PKG-INFO"}
    subprocess.run([*build, "--wheel", unpacked], check=True, capture_output=True)
    (again,) = tmp_path.glob("*.whl")
    assert again.name == wheel.name
    assert contents(again) == contents(wheel)


def contents(wheel: Path) -> dict[str, int]:
    return {info.filename: info.CRC for info in zipfile.ZipFile(wheel).infolist()}


def test_the_package_s_page_leads_to_the_repository(wheel):
    """Nothing lies beside it on the index: every link and picture of the README has an address."""
    (about,) = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("METADATA")]
    page = zipfile.ZipFile(wheel).read(about).decode().partition("\n\n")[2]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", page)
    assert len(links) == len(re.findall(r"\]\([^)\s]+\)", readme)) > 20
    assert [link for link in links if not link.startswith("https://")] == []
    ours = [link.removeprefix(rlhf_kit.REPOSITORY).split("/", 3)[1:] for link in links if rlhf_kit.REPOSITORY in link]
    assert [name for kind, branch, name in ours if branch != "main" or not (ROOT / name).is_file()] == []
    assert {Path(name).suffix for kind, _, name in ours if kind == "raw"} == {".png"}
    assert page.splitlines()[0] == readme.splitlines()[0]


@pytest.mark.slow
def test_the_wheel_and_everything_it_needs_install_into_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    pins = ROOT / "constraints.txt"
    torch = next(line for line in pins.read_text().splitlines() if line.startswith("torch=="))
    for what in (torch, str(wheel)):
        subprocess.run([python, "-m", "pip", "install", "-qq", "--constraint", pins, what], check=True)
    first_minute(python, tmp_path)
