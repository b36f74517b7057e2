"""The base of the assistants at full size: it takes no longer than promised, and a preamble decides how it answers."""

import os
import time

import pytest
import torch

from rlhf_kit import zoo
from rlhf_kit.evaluate.tax import tax
from rlhf_kit.language import LANGS
from rlhf_kit.tasks import BASES
from rlhf_kit.tasks.assistant import Assistant
from tests.benchmarks.base import gate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module", params=LANGS)
def built(request, tmp_path_factory):
    """(policy, language, CPU-seconds) of a base trained in an empty cache, once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLHF_KIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        threads, before = torch.get_num_threads(), time.process_time()
        torch.set_num_threads(1)
        zoo.cached(BASES[request.param])
        spent = time.process_time() - before
        torch.set_num_threads(threads)
        yield zoo.load_policy(BASES[request.param], value_head=False), request.param, spent


def test_it_takes_no_longer_than_promised_and_has_five_layers(built):
    """300 CPU-seconds alone; on a busy machine, where each of them does less, a tenth more. The English one took 287
    alone and 300 beside two other processes on two cores."""
    policy, lang, spent = built
    busy = os.getloadavg()[1] > os.cpu_count()
    print(f"{BASES[lang]}: {spent:.0f} CPU-seconds")
    assert policy.lm.config.num_hidden_layers == 5
    assert policy.context == 384
    assert spent < (330 if busy else 300)


@pytest.fixture(scope="module")
def found(built):
    """Gold without and under the careful preamble, three draws on held-out prompts at temperature 1."""
    policy, lang, _ = built
    seen = gate(policy, Assistant(lang))
    print({name: str(value) for name, value in seen.items()})
    return seen


def test_a_preamble_lifts_gold_by_three_standard_errors(found):
    assert found["lift"].mean >= 3 * found["lift"].standard_error


def test_a_preamble_lifts_gold_by_a_tenth_or_there_is_little_to_distil(found):
    """The gate of context distillation."""
    assert found["lift"].mean >= 0.1


def test_it_can_do_what_the_tax_is_taken_from(built):
    """Better than half a translation in ten, and below 2 nats a token where guessing evenly is above 7."""
    policy, lang, _ = built
    found = tax(policy, lang)
    print(found)
    assert found.translation.low > 0.05
    assert found.reviews.high < 2
    assert found.forum.high < 2
