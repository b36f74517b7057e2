"""Several processes: those that are really started, and those that accelerate silently leaves out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlhf_kit.scale import launching
from rlhf_kit.scale.launching import check_processes

SCRIPT = """
import os
import torch
from accelerate import Accelerator
from rlhf_kit.scale.launching import check_processes
def say(line):
    os.write(1, f"{line}\\n".encode())          # in one piece, or two processes' lines run into each other
try:
    check_processes()
    accelerator = Accelerator()
    n = check_processes(connected=accelerator.num_processes)
    total = accelerator.reduce(torch.ones(1)).item()
    say(f"rank {accelerator.process_index} of {n}, sum {total:.0f}")
    accelerator.end_training()
except ValueError as error:
    say(f"refused: {error}")
"""
MULTI_CPU = "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_CPU\nuse_cpu: true\nnum_processes: 2\n"
CONFIG = str(launching._folder() / "two_cpu_processes.yaml")


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No launcher around the tests, and no default config of the person who runs them."""
    for name in launching.SIZES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("accelerate.commands.config.config_args.default_config_file", str(tmp_path / "none.yaml"))


def test_alone_is_one_process():
    assert check_processes() == check_processes(1) == check_processes(connected=1) == 1


def test_more_are_counted_as_torchrun_and_mpi_say(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "3")
    assert check_processes(3) == 3
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert check_processes(2, connected=2) == 2


@pytest.mark.parametrize(("size", "arguments", "message"), [
    (None, {"expected": 2}, "2 processes were asked for and 1 started. Run: ACCELERATE_USE_CPU=true accelerate"),
    ("2", {"expected": 1}, "1 process was asked for and 2 started"),
    ("2", {"connected": 1}, "2 processes were started and each sees 1: .* ACCELERATE_USE_CPU=true"),
    ("two", {}, "WORLD_SIZE is 'two'"), ("0", {}, "WORLD_SIZE is '0'")])
def test_a_wrong_number_is_refused_in_one_line(monkeypatch, size, arguments, message):
    if size:
        monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(ValueError, match=message) as caught:
        check_processes(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("command", "told"), [
    ("accelerate launch --cpu --num_processes 2 train.py", 2),
    ("/venv/bin/python /venv/bin/accelerate launch --num-processes=4 train.py --num_processes 9", 4),
    ("python -m accelerate.commands.launch --cpu --num_processes 2 -m rlhf_kit.cli train", 2),
    ("accelerate-launch --num_processes 3 train.py", 3),
    ("accelerate launch --config_file CONFIG train.py", 2), ("accelerate launch --config_file=CONFIG train.py", 2),
    ("accelerate launch --config_file CONFIG --num_processes 5 train.py", 5),
    ("accelerate launch --config_file gone.yaml train.py", None), ("accelerate launch train.py", None),
    ("accelerate launch train.py --num_processes 7", None), ("accelerate config", None), ("pytest -q", None),
    ("torchrun --nproc_per_node 2 train.py", None), ("", None)])
def test_what_a_command_line_tells_accelerate(command, told):
    assert launching._told(command.replace("CONFIG", CONFIG).split()) == told


def test_the_default_config_counts_unless_cpu_is_asked_for(monkeypatch, tmp_path):
    (tmp_path / "default.json").write_text('{"distributed_type": "MULTI_GPU", "num_processes": 8}')
    monkeypatch.setattr("accelerate.commands.config.config_args.default_config_file", str(tmp_path / "default.json"))
    assert launching._told(["accelerate", "launch", "train.py"]) == 8
    assert launching._told(["accelerate", "launch", "--cpu", "train.py"]) is None


def test_every_config_is_one_that_accelerate_takes(tmp_path):
    from accelerate.commands.config.config_args import load_config_from_file
    written = launching.write_configs(tmp_path / "new")
    assert [path.name for path in written] == launching.configs() == [
        "eight_gpus.yaml", "fsdp2_nf4.yaml", "two_cpu_processes.yaml", "two_nodes.yaml"]
    taken = {path.stem: load_config_from_file(str(path)) for path in written}
    assert {name: config.num_processes for name, config in taken.items()} == {
        "eight_gpus": 8, "fsdp2_nf4": 8, "two_cpu_processes": 2, "two_nodes": 16}
    assert taken["fsdp2_nf4"].fsdp_config["fsdp_version"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "said"), [
    (["accelerate", "launch", "--config_file", CONFIG], ["rank 0 of 2, sum 2", "rank 1 of 2, sum 2"]),
    (["torchrun", "--nproc_per_node", "2", "--standalone"], ["rank 0 of 2, sum 2", "rank 1 of 2, sum 2"])])
def test_two_processes_start_and_know_each_other(tmp_path, launcher, said):
    assert launched(launcher, tmp_path, ACCELERATE_USE_CPU="true") == said


@pytest.mark.slow
def test_two_that_do_not_know_each_other_are_refused(tmp_path):
    lines = launched(["accelerate", "launch", "--config_file", CONFIG], tmp_path)
    assert len(lines) == 2
    assert all(line.startswith("refused: 2 processes were started and each sees 1") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--cpu", "--num_processes", "2"], ["--config_file", "multi_cpu.yaml"]])
def test_the_launch_that_silently_starts_one_process_is_refused(tmp_path, options):
    (tmp_path / "multi_cpu.yaml").write_text(MULTI_CPU)
    line, = launched(["accelerate", "launch", *options], tmp_path)
    assert line.startswith("refused: accelerate launch was told to start 2 processes and started 1")


def launched(launcher: list[str], folder: Path, **environment: str) -> list[str]:
    """What the script's processes print, sorted."""
    (folder / "train.py").write_text(SCRIPT)
    program = Path(sys.executable).with_name(launcher[0])
    done = subprocess.run([program, *launcher[1:], "train.py"], cwd=folder, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2]),
                               **environment})
    assert done.returncode == 0, done.stderr[-2000:]
    return sorted(line for line in done.stdout.splitlines() if line.startswith(("rank", "refused")))
