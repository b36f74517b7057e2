"""The gallery: each slip by hand, the loop is left as it was, and a fault is run, shown and named."""

import copy
import json
import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit import cli
from rlhf_kit.language import fault_words
from rlhf_kit.methods import ppo
from rlhf_kit.runs import explain
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout
from rlhf_kit.studies import gallery
from rlhf_kit.studies.gallery import parts, slips

SHORT = Sampling(max_new_tokens=8)


def test_there_are_sixteen_faults_and_each_shows_the_line_that_makes_it():
    assert len(gallery.FAULTS) == 16
    assert gallery.named("no-kl").line == "run.configured(kl=KL(coefficient=0.0))"
    assert all(fault.line.startswith("run.") and "\n" not in fault.line for fault in gallery.FAULTS.values())
    with pytest.raises(ValueError, match=r"no fault 'no_kl' in the gallery\. Did you mean no-kl\?"):
        gallery.named("no_kl")


def test_the_loop_has_its_own_functions_again_whatever_happens():
    own = ppo.whiten

    def stumble():
        with parts._in_place({"whiten": len}):
            assert ppo.whiten is len
            raise RuntimeError("on purpose")
    with pytest.raises(RuntimeError, match="on purpose"):
        stumble()
    assert ppo.whiten is own
    with pytest.raises(AttributeError), parts._in_place({"no_such_function": len}):
        pass


def test_whitened_alone_every_response_has_mean_0():
    mask = torch.tensor([[True, True, True], [True, True, False], [True, False, False]])
    found = slips.each_alone(torch.tensor([[1.0, 2.0, 3.0], [10.0, 30.0, 9.0], [5.0, 9.0, 9.0]]), mask)
    assert found[0].tolist() == pytest.approx([-1, 0, 1], abs=1e-6)
    assert found[1].tolist() == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5), 0], abs=1e-6)
    assert found[2].tolist() == [0, 0, 0]


def test_at_the_last_column_padding_gets_the_score_and_the_wrong_way_round_drifting_pays():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    now, before = torch.tensor([[-1.0, -2.0, 0.0]] * 2), torch.tensor([[-1.5, -2.0, 0.0]] * 2)
    score = torch.tensor([2.0, 3.0])
    late = slips.at_last_column(score, now, before, mask, 0.1)
    assert late.tolist() == [pytest.approx([-0.05, 0, 2.0]), pytest.approx([-0.05, 0, 3.0])]
    paid = slips.wrong_way(score, now, before, mask, 0.1)
    assert paid.tolist() == [pytest.approx([0.05, 2.0, 0]), pytest.approx([0.05, 0, 3.0])]


def test_end_tokens_are_masked_like_padding(policy, prompts):
    right, wrong = sample_rollout(policy, prompts, SHORT, 0), slips.end_as_padding(policy, prompts, SHORT, 0)
    assert torch.equal(right.response_ids, wrong.response_ids)
    lost = right.mask & ~wrong.mask
    assert lost.any()
    assert (right.response_ids[lost] == policy.tokenizer.eos_token_id).all()
    assert lost.sum(-1).max() == 1


def test_from_the_top_tokens_were_likelier_than_the_policy_finds_them(policy, prompts):
    drawn = slips.from_top(k=3)(policy, prompts, SHORT, 0)
    now = response_logprob(policy, drawn)
    assert ((drawn.logprob - now)[drawn.mask] > 0).all()
    assert drawn.value.shape == drawn.mask.shape


def test_colder_than_believed_surprises_less_than_the_entropy(policy, prompts):
    drawn = slips.colder(temperature=0.3)(policy, prompts * 8, SHORT, 0)
    assert torch.allclose(response_logprob(policy, drawn)[drawn.mask], drawn.logprob[drawn.mask], atol=1e-5)
    assert -drawn.logprob[drawn.mask].mean() < drawn.entropy[drawn.mask].mean() - 0.2


def test_an_engine_that_is_never_told_is_believed_to_be_the_policy(policy, llama, prompts):
    drawn = slips.never_told(llama)(policy, prompts, SHORT, 0)
    assert drawn.responses == sample_rollout(llama, prompts, SHORT, 0).responses
    assert torch.allclose(response_logprob(policy, drawn)[drawn.mask], drawn.logprob[drawn.mask], atol=1e-5)


def test_rounded_to_eight_bits_it_is_almost_the_policy(policy, prompts):
    drawn = slips.in_eight_bits(policy, prompts, SHORT, 0)
    away = (response_logprob(policy, drawn) - drawn.logprob)[drawn.mask].abs()
    assert 1e-5 < away.mean() < 0.1


def test_minibatches_take_the_reference_for_the_old_policy(policy, llama, prompts):
    drawn = slips.against(llama)(policy, prompts, SHORT, 0)
    rows = torch.tensor([2, 0])
    assert torch.allclose(drawn[rows].logprob, response_logprob(llama, drawn)[rows])
    assert torch.equal(drawn.logprob, sample_rollout(policy, prompts, SHORT, 0).logprob)


# -- run and shown -----------------------------------------------------------------------------------------------------

@pytest.fixture
def small(policy, prompts, monkeypatch):
    """A gallery on a model and a reward that take no training of their own."""
    class Task:
        def gold(self, prompt, response):
            return min(len(response), 20) / 20

    def healthy(lang="en", seed=0):
        own = copy.deepcopy(policy).requires_grad_(True)
        config = replace(gallery.CONFIG, steps=5, batch_size=8, minibatch_size=4, sampling=SHORT, seed=seed)
        return gallery.Parts(policy=own, reference=own.reference(), prompts=prompts, task=Task(), config=config,
                             reward=lambda prompts, responses: [r.count("a") / 10 for r in responses])
    monkeypatch.setattr("rlhf_kit.studies.gallery.show.healthy", healthy)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_fault_is_run_shown_and_named(small, tmp_path, capsys, lang):
    assert cli.main(["gallery", "kl-reversed", "--output", str(tmp_path), "--lang", lang]) == 0
    said, words = capsys.readouterr().out, fault_words(lang)["kl-reversed"]
    assert words["title"] in said
    assert "run.swapped(token_reward=slips.wrong_way)" in said
    kept = json.loads((tmp_path / "kl-reversed.json").read_text(encoding="utf-8"))
    assert len(kept["rows"]) == 5
    page = (tmp_path / "kl-reversed.html").read_text(encoding="utf-8")
    assert words["symptom"] in page.replace("&#39;", "'")
    assert page.count("<svg") >= 5
    assert (tmp_path / "kl-reversed.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / f"healthy-{lang}-0.json").exists()


def test_a_fault_that_the_checks_catch_says_so_and_is_run_all_the_same(small, tmp_path, capsys):
    assert cli.main(["gallery", "top-k", "--output", str(tmp_path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "the ratio before the first update must be 1" in shown["check"]
    assert shown["findings"][0]["fault"] == "top-k"


def test_the_list_and_slips(tmp_path, capsys):
    assert cli.main(["gallery", "--lang", "zh"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in gallery.FAULTS)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "no-kl.html").write_text("mine")
    for words, what in ((["no-kI"], "Did you mean no-kl?"), (["no-kl", "--output", str(tmp_path / "file")], "a file"),
                        (["no-kl", "--output", str(tmp_path)], "no-kl.html"),
                        (["no-kl", "--seed", "-1"], "--seed is -1")):
        assert cli.main(["gallery", *words]) == 2
        said = capsys.readouterr().err
        assert what in said
        assert said.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", [gallery.HEALTHY, *gallery.FAULTS])
def test_one_seed_is_named_anew(fault):
    from tests.benchmarks import gallery as bench
    found = explain.findings(bench.record(bench.made(fault, 1)))
    assert (found[0].fault if found else gallery.HEALTHY) == fault
