"""The measurements for a GPU: the tables they make, what a failure does, and the same code on a CPU."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def gpu():
    return runpy.run_path(str(ROOT / "tests" / "benchmarks" / "gpu.py"))


def rows(**changed) -> list[dict]:
    """Measurements of int8 alone, with round numbers."""
    made = {"load": {"kind": "int8", "seconds": 20.0, "parameters": 7_000_000_000, "weights_gb": 7.0,
                     "bytes_per_parameter": 1.0},
            "bare generate": {"kind": "int8", "tokens_per_second": 1000.0},
            "rollouts": {"kind": "int8", "tokens_per_second": 600.0},
            "separate copies": {"kind": "bf16", "loaded": 4, "four_gb": 56.0},
            "ppo step": {"kind": "int8", "seconds": 9.0, "peak_gb": 20.0, "planned_gb": 21.0, "standing_gb": 7.7}}
    about = {"what": "about", "kind": "", "date": "2026-01-01", "device": "GPU", "model": "LLaMA-7B", "versions": "t 1",
             "command": "it"}
    return [about, *({"what": name, **row} for name, row in {**made, **changed}.items())]


def test_the_tables_say_where_when_how_and_what_was_promised(gpu):
    said = gpu["tables"](rows())
    assert said.startswith("2026-01-01, GPU, LLaMA-7B, t 1: `it`")
    assert "| int8 | 1.000 | 20.0 | – | – (–) | 600 (1,000; –) | 9.0 | 20.0 (21.0) |" in said
    assert "| nf4 | – | – |" in said
    assert "1.10 GB a billion parameters" in said
    assert "of the one int8 base 7.0 GB, 0.12 of that" in said
    assert "int8 rollouts: 0.60 of bare" in said


def test_on_a_cpu_nothing_is_said_of_memory(gpu):
    said = gpu["tables"](rows(**{"ppo step": {"kind": "int8", "seconds": 9.0, "peak_gb": None, "planned_gb": 1.0,
                                              "standing_gb": None}}))
    assert "a billion parameters" not in said


@pytest.mark.slow
def test_what_fails_is_a_line_and_the_next_section_begins(gpu, capsys):
    def full(bench, kind):
        raise RuntimeError(f"out of memory in {kind}")
    bench = gpu["Bench"](gpu["TINY"], budget=60)
    assert bench.section("load", "nf4", full) is None
    assert bench.section("rollouts", "nf4", lambda bench, x, kind: (x, kind), 3) == (3, "nf4")
    assert len(capsys.readouterr().out.splitlines()) == len(bench.rows) == 1
    assert "- nf4: failed: load (RuntimeError: out of memory in nf4)" in gpu["tables"]([*rows(), *bench.rows])


def test_when_the_budget_is_used_up_no_section_begins(gpu):
    bench = gpu["Bench"](gpu["TINY"], budget=-1)
    assert bench.section("load", "bf16", lambda *_: pytest.fail("it began")) is None
    assert bench.rows[0]["error"] == "no time is left in the budget"


@pytest.mark.slow
def test_every_section_runs_on_a_cpu_with_a_tiny_model(tmp_path):
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks.gpu", "--tiny", "--folder", str(tmp_path)], cwd=ROOT,
                          capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert not [row for row in said if row["what"].startswith("failed")]
    kinds = ("int8", "bf16", "nf4")
    for what in ("load", "bare generate", "rollouts", "ppo step", "sft"):
        assert {row["kind"] for row in said if row["what"] == what} == set(kinds)
    for row in said:
        if row["what"] == "load":
            assert row["weights_gb"] == pytest.approx(row["planned_gb"], rel=0.01, abs=1e-4)
    assert list(tmp_path.iterdir()) == []
    assert "| int8 |" in done.stdout
