"""The report of a recipe: its pictures speak the page's language, and fall back to English without a font."""

import pytest

from rlhf_kit import plots
from rlhf_kit.evaluate import mean
from rlhf_kit.runs import stages_report
from rlhf_kit.runs.stages_report import Chart


@pytest.fixture
def result():
    """Of two policies, of which gold is known and a tax was paid."""
    measured = [vars(mean([0.1 * k, 0.3 * k])) for k in (1, 2)]
    return {"job": "sparrow", "samples": [], "settings": {}, "stages": {},
            "policies": {name: {"scores": {"gold": one}, "kl": 0.0} for name, one in zip(("base", "policy"), measured,
                                                                                        strict=True)},
            "tax": {name: {"translation": one} for name, one in zip(("base", "policy"), measured, strict=True)}}


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(("lang", "chinese_fonts", "expected"), [
    ("zh", ("DejaVu Sans",), "zh"), ("zh", (), "en"), ("en", ("DejaVu Sans",), "en")])       # the one font there is
def test_pictures_speak_the_pages_language_where_a_font_has_it(tmp_path, monkeypatch, result, lang, chinese_fonts,
                                                               expected):
    monkeypatch.setattr(plots, "CHINESE", chinese_fonts)
    drawn, asked = [], []

    def draw(lang):
        asked.append(lang)
        return plots.lines([0, 1], {"gold": [0, 1]}, across="step", unit="share")
    monkeypatch.setattr(stages_report, "svg", lambda figure: drawn.append(figure.axes[0]) or "<svg/>")
    stages_report.write(tmp_path / "r.html", result, lang, first="base",
                        charts=[Chart("chart_kept", "note_kept", draw)])
    said = {"zh": ("步", "真值"), "en": ("step", "gold (the truth)")}[expected]
    assert asked == [expected]
    assert (drawn[-1].get_xlabel(), drawn[-1].get_legend_handles_labels()[1]) == (said[0], [said[1]])
    gold, tax = drawn[:2]
    chinese = [any("\u4e00" <= c <= "\u9fff" for c in axes.get_ylabel()) for axes in (gold, tax)]
    assert chinese == [expected == "zh"] * 2
    names = [label.get_text() for label in gold.get_xticklabels()]
    assert names == [stages_report.called(name, expected) for name in ("base", "policy")]
    assert not plots.speaking()
