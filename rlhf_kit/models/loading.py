"""The one door for models: a folder or a hub id comes in, checked, and without running anybody's code."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import torch
from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from rlhf_kit.language import typed
from rlhf_kit.models.adapters import CONFIG as ADAPTER
from rlhf_kit.models.adapters import (
    base_of,
    check_base,
    is_adapted,
    kind_of,
    merge,
    notes_of,
    outputs_of,
    save_adapter,
    weight_files,
)
from rlhf_kit.models.cache import NAME as CACHE
from rlhf_kit.models.embeddings import rows, within_rows
from rlhf_kit.models.heads import IN_CONFIG, Policy, RewardModel, positions_of
from rlhf_kit.models.places import ModelUnavailable, check_folder, found, is_adapter
from rlhf_kit.models.quantization import (
    CannotQuantize,
    Quantization,
    check_shapes,
    dequantized,
    is_quantized,
    one_kernel,
    settings,
)
from rlhf_kit.models.shared import VALUE_HEAD, AdaptedPolicy
from rlhf_kit.models.text import opened, pad_id
from rlhf_kit.models.tiny import LABELS
from rlhf_kit.network import no_way_to_hub, proxies

# transformers would ask a third party's server to convert a hub model that has no safetensors; the hub client would
# tell the hub what runs here. The first looks at its variable when it is called, the second has already looked.
os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
if "HF_HUB_DISABLE_TELEMETRY" not in os.environ:
    constants.HF_HUB_DISABLE_TELEMETRY = True

VALUE_TRUNK = "value_trunk"
LARGE = 8_000_000_000               # bytes of weights that are added up in 32 bits: two billion numbers
KINDS = {AutoModelForCausalLM: "language model", AutoModelForSequenceClassification: "classifier",
         AutoModel: "value trunk"}
UNREADABLE = (ImportError, OSError, ValueError, KeyError, RuntimeError, SafetensorError, StrictDataclassError)


def load_policy(source: str | Path, *, value_head: bool = True, dtype: torch.dtype = torch.float32,
                device: str | torch.device = "cpu", quantize: Quantization | None = None) -> Policy:
    """A language model with its tokenizer, from a folder or a hub id, as a `Policy`.

    A value head that was saved beside it (and its own trunk) comes along; else a fresh one, or none with
    `value_head=False`. With `quantize` it is held in 8 or 4 bits, to carry an adapter (`shared.with_adapter`).
    Raises: ModelUnavailable; quantization.CannotQuantize.
    """
    lm, tokenizer = load_language_model(source, dtype=dtype, device=device, quantize=quantize)
    head, trunk = (Path(source).expanduser() / name for name in (VALUE_HEAD, VALUE_TRUNK))
    own = _trunk(trunk, dtype).to(device) if value_head and trunk.is_dir() else None
    policy = Policy(lm, tokenizer, value_head=value_head, value_trunk=own)
    if value_head and head.is_file():
        try:
            policy.value_head.load_state_dict(load_file(head))
        except (SafetensorError, RuntimeError) as error:
            raise ModelUnavailable(f"{head} is no value head of this model ({_one_line(error)}). "
                                   f"Delete it to start with a fresh one.") from error
    return _on(policy, device).eval()


def load_language_model(source: str | Path, *, quantize: Quantization | None = None, threshold: float = 6.0,
                        dtype: torch.dtype = torch.float32,
                        device: str | torch.device = "cpu") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A language model with its tokenizer, from a folder or a hub id, as it is or in 8 or 4 bits.

    Quantised weights cannot learn: put an adapter on them (`shared.SharedBase`). `threshold` is LLM.int8's, see
    `quantization.settings`. Raises: ModelUnavailable; quantization.CannotQuantize.
    """
    smaller = _smaller(AutoModelForCausalLM, source, quantize, threshold, dtype, device)
    lm, tokenizer = _load(AutoModelForCausalLM, source, dtype, **smaller)
    _check_writes(_on(lm, device), source)
    return lm, tokenizer


def load_classifier(source: str | Path, *, new_head: bool = False, seed: int = 0, dtype: torch.dtype = torch.float32,
                    device: str | torch.device = "cpu", quantize: Quantization | None = None
                    ) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A text classifier with its tokenizer, from a folder or a hub id.

    With `new_head` any encoder, decoder or classifier will do: its trunk is kept and a head of two outputs, negative
    and positive, drawn from `seed`, is put on it. With `quantize` all but the head is held in 8 or 4 bits, to carry an
    adapter. Raises: ModelUnavailable; quantization.CannotQuantize.
    """
    smaller = _smaller(AutoModelForSequenceClassification, source, quantize, 6.0, dtype, device)
    heads = {"num_labels": 2, "ignore_mismatched_sizes": True, "id2label": dict(enumerate(LABELS)),
             "label2id": {name: i for i, name in enumerate(LABELS)}} if new_head else {}
    with torch.random.fork_rng(devices=[], enabled=new_head):
        if new_head:
            torch.manual_seed(seed)
        model, tokenizer = _load(AutoModelForSequenceClassification, source, dtype, **heads, **smaller)
    if model.config.pad_token_id is None:               # GPT-2: it must know where a padded text ends
        model.config.pad_token_id = pad_id(tokenizer)
    return one_kernel(_on(model, device).requires_grad_(False)), tokenizer


def load_reward_model(source: str | Path, *, new_head: bool = False, seed: int = 0, dtype: torch.dtype = torch.float32,
                      device: str | torch.device = "cpu", quantize: Quantization | None = None) -> RewardModel:
    """A reward model from a folder or a hub id, ready to score or to be trained further.

    With `new_head` any encoder, decoder or classifier will do: its trunk is kept and a head of one output is put on
    it, drawn from `seed` with standard deviation 1/√(d+1) (arXiv:2009.01325). What is a reward model already keeps its
    head and its shift: a warm start. With `quantize` all but the head is held in 8 or 4 bits, to carry an adapter.
    Raises: ModelUnavailable; quantization.CannotQuantize.
    """
    smaller = _smaller(AutoModelForSequenceClassification, source, quantize, 6.0, dtype, device)
    heads = {"num_labels": 1, "ignore_mismatched_sizes": True} if new_head else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)                         # for what transformers draws beside the head: BERT's pooler
        model, tokenizer = _load(AutoModelForSequenceClassification, source, dtype, **heads, **smaller)
        if new_head and getattr(model, "fresh_head", False):
            for head in model.modules():                # "score", "classifier", or RoBERTa's "classifier.out_proj"
                if isinstance(head, torch.nn.Linear) and head.out_features == 1:
                    torch.nn.init.normal_(head.weight, std=(head.in_features + 1) ** -0.5)
    if model.config.num_labels != 1:
        raise ModelUnavailable(f"{source} is a classifier of {model.config.num_labels} labels; expected a reward "
                               "model, which has one output. rlhf-kit train reward-model makes one of it.")
    if model.config.pad_token_id is None:
        model.config.pad_token_id = pad_id(tokenizer)
    return RewardModel(_on(model, device), tokenizer).eval()


def outline(source: str | Path, *, labels: int | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model's shape without its weights, and its tokenizer: to know what it reads, and how large it is.

    Its tensors are on torch's "meta" device and hold nothing. `labels` asks for a classifier of so many outputs in
    place of a language model. Raises: ModelUnavailable.
    """
    source = found(source)
    if _is_adapter(source):
        model, tokenizer = outline(base_of(source), labels=labels)
        tokenizer = _tokenizer_of_adapter(source, tokenizer)
        return model, within_rows(tokenizer, rows(model), source)
    kind = AutoModelForCausalLM if labels is None else AutoModelForSequenceClassification
    with _explained(source, kind), quiet():
        heads = {} if labels is None else {"num_labels": labels}
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, **heads)
        with torch.device("meta"):
            model = kind.from_config(config, trust_remote_code=False)
        if labels is None:
            model.generation_config = _generation(source, model)
        tokenizer = _tokenizer(source)
    return model.eval(), within_rows(tokenizer, rows(model), source)


def _generation(source: str | Path, model: PreTrainedModel) -> GenerationConfig | None:
    """What generation_config.json says, or where there is none config.json."""
    try:
        return GenerationConfig.from_pretrained(source)
    except OSError:
        return getattr(model, "generation_config", None)


def _on(model: nn.Module, device: str | torch.device) -> nn.Module:
    """On that device; layers in 8 or 4 bits were put where they are when they were read, and cannot be moved."""
    return model if is_quantized(model) else model.to(device)


def outputs(source: str | Path) -> int:
    """How many outputs a classifier's config.json tells of, before it is loaded. Raises: ModelUnavailable."""
    source = found(source)
    if _is_adapter(source) and kind_of(source) == "SEQ_CLS":
        return outputs_of(source)
    with _explained(source, AutoModelForSequenceClassification), quiet():
        return AutoConfig.from_pretrained(source, trust_remote_code=False).num_labels


def judging_outputs(folder: str | Path) -> int:
    """How many outputs the classifier or reward model in a folder has; 0 for a language model."""
    config = config_of(folder)
    judge = any("SequenceClassification" in name for name in config.architectures or ())
    return config.num_labels if judge else 0


def config_of(source: str | Path) -> PretrainedConfig:
    """The config.json of a language model, a folder's or a hub id's; weights are not asked for.

    Raises: ModelUnavailable.
    """
    folder = Path(source).expanduser()
    source = folder if (folder / "config.json").is_file() else found(source)
    if _is_adapter(source):
        return config_of(base_of(source))
    with _explained(source, AutoModelForCausalLM), quiet():
        return AutoConfig.from_pretrained(source, trust_remote_code=False)


def load_tokenizer(source: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer alone of a model in a folder or on the hub. Raises: ModelUnavailable."""
    source = found(source)
    if _is_adapter(source) and not (source / "tokenizer_config.json").is_file():
        return _tokenizer_of_adapter(source, load_tokenizer(base_of(source)))
    with _explained(source, AutoModelForCausalLM), quiet():
        return _tokenizer(source)


def _is_adapter(source: str | Path) -> bool:
    return is_adapter(Path(source).expanduser())


def context_of(source: str | Path) -> int | None:
    """The longest text in tokens that a language model was built for, or None if it names no limit."""
    return positions_of(config_of(source))


def in_hub_cache(name: str) -> bool:
    """True if that hub model has been fetched to this machine before."""
    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def save_policy(policy: Policy, folder: Path) -> None:
    """Language model, tokenizer and value head (with its own trunk, if it has one) into `folder`, safetensors only.

    Of a policy that is an adapter on a shared base, the adapter alone.
    """
    if isinstance(policy, AdaptedPolicy):
        policy.save(folder)
        return
    save_model(policy.lm, opened(policy.tokenizer), folder)
    if policy.value_trunk is not None:
        with quiet():
            policy.value_trunk.save_pretrained(folder / VALUE_TRUNK)
    if policy.value_head is not None:
        save_file({name: t.contiguous() for name, t in policy.value_head.state_dict().items()}, folder / VALUE_HEAD)


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Any transformers model with its tokenizer into `folder`, safetensors only; of one with an adapter that alone."""
    if is_adapted(model):
        labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
        scored_by = {name: getattr(model.config, name) for name in IN_CONFIG if hasattr(model.config, name)}
        save_adapter(model, folder, labels=labels, **scored_by)
    else:
        with quiet():
            model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _load(kind: type, source: str | Path, dtype: torch.dtype,
          **options) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Of a folder with an adapter alone, its base with the adapter added."""
    source = found(source)
    if isinstance(source, Path) and is_adapter(source):
        return with_adapter(kind, source, base_of(source), dtype, **options)
    with _explained(source, kind), quiet():
        model = _from_pretrained(kind, source, dtype, **options)
        tokenizer = _tokenizer(source)
    _mention_adapter(source)
    _check_finite(model, source)
    return one_kernel(model), within_rows(tokenizer, rows(model), source)


def with_adapter(kind: type, adapter: Path, base: str | Path, dtype: torch.dtype,
                 **options) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The adapter's base with the adapter added into its weights, in `dtype`, and the adapter's own tokenizer.

    A base in 8 or 4 bits is first written out as the numbers that the adapter was trained beside. An adapter of a
    classifier brings its head along, except where another kind of model is asked for.

    Raises: ModelUnavailable; adapters.AdapterError, also if the sum does not say what both say side by side.
    """
    if "quantization_config" in options:
        raise CannotQuantize(f"{adapter} is an adapter, and only a whole model is read into 8 or 4 bits. Merge it "
                             f"first, {typed(['rlhf-kit', 'merge', adapter, '--output', 'FOLDER'])}, and name FOLDER.")
    if is_adapter(adapter) and Path(base).expanduser().resolve() == adapter.resolve():
        raise ModelUnavailable(f"{adapter} names itself as its base. Name the model that it was trained on.")
    check_base(adapter, base)
    scores, fresh = kind_of(adapter) == "SEQ_CLS", "num_labels" in options
    own = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
    if kind is AutoModelForCausalLM and scores:
        raise ModelUnavailable(f"{adapter} is an adapter of a classifier or a reward model; expected a language model. "
                               f"Name another.")
    if not scores and kind is not AutoModelForCausalLM and not fresh:
        raise ModelUnavailable(f"{adapter} is an adapter of a language model; expected a {KINDS[kind]}. Name another.")
    heads = _head_of(adapter) if scores else {}
    with torch.random.fork_rng(devices=[]):
        model, tokenizer = _load(own, base, dtype, **heads)
    if is_quantized(model):
        model = dequantized(model, dtype)
    model = merge(model, adapter).requires_grad_(True)             # peft froze it; the sum is a model like any other
    model.name_or_path = model.config._name_or_path = str(adapter)
    notes = notes_of(adapter)
    for name in IN_CONFIG:
        if name in notes:
            setattr(model.config, name, notes[name])
    tokenizer = _tokenizer_of_adapter(adapter, tokenizer)
    if fresh:
        model = _new_head(kind, model, scores, options)
    return one_kernel(model), within_rows(tokenizer, rows(model), adapter)


def merged(adapter: Path, base: str | Path, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model that an adapter and its base are together, of the kind that the adapter was trained to be.

    It is added up in 32 bits where these are `LARGE` at most, and rounded once.
    """
    kind = AutoModelForSequenceClassification if kind_of(adapter) == "SEQ_CLS" else AutoModelForCausalLM
    exact = torch.float32 if sum(file.stat().st_size for file in weight_files(base)) <= LARGE else dtype
    model, tokenizer = with_adapter(kind, adapter, base, exact)
    return model.to(dtype), tokenizer


def reread(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The same model from the folder that it was saved in."""
    kind = AutoModelForSequenceClassification if judges(model) else AutoModelForCausalLM
    return _load(kind, folder, model.dtype)[0]


def judges(model: PreTrainedModel) -> bool:
    """True of a classifier or a reward model."""
    return "SequenceClassification" in type(model).__name__


def _head_of(adapter: Path) -> dict:
    """What transformers is told of the head that the adapter brings."""
    n, labels = outputs_of(adapter), notes_of(adapter).get("labels")
    named = {} if not labels or len(labels) != n else {"id2label": dict(enumerate(labels)),
                                                       "label2id": {name: i for i, name in enumerate(labels)}}
    return {"num_labels": n, "ignore_mismatched_sizes": True, **named}


def _new_head(kind: type, model: PreTrainedModel, scores: bool, options: dict) -> PreTrainedModel:
    """Its trunk under a head of another shape; a head of the same shape, of a reward model, is kept."""
    wanted = options["num_labels"]
    if scores and model.config.num_labels == wanted == 1:
        model.fresh_head = False
        return model
    with tempfile.TemporaryDirectory() as own, quiet():
        model.save_pretrained(own)
        return _from_pretrained(kind, Path(own), model.dtype, **options)


def _tokenizer_of_adapter(adapter: Path, base: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The adapter's own tokenizer where it lies there, else its base's with the adapter's chat template."""
    if (adapter / "tokenizer_config.json").is_file() or (adapter / "tokenizer.json").is_file():
        with _explained(adapter, AutoModelForCausalLM), quiet():
            return _tokenizer(adapter)
    if (adapter / "chat_template.jinja").is_file():
        base.chat_template = (adapter / "chat_template.jinja").read_text(encoding="utf-8")
    return base


def _check_finite(model: PreTrainedModel, source: str | Path) -> None:
    """Refuse a model that can only ever say NaN."""
    for name, weight in model.named_parameters():
        packed = hasattr(weight, "quant_state")             # several 4-bit numbers in the place of one
        if weight.is_floating_point() and not packed and not torch.isfinite(weight).all():
            n = int((~torch.isfinite(weight)).sum())
            raise ModelUnavailable(f"{source} is broken: {n} of the numbers in {name} are NaN or infinite. Its "
                                   f"training diverged, or it was converted into a type that cannot hold them. Take "
                                   f"another copy, or an earlier checkpoint.")


def _tokenizer(source: str | Path) -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    if len(tokenizer) <= len(tokenizer.all_special_tokens):          # what transformers makes of a folder without one
        raise _without_tokenizer(source)
    tokenizer.padding_side = "left"
    return tokenizer


def _smaller(kind: type, source: str | Path, quantize: Quantization | None, threshold: float, dtype: torch.dtype,
             device: str | torch.device) -> dict:
    """What `from_pretrained` is told where the weights are to be held in 8 or 4 bits."""
    if quantize is None:
        return {}
    smaller = {"quantization_config": settings(quantize, threshold=threshold, compute=dtype,
                                               judge=kind is AutoModelForSequenceClassification),
               "device_map": {"": str(device)}}
    if not _is_adapter(source):                         # which is refused a line later
        check_shapes(config_of(source), quantize, device)
    return smaller


def _trunk(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    check_folder(folder)
    with _explained(folder, AutoModel), quiet():
        return _from_pretrained(AutoModel, folder, dtype)


@contextmanager
def _adapters_left_alone() -> Iterator[None]:
    """transformers would add an adapter that lies beside a model to it, or on the hub load its base instead.

    It has no option for that. So while the kit loads, in any thread, it finds none; afterwards it does again.
    """
    from transformers.integrations import peft
    from transformers.models.auto import auto_factory
    with _PATCHING:
        if not _LOADS:
            _REAL.update({module: module.find_adapter_config_file for module in (auto_factory, peft)})
        _LOADS.append(True)
        for module in _REAL:
            module.find_adapter_config_file = lambda *_, **__: None
    try:
        yield
    finally:
        with _PATCHING:
            _LOADS.pop()
            if not _LOADS:
                for module, real in _REAL.items():
                    module.find_adapter_config_file = real


_PATCHING, _LOADS, _REAL = Lock(), [], {}


def _mention_adapter(source: str | Path) -> None:
    beside = isinstance(source, Path) and (source / ADAPTER).is_file()
    if beside or isinstance(try_to_load_from_cache(str(source), ADAPTER) if isinstance(source, str) else None, str):
        print(f"{source} holds an adapter beside its model; the model was loaded without it. To add it: "
              f"{typed(['rlhf-kit', 'merge', source, '--base', source, '--output', 'FOLDER'])}.", file=sys.stderr)


def _from_pretrained(kind: type, source: str | Path, dtype: torch.dtype, **heads) -> PreTrainedModel:
    """Safetensors; a hub model that has nothing but pickles is read as plain tensors, and that is said."""
    options = {"dtype": dtype, "trust_remote_code": False, "output_loading_info": True, **heads}
    new_head = "num_labels" in heads
    try:
        with _adapters_left_alone():
            return _whole(source, kind, *kind.from_pretrained(source, use_safetensors=True, **options), new_head)
    except ModelUnavailable:
        raise
    except OSError as error:
        if isinstance(source, Path) or "safetensors" not in str(error):
            raise
    with _adapters_left_alone():
        model = _whole(source, kind, *kind.from_pretrained(source, use_safetensors=False, weights_only=True, **options),
                       new_head)
    print(f"{source} has no safetensors file; its .bin was read as plain tensors (weights_only); no code in it ran.",
          file=sys.stderr)
    return model


def _whole(source: str | Path, kind: type, model: PreTrainedModel, info: dict, new_head: bool) -> PreTrainedModel:
    """Refuse weights that transformers drew at random because the files do not have them, but for a head asked for."""
    missing = sorted({*info["missing_keys"], *(name for name, *_ in info.get("mismatched_keys", ()))})
    if new_head:
        model.fresh_head = bool(missing)
        missing = [name for name in missing if name.startswith(f"{model.base_model_prefix}.") and "pooler" not in name]
    if missing:
        raise ModelUnavailable(f"{source} is no complete {KINDS[kind]}: as a {type(model).__name__} it lacks "
                               f"{len(missing)} weight{'s' * (len(missing) > 1)} ({', '.join(missing[:3])}). It is "
                               f"another kind of model, or was saved only in part. Name another.")
    return model


@torch.no_grad()
def _check_writes(lm: PreTrainedModel, source: str | Path) -> None:
    """Refuse what cannot be sampled from token by token: an encoder, and a network without a key-value cache."""
    ids = torch.tensor([[0, 0], [0, 1]], device=lm.device)
    output = lm(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=True)
    first, same = output.logits[:, 0].float()               # what follows the first token must not change its logits
    if not torch.allclose(first, same, atol=1e-3, rtol=1e-3):
        why = "reads to the end before it predicts (an encoder, as BERT is)"
    elif getattr(output, CACHE, None) is None or _keeps_only_a_state(lm):
        why = "has no key-value cache to sample with"
    else:
        return
    raise ModelUnavailable(f"{source} cannot be a policy: a {type(lm).__name__} {why}. Name a model that writes from "
                           f"left to right with such a cache: GPT-2, Llama, Qwen, Mistral and most others.")


def _keeps_only_a_state(lm: PreTrainedModel) -> bool:
    """True of Mamba and its kin: a running state, which newer transformers call a cache, too, and no attention."""
    return getattr(lm, "_is_stateful", False) and not hasattr(lm.config.get_text_config(), "num_attention_heads")


@contextmanager
def _explained(source: str | Path, kind: type) -> Iterator[None]:
    """Whatever goes wrong while `source` is read becomes one line that says what to do."""
    no_way = "" if isinstance(source, Path) else no_way_to_hub()
    try:
        yield
    except ModelUnavailable:
        raise
    except UNREADABLE as error:
        why = no_way or _one_line(error)
        if "size mismatch" in str(error) or "above report" in why:
            why = "its weights have other shapes than config.json says; copy the model again"
        if "Unrecognized configuration class" in str(error):
            seen = str(error).partition("'")[2].partition("'")[0].rpartition(".")[2].removesuffix("Config")
            raise ModelUnavailable(f"{source} is no {KINDS[kind]}: its config.json tells of a {seen}, which has no "
                                   f"such form. Name another model.") from error
        if "backend tokenizer" in str(error):
            raise _without_tokenizer(source) from error
        if isinstance(error, SafetensorError):
            why = f"its weights are no sound safetensors file ({why}); copy the model again, or convert it"
        if isinstance(source, Path):
            raise ModelUnavailable(f"{source} cannot be loaded: {why}.") from error
        raise ModelUnavailable(
            f"{source!r} is neither a folder here nor in the hub's cache, and the hub did not deliver it ({why}). "
            f"Check the name and the network (HF_ENDPOINT for a mirror{_on_the_way(error)}), or give a local "
            f"folder.") from error


def _on_the_way(error: BaseException | None) -> str:
    """Which of a person's own settings stand between here and the hub; what a proxy's address holds is not shown."""
    mirror = ["HF_ENDPOINT"] if os.environ.get("HF_ENDPOINT") else []
    said = [f"{name} is set" for name in mirror + proxies()]
    while error is not None:
        if "socksio" in str(error):
            said.append("a SOCKS proxy needs pip install 'httpx[socks]'")
            break
        error = error.__cause__ or error.__context__
    return "".join(f"; {one}" for one in said)


def _without_tokenizer(source: str | Path) -> ModelUnavailable:
    return ModelUnavailable(f"{source} has no tokenizer; expected tokenizer.json beside config.json. "
                            f"Save it there with tokenizer.save_pretrained(folder).")


def _one_line(error: Exception) -> str:
    """The beginning of what it says, up to the end of a sentence if there is one."""
    text = (" ".join(str(error).split()) or type(error).__name__).rstrip(".")
    return text if len(text) <= 160 else text[:160].rpartition(". ")[0] or f"{text[:160]} ..."


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no chatter from transformers while it loads or saves; what it was before comes back."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
