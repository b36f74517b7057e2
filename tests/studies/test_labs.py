"""Three labs on one bench: a budget that is kept, what an examination reads, intervals by hand, runs that go on."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from rlhf_kit import cli, plots
from rlhf_kit.evaluate import Estimate
from rlhf_kit.jobs import instructions
from rlhf_kit.language import sentences
from rlhf_kit.methods import ppo
from rlhf_kit.recipes import anthropic, instructgpt, sparrow
from rlhf_kit.sampling import Sampling
from rlhf_kit.studies import labs
from rlhf_kit.studies.labs import budget, exam, figures, job, page
from rlhf_kit.tasks.assistant import Assistant
from tests.recipe_runs import blank_base, result

EVIL = "</td><script>alert(1)</script>"
SMALL = labs.Size(budget=60, epochs=1, asked=6, mild=4, red_team=4, taxed=2, sampling=Sampling(max_new_tokens=6))


# -- labels ------------------------------------------------------------------------------------------------------------

def test_every_recipe_keeps_within_the_budget_by_hand():
    """256 demonstrations and 422 pages of 6.5; 1,500 comparisons of two; 4 candidates a turn, the rest rule labels."""
    own = replace(instructgpt.PRESETS["tiny"], demonstrations=256)
    assert budget.pages_within(own, 3000).rankings == 422                              # 2744 / 6.5
    preset = replace(anthropic.PRESETS["tiny"], helpful=400, harmless=120, sampled=80)
    kept = budget.comparisons_within(preset, 3000)
    assert (kept.helpful, kept.harmless, kept.sampled) == (1000, 300, 200)
    turned = budget.turns_within(replace(sparrow.PRESETS["tiny"], turns=200, by_people=1000, candidates=4, labels=5200),
                                 2500)
    assert (turned.turns, turned.by_people, turned.labels) == (50, 250, 1300)


def test_a_budget_of_which_nothing_is_left_for_a_part_is_refused():
    with pytest.raises(ValueError, match="the budget is 100 labels, and a recipe needs more"):
        budget.pages_within(replace(instructgpt.PRESETS["tiny"], demonstrations=256), 100)


def test_labels_are_counted_by_the_answer(tmp_path):
    """Two pages of 4 and 5; three comparisons of two; a turn of 3 candidates and two rule labels."""
    (tmp_path / "result.json").write_text(json.dumps({"demonstrations": 7}))
    (tmp_path / "labels").mkdir()
    (tmp_path / "sampled").mkdir()
    rows = {"labels/rankings.jsonl": [{"responses": ["a"] * 4}, {"responses": ["a"] * 5}],
            "labels/helpful-train.jsonl": [{}, {}], "labels/helpful-heldout.jsonl": [{}] * 9,
            "sampled/helpful-train.jsonl": [{}],
            "labels/turns.jsonl": [{"responses": ["a"] * 3}], "labels/rules.jsonl": [{}, {}]}
    for name, found in rows.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in found))
    assert budget.of_instructgpt(tmp_path) == {"demonstrations": 7, "ranked": 9}
    assert budget.of_anthropic(tmp_path) == {"compared": 6}
    assert budget.of_sparrow(tmp_path) == {"picked": 3, "rules": 2}


def test_labs_come_in_the_order_of_the_table():
    assert labs.chosen(["sparrow", "sft"]) == ("sft", "sparrow")
    assert labs.chosen(None) == tuple(labs.LABS)
    assert tuple(plots.LABS) == (*labs.REFERENCES, *labs.LABS)
    with pytest.raises(ValueError, match=r"names 'sparow', which is none of them\. Did you mean sparrow"):
        labs.chosen(["sparow"])


# -- intervals ---------------------------------------------------------------------------------------------------------

def test_of_one_seed_a_share_has_wilsons_interval_and_a_degree_the_normal_one():
    """3 of 10: (.3 + z²/20 ± z √(.021 + z²/400)) / (1 + z²/10) = .1078 to .6032."""
    seen = figures.estimate("invented", [[1.0] * 3 + [0.0] * 7])
    assert (seen.mean, seen.low, seen.high) == (0.3, pytest.approx(0.1078, abs=1e-4), pytest.approx(0.6032, abs=1e-4))
    seen = figures.estimate("helpful", [[0.2, 0.4]])                                    # s = .1414, n = 2
    assert seen.high - seen.mean == pytest.approx(1.96 * 0.1, abs=1e-4)


def test_of_three_seeds_the_interval_is_students():
    """Means 1, 2, 3: s = 1, 4.3027 · 1/√3 = 2.4842; requests within a seed do not count."""
    seen = figures.estimate("length", [[0.0, 2.0], [2.0, 2.0], [3.0, 3.0]])
    assert (seen.mean, seen.n) == (2.0, 3)
    assert seen.high - 2.0 == pytest.approx(2.4842, abs=1e-3)
    assert figures.estimate("helpful", [[0.4, 0.4], [0.6, 0.6]]).high == 1.0            # .5 + 12.7 · .1, cut off


def test_a_lab_is_first_for_certain_only_where_its_interval_touches_no_other():
    def one(policy, mean, half):
        seen = {"mean": mean, "low": mean - half, "high": mean + half, "n": 9}
        return {"policy": policy, "measures": {"helpful": seen, "balked": seen}}
    assert page.first([one("sft", 0.3, 0.1), one("sparrow", 0.6, 0.1)], "helpful") == ("sparrow", True)
    assert page.first([one("sft", 0.3, 0.1), one("sparrow", 0.45, 0.1)], "helpful") == ("sparrow", False)
    assert page.first([one("sft", 0.3, 0.1), one("sparrow", 0.6, 0.1)], "balked") == ("sft", True)      # less is better


# -- the examination ---------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return blank_base(tmp_path_factory.mktemp("base") / "llama", layers=5)


@pytest.fixture(scope="module")
def asked(base):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exam, "DRAWN", 1200)
        made = exam.Exam("en", replace(SMALL, asked=40, mild=12, red_team=12), exam.opened(str(base)))
        made.requests                                                       # noqa: B018  drawn while there are few
        yield made


def test_requests_are_held_out_and_of_their_kind(asked):
    kinds = asked.requests
    assert [len(some) for some in kinds.values()] == [40, 12, 12]
    for some in kinds.values():
        assert len({one.text for one in some}) == len(some)
        assert all(one.case.split == "heldout" for one in some)
        assert all(instructions.purpose_of(one.text, instructions.PURPOSES["heldout"]) == "test" for one in some)
    assert {one.case.sort for one in kinds["mild"]} == {"borderline"}
    assert all(one.case.harmful or one.case.kind == "advice" for one in kinds["red_team"])


def test_a_careful_person_passes_and_each_cheat_fails_where_it_should(asked):
    """Careful answers; refusing everything; running on; silence."""
    def read(name, kind, answers):
        texts = [one.text for one in asked.requests[kind]]
        return [float(x) for x in asked.rewards[name](texts, answers)]
    careful = {kind: Assistant("en").references([one.text for one in some]) for kind, some in asked.requests.items()}
    for name, measure in labs.MEASURES.items():
        if name in ("gold", "honest", "rules", "harmless"):
            assert min(read(name, measure.kind, careful[measure.kind])) == pytest.approx(1.0), name
        if name in ("balked", "invented", "runs_on"):
            assert max(read(name, measure.kind, careful[measure.kind])) == 0.0, name
    refusal = next(text for text in (" I will not help with that.", " I am sorry, but I will not help with that.",
                                     " Sorry, I cannot help with that.") if sum(read("balked", "mild", [text] * 12)))
    assert sum(read("balked", "mild", [refusal] * 12)) == 12
    assert max(read("gold", "mild", [refusal] * 12)) < 0.3
    on = [f"{answer}\n\nUser: And then?" for answer in careful["asked"]]
    assert min(read("runs_on", "asked", on)) == min(read("runs_on", "asked", [""] * 40)) == 1.0
    assert read("gold", "asked", on) == read("gold", "asked", careful["asked"])         # the first turn is judged


# -- runs --------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module", autouse=True)
def small(base):
    """SFT and Sparrow at a size of seconds, on a base that knows words alone."""
    preset, first = sparrow.PRESETS["tiny"], instructgpt.PRESETS["tiny"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sparrow.PRESETS, "tiny", replace(
            preset, base=str(base), turns=8, by_people=8, labels=40, sft_epochs=1, preference_epochs=1, rule_epochs=1,
            prompts=16, rerank=2, held_out_turns=4, held_out_labels=30, sft=replace(preset.sft, batch_size=8),
            preference=replace(preset.preference, batch_size=4), rules=replace(preset.rules, batch_size=8),
            rl=replace(preset.rl, steps=2, batch_size=8, sampling=Sampling(max_new_tokens=6))))
        patch.setitem(instructgpt.PRESETS, "tiny", replace(first, base=str(base), demonstrations=8,
                                                           sft=replace(first.sft, batch_size=8)))
        patch.setitem(ppo.steps.__kwdefaults__, "checkpoint_every", 1)
        patch.setattr(exam, "DRAWN", 400)
        patch.setattr(budget, "OWN_EXAM", 24)
        patch.setattr(exam, "tax", taxed)
        yield


def taxed(policy, lang, sources, texts):
    """In place of translations and losses, which are tested elsewhere: two numbers, of the policy's weights."""
    weight = float(sum(p.detach().double().sum() for p in policy.lm.parameters()))
    return SimpleNamespace(each=dict.fromkeys(exam.TAX, (0.5, abs(weight) % 1)))


def made(*names: str, **changes) -> labs.LabsJob:
    return labs.LabsJob(labs=labs.chosen(names), size=SMALL, **changes)


def ran(study: labs.LabsJob, folder, **options) -> list:
    return list(study.run(folder, **options))


def numbers(found: dict) -> list:
    """Every policy's, without seconds."""
    return [(one["policy"], one["measures"], one["kl"], one["labels"], one["texts"]) for one in found["policies"]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small):
    folder = tmp_path_factory.mktemp("labs") / "run"
    ran(made("sft", "sparrow"), folder)
    return folder


def test_every_policy_is_examined_and_says_what_it_used(finished):
    found = result(finished)
    assert [one["policy"] for one in found["policies"]] == ["base", "prompted", "sft", "sparrow"]
    by = {one["policy"]: one for one in found["policies"]}
    assert set(by["sft"]["measures"]) == set(labs.MEASURES)
    assert set(by["prompted"]["measures"]) == {name for name in labs.MEASURES if name not in exam.TAX}
    assert by["base"]["kl"]["mean"] == pytest.approx(0, abs=1e-5)
    assert by["sft"]["kl"]["mean"] > 0
    assert by["sft"]["labels"] == {"demonstrations": 60}
    assert by["sparrow"]["labels"] == {"picked": pytest.approx(32, abs=8), "rules": 28}     # a copy is shown once
    assert by["sft"]["cpu_seconds"] > 0
    assert by["base"]["cpu_seconds"] == 0
    assert [row["kind"] for row in by["sft"]["texts"]] == ["asked", "asked", "mild", "red_team"]
    assert [row["prompt"] for row in by["sft"]["texts"]] == [row["prompt"] for row in by["prompted"]["texts"]]
    assert (finished / "labs.png").read_bytes().startswith(b"\x89PNG")
    [place] = (finished / "labs").glob("sparrow-0-*")
    assert (place / "report.html").exists()                                 # the recipe's own


@pytest.mark.parametrize("stop", [("labs_sparrow@0", 12), pytest.param(("labs_exam@0", 2), marks=pytest.mark.slow)])
def test_a_stopped_run_goes_on_with_the_same_numbers(finished, tmp_path, monkeypatch, stop):
    monkeypatch.setattr(page, "write", lambda *given: None)
    for event in made("sft", "sparrow").run(tmp_path / "run"):
        if event.stage == stop[0] and event.done >= stop[1]:
            break
    assert not (tmp_path / "run/result.json").exists()
    ran(made("sft", "sparrow"), tmp_path / "run")
    assert numbers(result(tmp_path / "run")) == numbers(result(finished))


def test_more_seeds_keep_what_is_there_and_another_setting_makes_its_lab_again(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr(page, "write", lambda *given: None)
    ran(made("sft"), folder)
    first = result(folder)
    events = ran(made("sft", seeds=2), folder)
    assert {event.stage for event in events} == {"labs_sft@1", "labs_exam@1"}
    both = {one["policy"]: one for one in result(folder)["policies"]}["sft"]
    assert both["seeds"][0]["helpful"] == {one["policy"]: one for one in first["policies"]}["sft"]["measures"][
        "helpful"]["mean"]
    preset = instructgpt.PRESETS["tiny"]
    monkeypatch.setitem(instructgpt.PRESETS, "tiny", replace(preset, sft=replace(preset.sft, learning_rate=1e-3)))
    assert {event.stage for event in ran(made("sft"), folder)} == {"labs_sft@0", "labs_exam@0"}
    assert {event.stage for event in ran(made("sft"), folder)} == set()


@pytest.mark.slow
def test_fresh_throws_everything_away(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr(page, "write", lambda *given: None)
    ran(made("sft"), folder)
    events = ran(made("sft"), folder, fresh=True)
    assert {event.stage for event in events} == {"labs_sft@0", "labs_exam@0"}


# -- the page ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_says_everything_in_its_language_and_takes_no_text_for_html(finished, tmp_path, lang):
    found = result(finished)
    found["policies"][2]["texts"][0]["response"] = EVIL
    page.write(tmp_path, lang, found)
    html, words = (tmp_path / "report.html").read_text(encoding="utf-8"), sentences(lang)
    assert EVIL not in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!#)', html)                     # one file, offline
    for name in page.ROWS:
        assert words[f"labs_measure_{name}"] in html.replace("&#39;", "'")
    for name in ("labs_name_sparrow", "labs_did_loss_sparrow", "labs_side", "labs_texts"):
        assert words[name] in html
    page.write(tmp_path / "again", lang, found)
    assert (tmp_path / "again/report.html").read_text(encoding="utf-8") == html


def test_the_command_on_the_page_is_one_that_makes_it():
    found = page.command({"lang": "zh", "labs": ["sft", "sparrow"], "seeds": [0, 1]})
    options = cli._parser().parse_args(found.split()[1:])
    assert (options.lang, options.labs, options.seeds) == ("zh", "sft,sparrow", 2)


def test_less_is_drawn_the_other_way_round_so_that_longer_is_better():
    assert page._longer("balked", {"mean": 0.2, "low": 0.1, "high": 0.4, "n": 9}) == Estimate(0.8, 0.6, 0.9, 9)


# -- what is typed -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("arguments", "said"), [
    (["--labs", "sft,opnai"], "--labs names 'opnai', which is none of them."),
    (["--seeds", "0"], "--seeds is 0; expected 1 to 10."),
    (["--seeds", "11"], "--seeds is 11; expected 1 to 10."),
])
def test_bad_input_is_one_line_before_anything_is_made(arguments, said, tmp_path, capsys):
    assert cli.main(["labs", "--output", str(tmp_path / "run"), "--lang", "en", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_command_shows_a_table_and_says_where_the_page_is(finished, capsys, monkeypatch):
    monkeypatch.setattr(labs, "LabsJob", lambda **given: job.LabsJob(**given, size=SMALL))
    arguments = ["labs", "--labs", "sft,sparrow", "--output", str(finished), "--lang", "en"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "Sparrow" in said
    assert f"{finished / 'report.html'}" in said.replace("\n", "")
    assert cli.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labs"] == ["sft", "sparrow"]
