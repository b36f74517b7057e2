"""A picture with sliders: the picture alone where nobody moves them, and redrawn in place where somebody does."""

import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("ipywidgets")                              # loaded before IPython is replaced by a stand-in

from rlhf_kit.studies import sliders
from rlhf_kit.studies.sliders import slide


@pytest.fixture
def shown(monkeypatch) -> list:
    """What a notebook's cell shows: pictures and sliders, and pictures that replaced others."""
    seen: list = []

    def display(x, display_id=False):
        seen.append(x)
        return SimpleNamespace(update=lambda y: seen.append(("redrawn", y)))
    notebook = SimpleNamespace(get_ipython=lambda: object())
    monkeypatch.delenv(sliders.SWITCH, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return seen


def picture(gap: float, size: float = 1.0) -> str:
    return f"picture {gap} {size}"


def test_without_a_notebook_the_picture_at_the_middle_is_returned(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert slide(picture, gap=(-4.0, 4.0, 0.5)) == "picture 0.0 1.0"


def test_where_nobody_looks_there_are_no_sliders(shown, monkeypatch):
    monkeypatch.setenv(sliders.SWITCH, "off")
    assert slide(picture, gap=(0.0, 1.0, 0.25, 0.75)) == "picture 0.75 1.0"
    assert shown == []


def test_moving_one_slider_redraws_the_picture_with_all_of_them(shown):
    assert slide(picture, gap=(0.0, 1.0, 0.1, 0.2), size=(1.0, 3.0, 1.0)) is None
    first, gap, size = shown
    assert first == "picture 0.2 2.0"
    gap.value = 0.5
    size.value = 3.0
    assert shown[3:] == [("redrawn", "picture 0.5 2.0"), ("redrawn", "picture 0.5 3.0")]
