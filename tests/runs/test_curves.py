"""Runs over each other: what is read, what is drawn, in what the settings differ, and what is refused."""

import json
import re

import pytest

from rlhf_kit import cli, plots
from rlhf_kit.runs import curves
from rlhf_kit.storage import StorageError

ROWS = [{"step": n, "score": n / 10, "kl": 2.0 * n, "gold": None, "seconds": 0.1} for n in range(1, 13)]


def run(place, rows=ROWS, **settings):
    place.mkdir(parents=True)
    (place / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (place / "settings.json").write_text(json.dumps({"job": "ppo", "seed": 0, **settings}))
    return place


def test_what_was_written_is_read_and_a_run_that_goes_on_has_what_it_wrote(tmp_path):
    assert curves.read(run(tmp_path / "a")) == ROWS
    assert len(curves.read(run(tmp_path / "b", ROWS[:3]))) == 3


def test_runs_are_called_by_what_tells_them_apart(tmp_path):
    assert list(curves.named([tmp_path / "a", tmp_path / "b"])) == ["a", "b"]
    assert list(curves.named([tmp_path / "x" / "a", tmp_path / "y" / "a"])) == ["x/a", "y/a"]
    with pytest.raises(ValueError, match="is named twice"):
        curves.named([tmp_path / "a", f"{tmp_path}/a/"])


def test_a_point_is_the_mean_of_the_last_steps_and_what_is_no_number_is_none():
    rows = [{"step": 1, "kl": 1.0}, {"step": 2, "kl": 3.0}, {"step": 3, "kl": None}, {"step": 4, "kl": float("nan")},
            {"step": 5, "kl": 8.0}]
    assert curves.series(rows, "kl") == ([1, 2, 5], [1.0, 3.0, 8.0])
    assert curves.series(rows, "kl", smooth=2) == ([1, 2, 5], [1.0, 2.0, 5.5])
    assert curves.series(rows, "score") == ([], [])


def test_the_metrics_are_the_usual_ones_those_asked_for_or_all_of_an_unusual_run():
    assert curves.chosen({"a": ROWS, "b": [{"step": 1, "loss": 2.0}]}) == ["score", "kl", "loss"]
    assert curves.chosen({"a": ROWS}, ["seconds", "kl", "kl"]) == ["seconds", "kl"]
    assert curves.chosen({"a": [{"step": 1, "regret": 2.0}]}) == ["regret"]
    with pytest.raises(ValueError, match=r"--metrics names 'scores', which no run has\. Did you mean score\?"):
        curves.chosen({"a": ROWS}, ["scores"])


def test_the_page_opens_offline_and_has_each_run_its_last_values_and_what_differs(tmp_path):
    a, b = run(tmp_path / "a", kl={"coefficient": 0.0}), run(tmp_path / "b<x>", ROWS[:2], kl={"coefficient": 0.5})
    table = curves.write(tmp_path / "c.html", curves.named([a, b]))
    assert table["a"] == {"steps": 12, "score": pytest.approx(0.75), "kl": pytest.approx(15.0)}     # of steps 3 to 12
    assert table["b<x>"] == {"steps": 2, "score": pytest.approx(0.15), "kl": pytest.approx(3.0)}
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "b&lt;x&gt;" in page
    assert "b<x>" not in page
    assert "kl/coefficient" in page
    assert "seed" not in page                                            # the same in both
    assert not re.search(r"https?:|file:|@import|<script", re.sub(r'xmlns(:\w+)?="[^"]*"', "", page))


def test_a_picture_has_a_line_for_each_run_in_its_colour_and_a_panel_for_each_metric():
    drawn = {"score": {"a": ([1, 2], [0.1, 0.2]), "b": ([1], [0.5])}, "kl": {"a": ([1, 2], [3.0, 4.0]), "b": ([], [])},
             "entropy": {"a": ([1, 2], [2.0, 1.0]), "b": ([1], [1.0])}, "loss": {"a": ([], []), "b": ([1], [1.0])}}
    figure = plots.overlay(drawn)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == list(drawn)
    assert len(figure.axes) == 6                                         # two panels are left over, and not seen
    for axes, lines in zip(shown, drawn.values(), strict=True):
        found = [(list(line.get_xdata()), list(line.get_ydata()), line.get_color()) for line in axes.lines]
        assert found == [(*lines[run], plots.run_colours(["a", "b"])[run]) for run in ("a", "b")]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert len(set(plots.run_colours([str(n) for n in range(10)]).values())) == 10


def test_the_command_draws_and_says_the_last_values(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "a")
    assert cli.main(["plot", "a", "--lang", "en", "--metrics", "kl", "--output", "kl.png"]) == 0
    assert capsys.readouterr().out == "a: 12 steps; at the end kl 15\nThe curves are in kl.png.\n"
    assert (tmp_path / "kl.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["plot", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["a"]["steps"] == 12
    assert (tmp_path / "curves.html").is_file()


@pytest.mark.parametrize(("words", "said"), [
    (["plot", "b"], "b is no run with steps: it has no metrics.jsonl"), (["plot", "runs"], "Runs lie in runs/a."),
    (["plot", "empty"], "holds no step yet"), (["plot", "broken"], "line 2, is damaged"),
    (["plot", "runs/a", "runs/a"], "named twice"), (["plot", "runs/a", "--output", "c.pdf"], "must end in .png"),
    (["plot", "runs/a", "--smooth", "0"], "--smooth is 0"), (["plot", "runs/a", "--metrics", "elo"], "no run has"),
    (["plot", "runs/a", "--output", "mine.html"], "is not what the kit writes there")])
def test_what_cannot_be_drawn_is_one_line_and_nothing_is_written(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "runs" / "a")
    run(tmp_path / "empty", [])
    (run(tmp_path / "broken") / "metrics.jsonl").write_text('{"step": 1}\n{"step": \n')
    (tmp_path / "mine.html").write_text("<p>my page")
    before = sorted(tmp_path.rglob("*"))
    assert cli.main([*words, "--lang", "en"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "mine.html").read_text() == "<p>my page"


def test_a_damaged_line_is_an_error_with_its_number(tmp_path):
    place = run(tmp_path / "a")
    (place / "metrics.jsonl").write_text('{"step": 1}\n[]\n')
    with pytest.raises(StorageError, match="line 2, is damaged"):
        curves.read(place)
