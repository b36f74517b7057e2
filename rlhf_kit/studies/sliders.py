"""A picture with sliders under it; where there are none, the picture alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

Picture = TypeVar("Picture")
SWITCH = "RLHF_KIT_PANELS"          # "off" where a program runs the notebook: nobody would move them


def slide(draw: Callable[..., Picture], **ranges: tuple[float, ...]) -> Picture | None:
    """Show `draw(name=value, ...)` with a slider for each name, which redraws it.

    The picture is an ordinary output of the cell, so it stays when the notebook is read without a kernel. Where
    ipywidgets or Jupyter is missing it is returned, to be shown as the last value of the cell.

    Args:
        draw: takes the names as keywords.
        ranges: name=(low, high, step) or (low, high, step, start); without a start it is the middle.
    """
    start = {name: at[3] if len(at) > 3 else at[0] + round((at[1] - at[0]) / 2 / at[2]) * at[2]
             for name, at in ranges.items()}
    picture = draw(**start)
    ipython = sys.modules.get("IPython")
    alone = os.environ.get(SWITCH, "").lower() == "off" or find_spec("ipywidgets") is None
    if alone or ipython is None or ipython.get_ipython() is None:
        return picture
    from IPython.display import display
    from ipywidgets import FloatSlider
    sliders = {name: FloatSlider(start[name], min=at[0], max=at[1], step=at[2], description=name,
                                 continuous_update=False) for name, at in ranges.items()}
    shown = display(picture, display_id=True)
    for slider in sliders.values():
        slider.observe(lambda _: shown.update(draw(**{name: s.value for name, s in sliders.items()})), "value")
        display(slider)
    return None
