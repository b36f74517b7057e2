"""The files around the package agree with each other and with the design."""

import re
import subprocess
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
           ".gitignore"}


def tracked() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_conda_has_the_same_pins_as_pip():
    packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert dict(p.split("==") for p in packages if "==" in p) | {
        name: PINS[name] for name in ("nbgrader", "wandb")} == PINS


def test_every_dependency_is_pinned_and_its_lower_bound_is_met():
    wanted = PROJECT["dependencies"] + [d for extra in PROJECT["optional-dependencies"].values() for d in extra
                                        if not d.startswith("rlhf-kit[")]
    for name, bound in (re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<\d+)?", d).groups() for d in wanted):
        number = lambda v: [int(x) for x in v.split(".")]                                           # noqa: E731
        assert number(PINS[name]) >= number(bound), name


def test_version_and_address_are_the_package_s_own():
    assert PROJECT["version"] == rlhf_kit.__version__
    assert PROJECT["urls"]["Repository"] == rlhf_kit.REPOSITORY


def test_nothing_stands_at_the_top_that_the_design_does_not_name():
    assert {path.split("/")[0] for path in tracked()} <= ALLOWED


def test_make_test_never_calls_apt():
    assert "apt" not in (ROOT / "Makefile").read_text().replace("adapt", "")


@pytest.mark.parametrize("target", ["run", "test", "test-slow", "lint", "bench", "lab"])
def test_the_makefile_has_what_the_readme_promises(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)
