"""The files around the package agree with each other and with the design."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import rlhf_kit

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line[:40]
            and not line.startswith("#"))
ALLOWED = {"notebooks", "rlhf_kit", "demos", "tests", "docs", "environment.yml", "README.md", "README.zh-CN.md",
           "pyproject.toml", "constraints.txt", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".ci",
           ".gitignore", ".gitattributes", ".github", "CITATION.cff", "SECURITY.md", "CODE_OF_CONDUCT.md"}


def tracked() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_conda_has_the_same_pins_as_pip():
    packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert dict(p.split("==") for p in packages if "==" in p) | {
        name: PINS[name] for name in ("nbgrader", "wandb")} == PINS


def test_uv_has_the_same_pins_as_pip():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert sorted(tools["uv"]["constraint-dependencies"]) == sorted(f"{name}=={pin}" for name, pin in PINS.items())


def test_every_dependency_is_pinned_and_its_lower_bound_is_met():
    wanted = PROJECT["dependencies"] + [d for extra in PROJECT["optional-dependencies"].values() for d in extra
                                        if not d.startswith("rlhf-kit[")]
    for name, bound in (re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<\d+)?", d).groups() for d in wanted):
        number = lambda v: [int(x) for x in v.split(".")]                                           # noqa: E731
        assert number(PINS[name]) >= number(bound), name


def test_version_and_address_are_the_package_s_own():
    assert PROJECT["version"] == rlhf_kit.__version__
    assert PROJECT["urls"]["Repository"] == rlhf_kit.REPOSITORY
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], cited["repository-code"]) == (rlhf_kit.__version__, rlhf_kit.REPOSITORY)


def test_the_changelog_begins_with_this_version():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+) — \d{4}-\d\d-\d\d$", changes, re.M)[0] == rlhf_kit.__version__


def test_all_is_everything_that_the_kit_can_use():
    """Each extra but those of its own development, and nbgrader, which it never imports."""
    extras = PROJECT["optional-dependencies"]
    (asked,) = extras["all"]
    named = re.fullmatch(r"rlhf-kit\[(.*)\]", asked)[1].split(",")
    assert set(named) == extras.keys() - {"all", "dev", "docs", "nbgrader"}


# --- what a host runs -------------------------------------------------------------------------------------------------

def workflow(name: str) -> dict:
    """A workflow; `on` is what YAML reads as True."""
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


def test_the_workflow_does_what_ci_does_and_the_two_commands_elsewhere():
    jobs = workflow("ci")["jobs"]
    assert [step["run"] for step in jobs["everything"]["steps"] if "run" in step][-1] == ".ci/run"
    assert jobs["everything"]["strategy"]["matrix"]["python"][0] == PROJECT["requires-python"].removeprefix(">=")
    assert jobs["elsewhere"]["strategy"]["matrix"]["system"] == ["windows-latest", "macos-latest"]
    assert [step["run"].split()[:4] for step in jobs["elsewhere"]["steps"] if "run" in step] == [
        ["python", "-m", "rlhf_kit.start", name] for name in ("run", "test")]


def test_a_release_is_tagged_tested_and_built_before_it_is_published():
    release = workflow("release")
    assert release[True] == {"push": {"tags": ["v*"]}}
    jobs = release["jobs"]
    assert jobs["ci"] == {"uses": "./.github/workflows/ci.yml"}
    assert "workflow_call" in workflow("ci")[True]
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("ci", "build")
    assert release["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["publish"]


@pytest.mark.parametrize(("tag", "address", "passes"), [
    (f"v{rlhf_kit.__version__}", "https://github.com/ana/rlhf-kit", True),
    ("v9.9.9", "https://github.com/ana/rlhf-kit", False),
    (f"v{rlhf_kit.__version__}", "https://github.com/OWNER/rlhf-kit", False)])
def test_a_tag_that_is_not_the_version_and_an_address_that_is_not_set_stop_a_release(tmp_path, tag, address, passes):
    (gate,) = [step["run"] for step in workflow("release")["jobs"]["build"]["steps"] if "tag" in step.get("name", "")]
    (tmp_path / "rlhf_kit").mkdir()
    text = (ROOT / "rlhf_kit" / "__init__.py").read_text(encoding="utf-8").replace(rlhf_kit.REPOSITORY, address)
    (tmp_path / "rlhf_kit" / "__init__.py").write_text(text, encoding="utf-8")
    (tmp_path / "python").symlink_to(sys.executable)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_REF_NAME": tag}
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", gate], cwd=tmp_path, env=environment)
    assert (done.returncode == 0) == passes


def test_nothing_stands_at_the_top_that_the_design_does_not_name():
    assert {path.split("/")[0] for path in tracked()} <= ALLOWED


@pytest.mark.parametrize(("made", "asked", "used"), [
    (None, None, ".venv"), (None, "3.13", ".venv"), ("3.11", None, ".venv"), ("3.13", "3.13", ".venv"),
    ("3.11", "3.13", ".venv-3.13")])
def test_another_python_gets_an_environment_of_its_own(tmp_path, made, asked, used):
    """`make test PYTHON=python3.13` never runs with the Python of an older .venv."""
    for place, version in ((".venv/bin/python", made), ("python", asked)):
        if version is not None:
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_text(f"#!/bin/sh\necho {version}\n")
            (tmp_path / place).chmod(0o755)
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    words = ["make", "-n", "test", *([] if asked is None else [f"PYTHON={tmp_path / 'python'}"])]
    said = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert {line.partition("/bin/python -m pytest")[0] for line in said.splitlines() if "-m pytest" in line} == {used}


def test_make_test_never_calls_apt():
    assert "apt" not in (ROOT / "Makefile").read_text().replace("adapt", "")


@pytest.mark.parametrize("target", ["run", "test", "test-slow", "lint", "bench", "lab"])
def test_the_makefile_has_what_the_readme_promises(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


def test_no_two_test_files_have_one_name():
    """pytest imports them by name alone; two of one name are an error, but only where both are collected."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []
