"""A slip of the pen in a setting's name or kind is told in one line."""

import numpy as np
import pytest

import rlhf_kit as kit
from rlhf_kit.language import nearest
from rlhf_kit.methods import classifier, ppo, reward_model, sft


@pytest.mark.parametrize("config", [ppo.Config, sft.Config, classifier.Config, reward_model.Config])
def test_a_misspelt_setting_gets_the_nearest(config):
    with pytest.raises(TypeError, match=r"^Config has no setting 'learing_rate'. Did you mean learning_rate\? It has "):
        config(learing_rate=1e-3)


def test_a_number_is_no_record():
    with pytest.raises(ValueError, match=r"^kl is 0.04; expected a record of settings, kl=kit.KL\(coefficient=0.04\)"):
        ppo.Config(kl=0.04)
    with pytest.raises(ValueError, match=r"sampling=kit.Sampling\(max_new_tokens=48\)"):
        ppo.Config(sampling=48)
    with pytest.raises(ValueError, match=r"kl=kit.KL\(coefficient=\.\.\.\)"):
        ppo.Config(kl=None)


@pytest.mark.parametrize(("name", "value"), [("steps", 10.0), ("steps", "10"), ("learning_rate", "1e-3"),
                                             ("batch_size", None), ("whiten_advantage", "no"), ("lam", [1])])
def test_a_value_of_another_kind_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name} is .*; expected "):
        ppo.Config(**{name: value})


def test_numbers_of_other_libraries_are_numbers():
    config = ppo.Config(steps=np.int64(3), learning_rate=np.float32(1e-3), lam=1, minibatch_size=None, target_kl=None)
    assert (config.steps, config.lam, config.minibatch_size) == (3, 1, None)


def test_what_was_right_stays_right():
    with pytest.raises(TypeError, match="Did you mean coefficient"):
        kit.KL(coeficient=0.1)
    assert repr(kit.Sampling()) == "Sampling(max_new_tokens=48, temperature=1.0)"


def test_the_nearest_name_is_near():
    assert nearest("Tiny_LM_en", ["tiny-lm-en", "tiny-rm-en"]) == "tiny-lm-en"
    assert nearest("gold", ["tiny-lm-en"]) is None
