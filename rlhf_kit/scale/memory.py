"""How many bytes training takes, from the model's shape alone: nothing is loaded, nothing measured.

Bytes a number: weights 2 in bf16, about 1 in int8 and 0.56 in nf4 (`weights`); what is trained costs more than it
weighs (`Way`). What a text leaves behind for the backward pass (`activations`) is counted tensor by tensor, as
Korthikanti et al. 2022, arXiv:2205.05198, section 4, do it for GPT; here for transformers' LLaMA with PyTorch's
scaled_dot_product_attention, which keeps no attention matrix. GB are 10^9 bytes throughout.

PPO is counted as `rlhf_kit.engine` reads: a minibatch in passes (`Work.tokens_per_pass`), the logits of a pass in
pieces that are computed anew for the backward pass, and whatever is read without learning (reference, recomputed
rollouts, evaluation) at most `TOKENS` tokens at a time. Fine-tuning is counted as TRL's trainer does it: all logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import log
from typing import Any, Literal

Kind = Literal["bf16", "int8", "nf4"]
FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
TRAINED = 4 + 4 + 8                 # bytes of a number trained in fp32: itself, its gradient, Adam's two moments
MIXED = 2 + 2 + 4 + 8               # of one trained in bf16: with its gradient, the fp32 master copy, Adam's moments
BLOG = 2 + 8                        # what the StackLLaMA blog counts: bf16 and Adam, no gradient, no master copy
LOGITS = 2 + 4 + 4 + 4              # of a logit: in bf16, its fp32 log-softmax, the gradients of that and of itself
SCORED = 4 + 4 + 4                  # of one that the engine learns from: log-softmax, its gradient, the logit's own
SEEN = 2 + 4 + 4                    # of one that it only reads: in bf16, widened to fp32, its log-softmax
TOKENS, PIECE = 8192, 2**24         # `engine.TOKENS` and `engine.PIECE`; no torch is loaded here to ask for them
BLOCK = 64                          # weights under one constant in nf4
CLOSE = 0.1                         # `--params 7e9` means LLaMA-7B, whose 6.74e9 are within this share of it
SMALLEST = 20_000_000               # below, a LLaMA is mostly its table of 32,000 words


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder as LLaMA is built: what its matrices measure, and hence all numbers that it holds."""

    name: str
    width: int                      # of the residual stream, h
    inner: int                      # of the MLP, i
    layers: int
    heads: int
    kv_heads: int                   # heads that have keys and values of their own; fewer than `heads` share them
    head_width: int
    vocabulary: int = 32_000
    biases: frozenset[str] = field(default_factory=frozenset)      # matrices that have one
    head_norms: bool = False        # queries and keys are normalised (Qwen3)
    tied: bool = False              # the table of words is the output matrix too

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each linear layer of a block, by the name that LoRA's targets use."""
        query, key = self.heads * self.head_width, self.kv_heads * self.head_width
        return {"q_proj": (self.width, query), "k_proj": (self.width, key), "v_proj": (self.width, key),
                "o_proj": (query, self.width), "gate_proj": (self.width, self.inner),
                "up_proj": (self.width, self.inner), "down_proj": (self.inner, self.width)}

    @property
    def linear(self) -> int:
        """Weights in the linear layers of all blocks: the part that int8 and nf4 shrink."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.matrices.values())

    @property
    def parameters(self) -> int:
        """All numbers, tied ones counted once."""
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        norms = self.layers * (2 * self.width + 2 * self.head_width * self.head_norms) + self.width
        biases = self.layers * sum(self.matrices[name][1] for name in self.biases)
        return self.linear + tables + norms + biases

    def adapter(self, rank: int, targets: str | Sequence[str] = "all-linear") -> int:
        """Numbers that LoRA adds: rank · (inputs + outputs) for each matrix. Raises ValueError."""
        return self.layers * sum(rank * sum(self.matrices[name]) for name in self.targets(targets))

    def targets(self, targets: str | Sequence[str]) -> tuple[str, ...]:
        """The matrices that are meant; "all-linear" is every one. Raises ValueError."""
        if targets == "all-linear":
            return tuple(self.matrices)
        names = tuple(targets.split(",")) if isinstance(targets, str) else tuple(targets)
        if unknown := [name for name in names if name not in self.matrices]:
            raise ValueError(f"{unknown[0]!r} is no linear layer of {self.name}; targets are all-linear, or some of "
                             f"{', '.join(self.matrices)}.")
        return tuple(dict.fromkeys(names))


def _llama(name: str, width: int, inner: int, layers: int, heads: int) -> Shape:
    return Shape(name=name, width=width, inner=inner, layers=layers, heads=heads, kv_heads=heads,
                 head_width=width // heads)


LLAMA = (_llama("LLaMA-7B", 4096, 11008, 32, 32), _llama("LLaMA-13B", 5120, 13824, 40, 40),
         _llama("LLaMA-30B", 6656, 17920, 60, 52), _llama("LLaMA-65B", 8192, 22016, 80, 64))


def nearest(parameters: float) -> Shape:
    """The LLaMA of about so many parameters: a published one that is within a tenth, else the nearest one scaled.

    Width and depth are scaled together; a head stays 128 wide and the MLP 8/3 as wide as the stream. Raises ValueError.
    """
    if not SMALLEST <= parameters <= 1e13:
        raise ValueError(f"params is {parameters:g}; expected a number of parameters between {SMALLEST:g} and 1e13, "
                         f"such as 7e9. For a smaller model name it or its folder with --model.")
    near = min(LLAMA, key=lambda shape: abs(log(shape.parameters / parameters)))
    if abs(near.parameters / parameters - 1) <= CLOSE:
        return near
    guess = (parameters / near.parameters) ** (1 / 3)
    most, depth = round(near.width * guess / 128) + 1, near.layers / near.heads
    around = [_llama(f"{near.name} scaled", 128 * heads, 128 * round(heads * 8 / 3), layers, heads)
              for heads in range(max(1, most - 4), most + 1)
              for layers in range(max(1, round(depth * heads) - 2), round(depth * heads) + 3)]
    return min(around, key=lambda shape: abs(log(shape.parameters / parameters)))


def shape(config: Any, name: str) -> Shape:
    """The shape in a transformers config. Raises ValueError for another family than LLaMA's."""
    family = getattr(config, "model_type", None)
    if family not in FAMILIES:
        raise ValueError(f"{name} is a {family}; memory is planned for {', '.join(FAMILIES)}. Name one of those, or "
                         f"give its number of parameters with --params.")
    attention = ("q_proj", "k_proj", "v_proj", "o_proj")
    biases = set(attention[:3] if family == "qwen2" else attention if getattr(config, "attention_bias", False) else ())
    if getattr(config, "mlp_bias", False):
        biases |= {"gate_proj", "up_proj", "down_proj"}
    heads = config.num_attention_heads
    return Shape(name=name, width=config.hidden_size, inner=config.intermediate_size, layers=config.num_hidden_layers,
                 heads=heads, kv_heads=getattr(config, "num_key_value_heads", None) or heads,
                 head_width=getattr(config, "head_dim", None) or config.hidden_size // heads,
                 vocabulary=config.vocab_size, biases=frozenset(biases), head_norms=family == "qwen3",
                 tied=bool(config.tie_word_embeddings))


def weights(shape: Shape, kind: Kind, other: int = 2) -> int:
    """Bytes of the weights as they lie in memory, the constants of quantisation included.

        int8:  1 a weight and 4 a row         nf4:  1/2 a weight, 4 for each 64 of them, and 64 a matrix for the code

    Args:
        other: bytes of a number that is not quantised: tables of words, norms, biases, and everything in bf16.
    """
    rest = other * (shape.parameters - shape.linear)
    if kind == "bf16":
        return rest + other * shape.linear
    if kind == "int8":
        return rest + shape.linear + 4 * shape.layers * sum(outputs for _, outputs in shape.matrices.values())
    blocks = shape.layers * sum(-(-inputs * outputs // BLOCK) for inputs, outputs in shape.matrices.values())
    return rest + shape.linear // 2 + 4 * blocks + 64 * shape.layers * len(shape.matrices)


def activations(shape: Shape, tokens: int, way: Way, checkpointing: bool = False) -> int:
    """Bytes that the forward pass of so many tokens keeps for the backward pass, logits left out.

    Of each token in each block, h the width, q and k those of queries and keys, i the MLP's, forward in bf16:

        both norms in fp32 8h · q, k, v and attention's result 4q+4k · gate, its SiLU, and up 6i   always
        the inputs of the linear layers 4h+2i, and the norms' own 4h                               all is trained
        a bf16 copy of each adapted layer's input, and its r numbers                               LoRA, autocast
        the inputs of the linear layers 4h+2i                                                      int8: it keeps them

    With checkpointing a block keeps its input, 2h, and one block at a time is computed anew.
    """
    h, i, rank = shape.width, shape.inner, way.rank
    query, key = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    block = 8 * h + 8 + 4 * query + 4 * key + 4 * shape.heads + 6 * i + 4 * (query + key) * shape.head_norms
    if way.full:
        block += 4 * h + 2 * i + 4 * h + 2 * (query + key) * shape.head_norms
    else:
        block += sum(2 * shape.matrices[name][0] + 2 * rank for name in shape.targets(way.targets))
        block += (4 * h + 2 * i) * (way.kind == "int8")
    kept = 2 * h * shape.layers + block if checkpointing else block * shape.layers
    return tokens * (kept + (6 if way.full else 4) * h)


def scored(shape: Shape, tokens: int, each: int = SCORED) -> int:
    """Bytes of the logits of so many response tokens at the worst moment: one piece, of a token at the least."""
    return each * shape.vocabulary * min(tokens, max(PIECE // shape.vocabulary, 1))


def reading(shape: Shape, tokens: int, responses: int) -> int:
    """Bytes that come and go while so many tokens, of which so many are response tokens, are read without learning.

    At the worst moment of a block, h the width, i the MLP's, forward in bf16, or of the logits behind the last:

        the gate's SiLU, and of `up` what the base says, what the adapter says, and the sum 8i (in int8, whose sums
        are 32 bits wide, as much) · the residual, its norm, and what the layer's input is cast to 8h
    """
    return tokens * 8 * (shape.inner + shape.width) + scored(shape, responses, SEEN)


def cache(shape: Shape, tokens: int) -> int:
    """Bytes of the keys and values of so many tokens in bf16: 2 · 2 · layers · kv_heads · head_width each."""
    return tokens * 4 * shape.layers * shape.kv_heads * shape.head_width


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a model is trained: all of it in mixed precision, or adapters beside frozen weights of some kind."""

    name: str
    kind: Kind = "bf16"
    full: bool = False
    rank: int = 16
    targets: str | tuple[str, ...] = "all-linear"


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is done with the model: the texts of a gradient, and the rollouts sampled at once."""

    batch: int = 4                  # texts in one gradient
    seq: int = 1024                 # tokens of each, in fine-tuning
    prompt: int | None = None       # tokens of a prompt, in PPO; None: half of seq
    response: int | None = None     # tokens of a response, in PPO; None: the other half
    rollouts: int | None = None     # responses sampled at once; None: as many as batch
    tokens_per_pass: int | None = None      # that PPO reads at once, padding included; None: all of a gradient
    rank: int = 16                  # LoRA's r
    targets: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        for name, half in (("prompt", self.seq // 2), ("response", self.seq - self.seq // 2), ("rollouts", self.batch)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, half)
        for name in ("batch", "seq", "prompt", "response", "rollouts", "tokens_per_pass", "rank"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")

    def rows(self, tokens: int | None, most: int) -> int:
        """Prompts with their responses that a pass of at most so many tokens reads, out of `most`; one at the least."""
        return most if tokens is None else min(most, max(tokens // (self.prompt + self.response), 1))

    def ways(self) -> tuple[Way, ...]:
        """The four that are compared."""
        lora = {"rank": self.rank, "targets": self.targets}
        return (Way(name="full", full=True), *(Way(name=kind, kind=kind, **lora) for kind in ("bf16", "int8", "nf4")))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Bytes, by what they are for. The first five lie there all the time; the rest comes and goes."""

    name: str
    weights: int
    adapters: int
    gradients: int
    optimiser: int                  # Adam's moments, and the master copy where bf16 weights are trained
    heads: int                      # of value and reward
    activations: int                # while it learns
    checkpointed: int               # the same with checkpointing
    logits: int                     # while it learns: vocabulary x tokens, often the peak that nobody thought of
    cache: int                      # keys and values, while it samples
    reading: int = 0                # while it reads and does not learn: reference, recomputed rollouts, evaluation

    @property
    def standing(self) -> int:
        return self.weights + self.adapters + self.gradients + self.optimiser + self.heads

    def peak(self, checkpointing: bool = False) -> int:
        """Bytes at the worst moment: learning, reading and sampling take turns, so the largest counts."""
        learning = (self.checkpointed if checkpointing else self.activations) + self.logits
        return self.standing + max(learning, self.reading, self.cache)

    def fits(self, gigabytes: float) -> Literal["yes", "checkpointing", "no"]:
        """Whether the peak stays below so many GB, if need be with checkpointing."""
        if self.peak() <= gigabytes * 1e9:
            return "yes"
        return "checkpointing" if self.peak(checkpointing=True) <= gigabytes * 1e9 else "no"


def fine_tuning(shape: Shape, work: Work) -> list[Plan]:
    """Supervised fine-tuning four ways: full, and LoRA on bf16, int8 and nf4.

    The cache is for sampling `rollouts` texts from the result, as an evaluation between two steps does.
    """
    tokens = work.batch * work.seq
    return [_plan(shape, way, work, tokens, LOGITS * tokens * shape.vocabulary) for way in work.ways()]


def ppo(shape: Shape, work: Work) -> list[Plan]:
    """PPO four ways: policy, reference, critic and reward model apart in bf16, or all on one base of each kind.

    Apart, policy and critic are trained whole. On one base the reference is the base with its adapter off, the value
    is a head on the policy's last layer, and the reward model is a second, frozen adapter with a head.
    """
    rows, unlearnt = work.rows(work.tokens_per_pass, work.batch), work.rows(TOKENS, work.rollouts)
    row = work.prompt + work.response
    passing = {"tokens": rows * row, "logits": scored(shape, rows * work.response),
               "read": reading(shape, unlearnt * row, unlearnt * work.response)}
    full, *shared = work.ways()
    policy = _plan(shape, full, work, **passing)
    apart = replace(policy, name="apart", weights=4 * policy.weights, gradients=2 * policy.gradients,
                    optimiser=2 * policy.optimiser, activations=2 * policy.activations,
                    checkpointed=2 * policy.checkpointed, heads=(TRAINED + 4) * shape.width)
    added = 4 * shape.adapter(work.rank, work.targets)                          # the reward model's, frozen
    ours = [_plan(shape, way, work, **passing) for way in shared]
    return [apart, *(replace(plan, adapters=plan.adapters + added, heads=(TRAINED + 4) * shape.width)
                     for plan in ours)]


def _plan(shape: Shape, way: Way, work: Work, tokens: int, logits: int, read: int = 0) -> Plan:
    adapter = 0 if way.full else shape.adapter(way.rank, way.targets)
    trained, gradient = (shape.parameters, 2) if way.full else (adapter, 4)
    return Plan(name=way.name, weights=weights(shape, way.kind), adapters=4 * adapter, gradients=gradient * trained,
                optimiser=(12 if way.full else 8) * trained, heads=0, activations=activations(shape, tokens, way),
                checkpointed=activations(shape, tokens, way, checkpointing=True),
                logits=logits, reading=read,
                cache=cache(shape, work.rollouts * (work.prompt + work.response)))
