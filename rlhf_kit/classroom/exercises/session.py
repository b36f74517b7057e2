"""`kit.setup(...)`: the first cell of a lesson, one quiet line about what is here, and the lesson's language."""

from __future__ import annotations

import os

from rlhf_kit import __version__
from rlhf_kit.language import Lang, lesson_sentences, say

_STATE: dict[str, str] = {"lang": "en", "lesson": "00"}


def lang() -> Lang:
    """The language of the lesson that runs."""
    return _STATE["lang"]


def lesson() -> str:
    """The number of the lesson that runs, such as "03a"."""
    return _STATE["lesson"]


def setup(lesson: str, seed: int = 0, lang: Lang = "en") -> Lang:
    """Prepare a lesson: seed, pictures, threads; print versions, device, and whether the model hub may be asked.

    May be run again at any time. Nothing is installed, downloaded or asked on the network. Returns: `lang`, in which
    the lesson's texts are made.
    """
    import torch
    import transformers

    from rlhf_kit.plots import show_in_notebook, speak
    _STATE["lang"], _STATE["lesson"] = lang, lesson
    torch.manual_seed(seed)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    show_in_notebook()
    speak(lesson_sentences(lesson)["labels"] if lang == "zh" else {})
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    offline = os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE", "YES", "ON")
    print(say(lang, "setup", lesson=lesson, version=__version__, torch=torch.__version__,
              transformers=transformers.__version__, device=device,
              hub=say(lang, "setup_offline" if offline else "setup_online")))
    return lang
