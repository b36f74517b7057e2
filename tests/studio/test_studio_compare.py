"""Compare without a browser: what it shows of really sampled responses, and what it says when it cannot."""

import json
import shutil

import pytest

from rlhf_kit import zoo
from rlhf_kit.models import tiny
from rlhf_kit.models.loading import save_model
from rlhf_kit.models.text import prompt_rows
from rlhf_kit.sampling import Sampling, sample_rollout
from rlhf_kit.storage import StorageError, new_folder
from rlhf_kit.studio import comparing, problems
from rlhf_kit.studio.compare import CHARACTERS, MOST_TOKENS, OFFERED_TOKENS, Compare
from rlhf_kit.studio.comparing import Column
from rlhf_kit.studio.workspace import Workspace

ASKED = {"judge": "praise", "seed": 1, "temperature": 0.7, "most": 12}


@pytest.fixture(scope="module")
def models(tmp_path_factory, policy, tokenizer):
    home = tmp_path_factory.mktemp("models")
    zoo.save_policy(policy, home / "before")
    other = policy.reference()
    other.lm.transformer.wte.weight.data.mul_(1.2)
    zoo.save_policy(other, home / "after")
    with new_folder(home / "praise") as unfinished:
        save_model(tiny.classifier(tokenizer, layers=1, width=16), tokenizer, unfinished)
    return home


@pytest.fixture
def panel(models, tmp_path):
    return Compare("en", Workspace(tmp_path, [str(models / name) for name in ("before", "after", "praise")]))


def generated(panel, prompt="the lamp is", names=("before", "after", ""), steps=(1, 1, 1), **changes):
    return list(panel.generate(prompt, names, steps, **{**ASKED, **changes}))


def test_what_is_shown_is_what_the_policy_samples(panel, policy):
    *_, (view, line) = generated(panel)
    assert line.startswith("Done")
    assert [column["name"] for column in view["columns"]] == ["before", "after"]
    rollout = sample_rollout(policy, ["the lamp is"] * 3, Sampling(max_new_tokens=12, temperature=0.7), seed=1)
    for sample, text, length in zip(view["columns"][0]["samples"], rollout.responses, rollout.length, strict=True):
        assert "".join(piece[0] for piece in sample["pieces"]) == text
        assert sample["tokens"] == length


def test_the_best_of_n_stands_beside_the_single_samples_with_the_judge_that_chose(panel):
    *_, (view, line) = generated(panel, n=8)
    single, best, other = view["columns"]
    assert line.startswith("Done")
    assert view["reward"] == "praise"
    assert (single["name"], best["name"], other["name"]) == ("before", "before", "after")
    for one, found, kept in zip(single["samples"], best["chosen"], best["samples"], strict=True):
        assert {key: found[0][key] for key in ("reward", "tokens", "gold")} == {
            key: one[key] for key in ("reward", "tokens", "gold")}
        assert found[0]["of"] == 1
        rewards = [sample["reward"] for sample in found]
        assert rewards == sorted(set(rewards))
        assert found[-1] == kept
        assert all(1 <= sample["of"] <= 8 for sample in found)
    assert best["kl_bounds"][:2] == pytest.approx([0, 0.1931], abs=1e-4)                             # log 2 - 1/2
    assert best["kl_bounds"][7] == pytest.approx(1.2044, abs=1e-4)                                   # log 8 - 7/8
    assert sum(len(found) > 1 for found in best["chosen"]) >= 1         # all three first of eight: 1 in 512
    *_, (again, _) = generated(panel)
    assert [column["samples"] for column in again["columns"]] == [single["samples"], other["samples"]]
    kept, asked = panel.recalled(f"#compare/{view['address']}")
    assert kept["columns"][1]["chosen"] == best["chosen"]
    assert asked["n"] == 8


def test_a_longer_text_is_chosen_where_length_is_what_is_paid_for(policy):
    def reward(prompts, responses):
        return [float(len(response)) for response in responses]
    sampling = Sampling(max_new_tokens=12)
    singles = sample_rollout(policy, ["the lamp is"] * 3, sampling, seed=1)
    seen = []

    def asked(prompts, responses):
        seen.extend(responses)
        return reward(prompts, responses)
    found = comparing.best_of(Column("mine", policy), singles, 4, asked, sampling, 1, "en")
    pool = [[seen[row], *seen[3 + 3 * row:6 + 3 * row]] for row in range(3)]        # the single ones are scored first
    for texts, kept in zip(pool, found["samples"], strict=True):
        assert "".join(piece[0] for piece in kept["pieces"]) == max(texts, key=len)


def test_the_numbers_of_the_pieces_add_up_to_those_of_the_response(panel):
    *_, (view, _) = generated(panel)
    judge = panel.shelf.judge("praise", "en")
    for column in view["columns"]:
        for sample in column["samples"]:
            text = "".join(piece[0] for piece in sample["pieces"])
            start, whole = judge.probability(["the lamp is"] * 2, ["", text]).tolist()
            assert start + sum(piece[1] for piece in sample["pieces"]) == pytest.approx(whole, abs=2e-3)
            assert sample["reward"] == pytest.approx(whole, abs=1e-3)
            assert sum(piece[2] for piece in sample["pieces"]) == pytest.approx(sample["kl"], abs=5e-3)
            if column is view["columns"][0]:                            # named first: drift is measured from it
                assert sample["kl"] == pytest.approx(0, abs=1e-3)


def test_the_same_seed_gives_the_same_view_and_another_another(panel):
    first, same, other = (generated(panel, seed=seed)[-1][0] for seed in (1, 1, 2))
    assert first == same
    assert first["columns"] != other["columns"]


def test_it_grows_while_one_looks(panel, monkeypatch):
    monkeypatch.setattr("rlhf_kit.studio.compare.PAUSE", 0)
    views = [view for view, line in generated(panel) if "Stop (Esc)" in line]
    lengths = [len(view["columns"][0]["samples"][0]["pieces"]) for view in views]
    assert lengths == sorted(lengths)
    assert lengths[0] == 1
    pieces = [piece for view in views for piece in view["columns"][1]["samples"][2]["pieces"]]
    assert all(piece[3] >= 0 and piece[1] is None for piece in pieces)


def test_three_policies_and_one_alone(panel):
    assert len(generated(panel, names=("before", "after", "before"))[-1][0]["columns"]) == 3
    assert len(generated(panel, names=("after", "", ""))[-1][0]["columns"]) == 1


def test_kl_is_measured_from_what_the_policy_was_trained_from(policy, models):
    after = zoo.load_policy(models / "after", value_head=False)
    columns = [Column("after", after, policy.reference(), "before"), Column("alone", after)]
    *_, grown = comparing.responses(columns, "the", Sampling(max_new_tokens=8), 3)
    view = comparing.judged(columns, grown, lambda prompts, texts: [0.5] * len(texts), "en")
    told, unknown = (column["samples"] for column in view["columns"])
    assert all(abs(sample["kl"]) > 0.01 for sample in told)
    assert [sample["kl"] for sample in unknown] == [None] * 3
    assert [sample["gold"] for sample in told] == [None] * 3            # no product that the task knows


def test_gold_is_told_where_the_task_knows_the_product():
    assert comparing.gold_of("This mini umbrella is a present for my friend.", " The handle is sturdy.", "en") > 0.5
    assert comparing.gold_of("Once upon a time", " there was a king.", "en") is None


def test_stop_says_that_a_text_is_not_judged_only_where_that_is_so(panel):
    views = [view for view, _ in generated(panel) if view is not None]
    assert panel.stopped(views[0]) == panel.words("stopped_halfway")
    for view in (views[-1], None, "view", {"columns": None}, {"columns": [{"samples": [{}]}]}, []):
        assert panel.stopped(view) == panel.words("stopped")


def test_closing_frees_the_model(panel, monkeypatch):
    from rlhf_kit.models.heads import Policy
    stream = panel.generate("the lamp is", ("before", "after", ""), (1, 1, 1), **ASKED)
    while "Stop (Esc)" not in next(stream)[1]:
        pass
    calls, forward = [], Policy.forward
    monkeypatch.setattr(Policy, "forward", lambda self, *a, **k: calls.append(1) or forward(self, *a, **k))
    stream.close()
    assert calls == []


# What it says when it cannot.

@pytest.mark.parametrize(("prompt", "said"), [
    ("", "Write a prompt first."), (" \n\t　", "Write a prompt first."),
    ("a" * 100_000, "The prompt has 100,000 characters; at most 2,000 are read here.")])
def test_a_prompt_that_cannot_be_used_is_refused_before_anything_is_loaded(panel, prompt, said):
    assert panel.refused(prompt, "before").startswith(said)
    [(view, line)] = generated(panel, prompt)
    assert view is None
    assert line.startswith(said)
    assert panel.shelf.loaded() == 0


def test_a_prompt_that_does_not_fit_says_how_many_tokens_do(panel):
    prompt = "the lamp is very pretty, " * 9
    *_, (view, line) = generated(panel, prompt)
    assert view is None
    assert "before reads and writes at most 48 together" in line
    assert len(prompt) < CHARACTERS


def test_more_tokens_than_fit_behind_the_prompt_are_cut_and_that_is_said(panel, tokenizer):
    room = 48 - max(map(len, prompt_rows(tokenizer, ["the lamp is"])))
    *_, (view, line) = generated(panel, most=200)
    assert line.endswith(f"No more than {room} of 200 new tokens fit behind the prompt.")
    assert max(sample["tokens"] for column in view["columns"] for sample in column["samples"]) == room
    assert "No more" not in generated(panel, most=room)[-1][1]


def test_the_slider_ends_where_the_shortest_context_does(panel, models, tmp_path):
    longer = shutil.copytree(models / "after", tmp_path / "longer")
    config = json.loads((longer / "config.json").read_text())
    (longer / "config.json").write_text(json.dumps({**config, "n_positions": 2048}))
    panel.shelf.named["longer"] = str(longer)
    assert panel.room(["before", "longer", ""]) == {
        "maximum": 47, "info": "These models read and write at most 48 tokens together, prompt included."}
    assert panel.room(["longer", "", ""])["maximum"] == MOST_TOKENS          # no page shows more
    assert panel.room(["no-such"]) == {"maximum": OFFERED_TOKENS, "info": ""}
    assert panel.room(["tiny-lm-en"])["maximum"] == 95                      # of a recipe, though nobody has trained it
    assert panel.shelf.loaded() == 0


def test_more_tokens_than_a_page_shows_are_cut_and_that_is_said(panel, monkeypatch):
    monkeypatch.setattr("rlhf_kit.studio.compare.MOST_TOKENS", 5)
    assert generated(panel, most=9)[-1][1].endswith("At most 5 new tokens are shown here; 9 were asked for.")


@pytest.mark.parametrize("prompt", ["👍🏽🎉", "العربية ‮ abc", "${7*7} {{7}} <b>", "\x00\x01"])
def test_odd_prompts_are_answered(panel, prompt):
    assert generated(panel, prompt, most=4)[-1][1].startswith("Done")


def test_a_deleted_model_is_told_in_the_page_s_language(models, tmp_path):
    shutil.copytree(models / "before", tmp_path / "mine")
    panel = Compare("zh", Workspace(tmp_path / "studio", [str(tmp_path / "mine"), str(models / "praise")]))
    shutil.rmtree(tmp_path / "mine")
    [name] = [name for name in panel.shelf.names("policy", "zh") if "mine" in name]
    *_, (view, line) = generated(panel, names=(name, "", ""))
    assert view is None
    assert "已被删除" in line


def test_values_that_a_page_would_not_send_do_no_harm(panel):
    *_, (view, line) = generated(panel, seed=-3, temperature=0, most=10**9)
    assert (view["seed"], view["temperature"]) == (0, 1.0)
    assert "of 1000000000 new tokens" in line
    assert generated(panel, seed=None, temperature=None, most=3)[-1][0]["temperature"] == 1.0
    assert generated(panel, names=("../etc", "", ""))[-1][1].startswith("There is no model “../etc”")


def test_a_policy_that_diverged_and_a_judge_that_fails_are_one_line_each(panel, monkeypatch, capsys):
    def burst(*_):
        raise ValueError("the policy's probabilities are no numbers any more: it has diverged.")
    with monkeypatch.context() as patch:
        patch.setattr(comparing, "responses", burst)
        assert "diverged" in generated(panel)[-1][1]
    judge = panel.shelf.judge("praise", "en")
    mad = judge._replace(probability=lambda prompts, responses: [float("nan")] * len(responses))
    monkeypatch.setattr(panel.shelf, "judge", lambda *_: mad)
    assert generated(panel)[-1][1] == panel.words("no_reward")
    assert "expected finite numbers" in capsys.readouterr().err


# The histogram.

@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(comparing, "PROMPTS", 4)
    monkeypatch.setattr(comparing, "AT_ONCE", 2)


def measured(panel, **changes):
    return list(panel.measure(("before", "after", ""), (1, 1, 1), **{**ASKED, "most": 4, **changes}))


def test_the_histogram_is_measured_with_progress_and_kept(panel, few):
    first = measured(panel)
    assert [line for _, line in first if "/ 8" in line] == [f"{n} / 8 responses · Stop (Esc)" for n in (2, 4, 6, 8)]
    result, line = first[-1]
    assert line == panel.words("histogram_done")
    assert [len(one["scores"]) for one in result["series"]] == [4, 4]
    assert measured(panel) == [(result, panel.words("histogram_kept"))]
    assert measured(panel, seed=2)[-1][0] != result


def test_a_damaged_histogram_is_measured_again_and_a_full_disk_costs_nothing_but_the_copy(panel, few, monkeypatch):
    result = measured(panel)[-1][0]
    [kept] = (panel.workspace.folder / "compared").glob("*.json")
    kept.write_text("{")
    assert measured(panel)[-1] == (result, panel.words("histogram_done"))
    kept.unlink()

    def full(*_):
        raise StorageError("no space")
    monkeypatch.setattr(comparing, "write_text", full)
    assert measured(panel)[-1] == (result, panel.words("histogram_unsaved"))


# The saved example.

SAVED = {"compare": {"views": [{"prompt": f"p{i}", "beta": 0.1, "reward": "tiny-judge-en", "columns": []}
                               for i in range(6)], "histogram": {"reward": "tiny-judge-en", "series": []}}}


def test_the_first_line_depends_on_what_there_is(panel, tmp_path, monkeypatch):
    def nothing(lang):
        raise FileNotFoundError(lang)
    monkeypatch.setattr(problems, "example", nothing)
    assert panel.first_line() == panel.words("nothing_saved")
    monkeypatch.setattr(problems, "example", lambda lang: SAVED)
    assert panel.first_line() == panel.words("saved")
    assert Compare("zh", Workspace(tmp_path / "new")).first_line().startswith("还没有训练好的模型。")


def test_a_chip_brings_its_saved_view_until_something_was_generated(panel, monkeypatch):
    monkeypatch.setattr(problems, "example", lambda lang: SAVED)
    assert panel.chip(2, True) == (panel.words("chip_3"), SAVED["compare"]["views"][2])
    assert panel.chip(2, False) == (panel.words("chip_3"), None)


def test_the_example_of_really_sampled_models(models, tmp_path, few, monkeypatch):
    """Small enough, plain JSON, one view a chip; the run is one that somebody trained."""
    monkeypatch.setattr(comparing, "EXAMPLE_TOKENS", 1)
    run = tmp_path / "run"
    shutil.copytree(models / "before", run / "language_model")
    shutil.copytree(models / "after", run / "policy")
    shutil.copytree(models / "praise", run / "judge")
    (run / "settings.json").write_text(json.dumps({"lang": "en", "language_model": {}}))
    made = comparing.example("en", run)
    assert json.loads(json.dumps(made)) == made
    assert [column["name"] for column in made["views"][5]["columns"]] == ["before", "after PPO"]
    assert [len(one["scores"]) for one in made["histogram"]["series"]] == [4, 4]
    assert len(json.dumps(made)) < 120_000
