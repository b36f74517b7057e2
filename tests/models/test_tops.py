"""Tops on one trunk: they begin as the model, share its tensors, change no other, and what that saves."""

import copy

import pytest
import torch

from rlhf_kit import zoo
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.jobs import JOBS
from rlhf_kit.methods import classifier, ppo, reward_model, sft
from rlhf_kit.models import tiny
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.tops import Trunk, _own, adopt, freeze_below, held_by, load_top, save_top
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.storage import StorageError

PAIRS = [Comparison("the lamp is", " sturdy.", " very loud."), Comparison("the pen is", " pretty.", " not cheap.")]


@pytest.fixture
def trunk(tokenizer):
    return Trunk(tiny.language_model(tokenizer, layers=5, width=32, heads=2, context=48), tokenizer)


def test_a_top_begins_as_the_model_and_shares_what_is_frozen(trunk, tokenizer, prompts):
    whole = Policy(tiny.language_model(tokenizer, layers=5, width=32, heads=2, context=48), tokenizer).eval()
    top = trunk.policy()
    assert generate(top, prompts, Sampling(max_new_tokens=8), seed=1) == generate(
        whole, prompts, Sampling(max_new_tokens=8), seed=1)
    assert trunk.layers == 1
    learning = [name for name, p in top.lm.named_parameters() if p.requires_grad]
    assert all(name.startswith(("transformer.h.4.", "transformer.ln_f.")) for name in learning)
    assert top.lm.transformer.wte.weight is trunk.lm.transformer.wte.weight is top.lm.lm_head.weight
    assert top.lm.transformer.h[4].attn.c_attn.weight is not trunk.lm.transformer.h[4].attn.c_attn.weight


def test_four_tops_learn_and_the_trunk_stays_the_same_to_the_bit(trunk):
    """SFT, a preference model, a rule model and A2C, one after the other; each changes its own top and no other's."""
    actor, preference = trunk.policy(), trunk.reward_model()
    rules, teacher = trunk.classifier(labels=("followed", "broken")), trunk.policy(value_head=False)
    tops = {"actor": actor, "preference": preference, "rules": rules, "teacher": teacher}
    before = {name: copy.deepcopy(dict(_own(top))) for name, top in tops.items()}
    frozen = {name: p.clone() for name, p in trunk.lm.named_parameters()}
    sft.train(teacher, ["the lamp is sturdy.", "the pen is loud."], sft.Config(steps=2, batch_size=2))
    reward_model.train(preference, PAIRS, reward_model.Config(steps=2, batch_size=2, max_length=40))
    classifier.train(rules, trunk.tokenizer, [("the lamp", 0), ("the pen", 1)], classifier.Config(
        steps=2, batch_size=2, max_length=40))
    ppo.train(actor, actor.reference(), [one.prompt for one in PAIRS], lambda p, r: [float(len(x)) for x in r],
              ppo.a2c(ppo.Config(steps=2, batch_size=4, minibatch_size=None, learning_rate=1e-3,
                                 sampling=Sampling(max_new_tokens=4))))
    assert all(torch.equal(p, frozen[name]) for name, p in trunk.lm.named_parameters())
    for name, top in tops.items():
        assert all(p is dict(trunk.lm.named_parameters())[n] for n, p in _network(top).named_parameters()
                   if not p.requires_grad and n in frozen), name
        assert any(not torch.equal(p, before[name][n]) for n, p in _own(top).items()), name


def _network(top):
    return top.lm if isinstance(top, Policy) else top.model if isinstance(top, RewardModel) else top


def test_four_models_hold_as_many_layers_as_the_paper_says(trunk):
    """80 layers of which 16 learn: (64 + 4·16)/(4·80) = .40; here 5, of which 1 does: (4 + 4)/20."""
    tops = [trunk.policy(), trunk.reward_model(), trunk.classifier(), trunk.policy(value_head=False)]
    held, apart = held_by(tops), held_by([copy.deepcopy(top) for top in tops])
    assert (held.layers, held.layers_apart, held.share) == (8, 20, 0.4)
    assert (apart.layers, apart.share) == (20, 1.0)
    assert held.bytes < 0.5 * apart.bytes


def test_the_reference_shares_the_trunk_and_stays_where_the_top_was(trunk, prompts):
    actor = trunk.policy()
    reference = actor.reference()
    assert not any(p.requires_grad for p in reference.parameters())
    assert held_by([actor, reference]).layers == 6
    sft.train(actor, ["the lamp is sturdy."], sft.Config(steps=2, batch_size=1, learning_rate=1e-2))
    assert generate(reference, prompts, Sampling(max_new_tokens=6), seed=1) == generate(
        trunk.policy(), prompts, Sampling(max_new_tokens=6), seed=1)


def test_a_top_is_saved_without_the_trunk_and_read_again(trunk, tmp_path):
    top = trunk.reward_model()
    reward_model.train(top, PAIRS, reward_model.Config(steps=2, batch_size=2, max_length=40))
    top.shift, top.likelihood = 0.5, (2.0, 5)
    save_top(top, tmp_path / "top")
    again = trunk.reward_model(seed=5)
    load_top(again, tmp_path / "top")
    assert (again.shift, again.likelihood) == (0.5, (2.0, 5))
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(again(ids, torch.ones_like(ids)), top(ids, torch.ones_like(ids)))
    assert (tmp_path / "top/top.safetensors").stat().st_size < 0.4 * 4 * tiny.parameters(top)
    with pytest.raises(StorageError, match="another shape or kind"):
        load_top(trunk.policy(), tmp_path / "top")


def test_what_was_saved_whole_becomes_a_top_again_if_it_stands_on_the_same_trunk(trunk, tokenizer, tmp_path):
    top = trunk.reward_model()
    reward_model.train(top, PAIRS, reward_model.Config(steps=2, batch_size=2, max_length=40))
    top.shift, top.likelihood = 0.5, (2.0, 5)
    zoo.save_reward_model(top, tmp_path / "whole")
    again, ids = trunk.reward_model(seed=5), torch.tensor([[5, 6, 7]])
    adopt(again, zoo.load_reward_model(tmp_path / "whole"))
    assert torch.equal(again(ids, torch.ones_like(ids)), top(ids, torch.ones_like(ids)))
    assert held_by([again, trunk.policy()]).layers == 6                             # the trunk is still one
    other = Trunk(tiny.language_model(tokenizer, layers=5, width=32, heads=2, context=48, seed=1), tokenizer)
    with pytest.raises(StorageError, match="not the trunk's; it was made on another trunk"):
        adopt(other.reward_model(), top)
    with pytest.raises(StorageError, match="another shape or kind"):
        adopt(trunk.policy(), top)


def test_llamas_have_tops_too(llama, tokenizer):
    lm = copy.deepcopy(llama.lm)
    trunk = Trunk(lm, tokenizer, 0.5)
    ids = torch.tensor([[5, 6, 7]])
    assert trunk.layers == 1
    assert trunk.reward_model()(ids, torch.ones_like(ids)).isfinite().all()
    assert all(name.startswith(("model.layers.1.", "model.norm.", "lm_head.")) for name in _own(trunk.policy().lm))


@pytest.mark.parametrize("share", [0, 1, 0.95])
def test_a_share_that_leaves_nothing_is_refused(tokenizer, share):
    with pytest.raises(ValueError, match="at least one to be frozen"):
        freeze_below(tiny.language_model(tokenizer, layers=2, width=32, heads=2), share)


def test_a_job_lets_only_the_last_layers_learn(tokenizer, tmp_path):
    zoo.save_policy(Policy(tiny.language_model(tokenizer, layers=5, width=32, heads=2, context=48), tokenizer),
                    tmp_path / "lm")
    (tmp_path / "texts.jsonl").write_text('{"text": "the lamp is sturdy."}\n' * 1 + '{"text": "the pen is loud."}\n')
    job = JOBS["sft"](model=str(tmp_path / "lm"), data=str(tmp_path / "texts.jsonl"), top=0.2,
                      changes={"steps": 2, "batch_size": 2})
    for _ in job.run(tmp_path / "run"):
        pass
    before, after = (dict(zoo.load_policy(tmp_path / name).lm.named_parameters()) for name in ("lm", "run/model"))
    moved = {name for name, p in after.items() if not torch.equal(p, before[name])}
    assert moved
    assert all(name.startswith(("transformer.h.4.", "transformer.ln_f.")) for name in moved)
    with pytest.raises(ValueError, match="--top is 2"):
        JOBS["sft"](model="x", top=2.0)
    with pytest.raises(ValueError, match="Leave one of them out"):
        JOBS["sft"](model="x", top=0.2, lora=4)
