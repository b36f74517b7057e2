# %% [markdown] lang="en"
# # StackLLaMA, part 2: LoRA in 8 bits
#
# How can a model of 7 billion parameters learn on one GPU? Almost none of them learn, and those that do not are kept in one
# byte each. You write both tricks by hand, find out where they clash, and add up the memory that a run takes. The picture
# you will make: how much of an update survives being merged into weights of 32, 8 and 4 bits.
#
# Level 3, part 2 of 3 · about 45 minutes · CPU only · no account · works offline after install · you should know what a
# matrix product is; [part 1](03a_votes_and_packing.ipynb) prepared the data, [part 3](03c_ppo_and_cheating.ipynb) trains.
#
# It explains `rlhf_kit/models/adapters.py`, `rlhf_kit/models/quantization.py` and `rlhf_kit/scale/memory.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="7946"
# # StackLLaMA 之二：8 位底座上的 LoRA
#
# 70 亿参数的模型，怎样在一块 GPU 上学习？几乎所有的参数都不学，不学的每个只占一个字节。这两个办法都由你亲手写出来，再找出它们在哪里合不到一起，
# 最后算清一次训练要多少显存。你会画出这样一张图：一次更新合并进 32 位、8 位、4 位的权重，各剩下多少。
#
# 第 3 级，共三部分之二 · 约 45 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要知道什么是矩阵乘法；
# [之一](03a_votes_and_packing.ipynb)准备了数据，[之三](03c_ppo_and_cheating.ipynb)来训练。
#
# 本课讲解的是 `rlhf_kit/models/adapters.py`、`rlhf_kit/models/quantization.py` 和 `rlhf_kit/scale/memory.py`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - write a LoRA layer, count the parameters it adds, merge it and switch it off;
# - quantise a matrix to 8 bits, and say which updates get lost in it;
# - tell in advance whether a run fits on a GPU.
# %% [markdown] lang="zh" of="13bd"
# **学完之后你能够**
#
# - 写出一层 LoRA，数清它加了多少个参数，把它合并、关掉；
# - 把矩阵量化成 8 位，并说清哪些更新会在里面丢掉；
# - 在训练之前，就知道一块 GPU 装不装得下。
# %% [markdown] lang="en"
# ## Guess first
#
# LLaMA-7B has 6.74 billion parameters. In each of its 32 layers, attention makes queries and values with two matrices of
# 4096 × 4096. LoRA of rank 16 puts two thin matrices beside each of them: 16 × 4096 and 4096 × 16. What share of the model
# learns then: 10 %, 1 %, or 0.1 %?
# %% [markdown] lang="zh" of="3f24"
# ## 先猜一猜
#
# LLaMA-7B 有 67.4 亿个参数。它的 32 层里，每层的注意力各用一个 4096 × 4096 的矩阵算查询，一个算值。秩为 16 的 LoRA 在每个矩阵旁边放两个细长的矩阵：
# 16 × 4096 和 4096 × 16。这样一来，模型里有多少在学：10 %、1 %，还是 0.1 %？
# %% guess="1"
my_share = None             # "10 %", "1 %" or "0.1 %"
# %%
import torch
from rlhf_kit.scale import memory
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.quantization import about, one_kernel
from rlhf_kit.tasks.forum import Forum

llama = memory.LLAMA[0]
added = 32 * 2 * 16 * (4096 + 4096)                       # layers * (q, v) * rank * (inputs + outputs)
assert added == llama.adapter(16, ("q_proj", "v_proj"))
kit.tell("adds", name=llama.name, all=llama.parameters, added=added, share=added / llama.parameters,
         linear=llama.adapter(16), linear_share=llama.adapter(16) / llama.parameters)
kit.guessed(my_share, "0.1 %")
# %% [markdown] lang="en"
# ## LoRA by hand
#
# A layer computes $x W^\top$. Fine-tuning would change W. LoRA freezes it and adds a product of two thin matrices:
#
# $$y = x W^\top + \frac{\alpha}{r}\,(x A^\top) B^\top, \qquad A: [r, \text{in}], \quad B: [\text{out}, r]$$
#
# A starts random and **B starts at 0**, so at first the layer does exactly what it did before. The rank r is the number of
# directions the update may have; the factor α/r keeps the size of the update the same when r changes.
# %% [markdown] lang="zh" of="73c4"
# ## 亲手写 LoRA
#
# 一层计算的是 $x W^\top$。微调会改动 W；**LoRA（低秩适配）**冻结它，另加两个细长矩阵的乘积，叫做**适配器 (adapter)**：
#
# $$y = x W^\top + \frac{\alpha}{r}\,(x A^\top) B^\top, \qquad A: [r, \text{输入}], \quad B: [\text{输出}, r]$$
#
# A 随机开始，**B 从 0 开始**，所以一开始这一层和原来一模一样。秩 (rank) r 是更新可以有几个方向；有了 α/r，换一个 r，更新的大小不变。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3b.1 - A LoRA layer
#
# `Difficulty ●●○○ · Importance ●●●● · 5-10 min · 2 points`
#
# In: `x`, `[N, in]`; `weight`, `[out, in]`; `a`, `[r, in]`; `b`, `[out, r]`; `alpha`, a number, at least 0. Out: `[N, out]`, differentiable in
# a and b. For x = (1, 2), the identity as weight, a = (1, 0), b = (0, 1)ᵀ and α = 1 it is (1, 3).
# %% [markdown] lang="zh" of="236e"
# ### ✏️ 练习 3b.1 - 一层 LoRA
#
# `难度 ●●○○ · 重要 ●●●● · 5-10 分钟 · 2 分`
#
# 输入：`x`，`[N, 输入]`；`weight`，`[输出, 输入]`；`a`，`[r, 输入]`；`b`，`[输出, r]`；`alpha`，一个数，不小于 0。输出：`[N, 输出]`，对 a 和 b 可求导。
# 例如 x = (1, 2)，权重是单位矩阵，a = (1, 0)，b = (0, 1)ᵀ，α = 1，结果是 (1, 3)。
# %% exercise="3b.1"
# EXERCISE 3b.1
def lora_forward(x, weight, a, b, alpha):
    """x W^T + alpha / r * (x A^T) B^T"""
    # solution:
    small = x @ a.T                                                                   # (N, r)
    return x @ weight.T + alpha / a.shape[0] * small @ b.T                            # (N, out)
    # end
# %% [markdown] lang="en" hints="3b.1"
# <details><summary>Hint 1: the idea</summary>
#
# Go through the narrow place: first down to r numbers, then up again. B A never needs to be built.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `@` and `.T`; the rank is `a.shape[0]`.
#
# </details>
# %% [markdown] lang="zh" of="4980" hints="3b.1"
# <details><summary>线索 1：思路</summary>
#
# 从窄处穿过去：先降到 r 个数，再升回来。不用真的算出 B A。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `@` 和 `.T`；秩就是 `a.shape[0]`。
#
# </details>
# %% check="3b.1"
lora_forward = kit.check("3b.1", lora_forward)
# %% [markdown] lang="en"
# Try it on a real layer of our tiny LLaMA. What does the adapter change while B is 0, and what after it has learned (here B
# is simply random)? **Merged**, $W + \frac{\alpha}{r} B A$, the layer should give the same output. There are two ways back to
# the base: leave the adapter out, or subtract it from the merged weights. Which of them gives exactly the output of before?
# (The first time, this model is trained here, once: about 3 minutes on a laptop CPU, with a line that shows how far it is.)
# %% [markdown] lang="zh" of="349a"
# 拿小 LLaMA 里真实的一层来试：B 是 0 的时候，适配器改变了什么？学过之后（这里的 B 就用随机数）呢？**合并 (merge)** 成 $W + \frac{\alpha}{r} B A$，
# 这一层的输出应当一样。回到底座有两条路：不算适配器那一项，或者从合并好的权重里把它减掉。哪条路能恰好回到最初的输出？
# （第一次要在这里训练这个模型，只此一次：笔记本电脑 CPU 上约 3 分钟，有一行字显示进度。）
# %% guess="2"
my_way_back = None          # "leave out", "subtract" or "both"
# %%
run = kit.training.tiny_stackllama("merge", LANG)               # base, sft_adapter, and both merged: sft
base = kit.zoo.cached(kit.tasks.FORUM[LANG])
lm, tokenizer = load_language_model(base)
layer = lm.model.layers[1].mlp.gate_proj.weight.detach()                              # (out, in)
x = torch.randn(5, layer.shape[1])
a, b, alpha = torch.randn(4, layer.shape[1]) / 4, torch.zeros(layer.shape[0], 4), 8
before = x @ layer.T
kit.tell("fresh", most=(lora_forward(x, layer, a, b, alpha) - before).abs().max())
b = 0.05 * torch.randn_like(b)
update = alpha / 4 * b @ a                                                            # (out, in)
adapted, merged = lora_forward(x, layer, a, b, alpha), layer + update
kit.tell("learned", most=(adapted - before).abs().max())
kit.tell("merged", most=(x @ merged.T - adapted).abs().max())
back = {"leave out": lora_forward(x, layer, a, b, 0), "subtract": x @ (merged - update).T}
moved = {name: (output - before).abs().max().item() for name, output in back.items()}
kit.tell("back", off=moved["leave out"], subtracted=moved["subtract"])
exact = [name for name, most in moved.items() if most == 0]
kit.guessed(my_way_back, exact[0] if len(exact) == 1 else "both")
kit.tell("counted", frozen=layer.numel(), learn=a.numel() + b.numel())
# %% [markdown] lang="en"
# Leaving the adapter out is worth a second look. As long as the adapter stands beside the base, the base's own weights are
# untouched: with the adapter off, they *are* the **reference** that PPO measures its drift from, and it takes no extra memory.
#
# ## 8 bits by hand
#
# What is frozen need not be precise. LLM.int8 keeps each weight in one byte: every row of W has its own scale s, its largest
# absolute value, and each weight becomes a whole number of steps of size s/127:
#
# $$q = \text{round}(127\, w / s), \qquad w \approx q \cdot s / 127$$
#
# The row (1.0, -0.5, 0.3) has s = 1 and becomes (127, -64, 38). Read back: (1.0, -0.504, 0.299).
# %% [markdown] lang="zh" of="ffd4"
# *不算适配器*这条路值得再看一眼。适配器放在旁边，训练之前的权重一点没动：关掉它，这份权重*就是* PPO 用来量偏离的**参考模型**，不多占任何显存。
#
# ## 亲手做 8 位
#
# 冻结的东西不必很精确。LLM.int8 每个权重只留一个字节，这叫**量化 (quantisation)**：W 的每一行有自己的尺度 s，即最大的绝对值，
# 每个权重变成 s/127 的整数倍：
#
# $$q = \text{round}(127\, w / s), \qquad w \approx q \cdot s / 127$$
#
# 一行 (1.0, -0.5, 0.3)，s = 1，变成 (127, -64, 38)。读回来是 (1.0, -0.504, 0.299)。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3b.2 - Quantise row by row
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `weight`, `[out, in]`. Out: two tensors. `q`, `[out, in]`, whole numbers from -127 to 127, rounded to the nearest (an
# exact half either way); `s`, `[out]`, the largest absolute value of each row, be it large or small. A row of zeros gives q = 0, s = 0.
# For `[[2, 0, -2], [0, 2, 2]]`: q is `[[127, 0, -127], [0, 127, 127]]` and s is `[2, 2]`.
# %% [markdown] lang="zh" of="d2cf"
# ### ✏️ 练习 3b.2 - 逐行量化
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`weight`，`[输出, 输入]`。输出两个张量：`q`，`[输出, 输入]`，-127 到 127 的整数，取最近的（正好在中间，取哪边都行）；
# `s`，`[输出]`，每行最大的绝对值，不论大小。全是 0 的一行，q = 0，s = 0。
# 例如 `[[2, 0, -2], [0, 2, 2]]`：q 是 `[[127, 0, -127], [0, 127, 127]]`，s 是 `[2, 2]`。
# %% exercise="3b.2"
# EXERCISE 3b.2
def quantize_rows(weight):
    """(q [out, in] from -127 to 127, s [out]); w is about q * s / 127."""
    # solution:
    largest = weight.abs().amax(dim=1)                                                # (out,)
    steps = weight / largest.clamp(min=1e-30)[:, None] * 127
    return steps.round().to(torch.int8), largest
    # end
# %% [markdown] lang="en" hints="3b.2"
# <details><summary>Hint 1: the idea</summary>
#
# One scale a row: bring the row to the range from -1 to 1, multiply by 127, round. Take care of the row of zeros.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `weight.abs().amax(dim=1)`, `[:, None]` to divide rows, `.clamp(min=...)` on the divisor, `.round()`.
#
# </details>
# %% [markdown] lang="zh" of="150f" hints="3b.2"
# <details><summary>线索 1：思路</summary>
#
# 每行一个尺度：把这一行缩到 -1 到 1，乘 127，取整。当心全是 0 的行。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `weight.abs().amax(dim=1)`；逐行相除要用 `[:, None]`；除数上加 `.clamp(min=...)`；再 `.round()`。
#
# </details>
# %% check="3b.2"
quantize_rows = kit.check("3b.2", quantize_rows)
# %% [markdown] lang="en"
# The weights are only half of it: LLM.int8 multiplies whole numbers, so it quantises the *inputs* of a layer as well, each
# token's row with one scale. In large models a few **features** (columns of the input) are far larger than all others, and
# such an **outlier** spoils its whole row: everything else shares its coarse steps. So LLM.int8 takes every feature with a
# value beyond 6 out of the product, and multiplies it in 16 bits. Your function shows why:
# %% [markdown] lang="zh" of="46c4"
# 权重只是一半：LLM.int8 做的是整数乘法，所以一层的*输入*也要量化，每个词元的一行共用一个尺度。大模型里有少数几个**特征**（输入的某几列）
# 比其他的大得多，这种**离群值 (outlier)** 会毁掉整整一行：别的数都得跟着用它那么粗的格子。所以 LLM.int8 把出现过 6 以上的特征从乘法里拿出来，
# 用 16 位来乘。用你的函数就看得出原因：
# %%
def in_int8(numbers):
    """What is left of numbers after 8 bits, row by row."""
    q, s = quantize_rows(numbers)
    return q.float() * s[:, None] / 127


features, errors = torch.randn(64, layer.shape[1]), {}
for largest in (3.0, 20.0, 60.0):                         # one feature of all tokens, made so large
    features[:, 7] = largest
    outlier = features.abs().amax(0) >= 6                                             # (in,)
    split = in_int8(features * ~outlier) @ layer.T + (features * outlier) @ layer.T
    for name, product in {"all in int8": in_int8(features) @ layer.T, "outliers apart": split}.items():
        errors.setdefault(name, []).append((product - features @ layer.T).square().mean().sqrt().item())
kit.tell("outliers", whole=errors["all in int8"][-1] / errors["all in int8"][0],
         apart=errors["outliers apart"][-1] / errors["outliers apart"][0])
kit.plots.lines([3, 20, 60], errors, across="size of one feature", unit="error of the layer's output", title="One feature spoils the rest")
# %% [markdown] lang="en"
# How much does a model mind? Load the same tiny LLaMA in int8 and in nf4 (4 bits: 16 levels for each block of 64 weights),
# and take the KL of its predictions from those in 32 bits. How many times larger is the KL of nf4?
# %% [markdown] lang="zh" of="d1ff"
# 模型有多在意？用 int8 和 nf4（4 位：每 64 个权重一块，共用 16 个级别）加载同一个小 LLaMA，看它的预测与 32 位时的 KL。
# nf4 的 KL 是 int8 的多少倍？
# %% guess="3"
my_factor = None            # a whole number
# %%
q, s = quantize_rows(layer)
error = (q.float() * s[:, None] / 127 - layer) / (s[:, None] / 127)                   # in steps
kit.tell("bytes", before=layer.numel() * 4, after=q.numel() + 4 * s.numel(), most=error.abs().max())
texts = [prompt + answer for prompt, answer in Forum(LANG).answered(24, split="heldout")]
batch = tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)


def predictions(model):
    """log-probabilities of every next token."""
    with torch.no_grad():
        return one_kernel(model)(**batch, use_cache=False).logits.float().log_softmax(-1)


exact, moved, missed = predictions(lm), {}, {}
for kind in ("int8", "nf4"):
    smaller = load_language_model(base, quantize=kind)[0]
    ours = predictions(smaller)
    moved[kind] = (exact.exp() * (exact - ours)).sum(-1)[batch.attention_mask.bool()].mean().item()
    with torch.no_grad():
        held = smaller.model.layers[1].mlp.gate_proj(torch.eye(layer.shape[1])).T.float()     # its weights, read back
    missed[kind] = ((held - layer).square().mean() / layer.square().mean()).sqrt().item()
# %%
for kind in moved:
    kit.tell("quantised", kind=kind, missed=missed[kind], kl=moved[kind])
kit.guessed(my_factor, round(moved["nf4"] / moved["int8"]))
kit.tell("cause", errors=missed["nf4"] / missed["int8"], squared=(missed["nf4"] / missed["int8"]) ** 2)
kit.plots.histograms({"int8": error.flatten().tolist()}, across="error, in steps", title="No error above half a step")
# %% [markdown] lang="en"
# ## Where the two clash
#
# After training one would like to add the adapter into the weights: one matrix product less. In 32 bits nothing is lost. But
# 8-bit weights sit on a grid, and an update smaller than half a step is **rounded away**. Early in PPO all updates are tiny.
# So take the adapter that StackLLaMA's first stage learned on our forum, scale it down to 0.03, 0.1 and 0.3 of its size, and
# merge it into the base in three precisions. What share of its effect survives at 0.03? (~10 s on a laptop CPU)
# %% [markdown] lang="zh" of="7b0f"
# ## 两个办法合不到一起的地方
#
# 训练完了，自然想把适配器加进权重里，省一次矩阵乘法。32 位时这样做分毫不差。可 8 位的权重都落在格子上，不到半级的更新会被**舍入掉**。
# 而 PPO 刚开始时，更新都很小。所以：把 StackLLaMA 第一阶段在我们的论坛上学到的适配器缩小到 0.03、0.1、0.3 倍，合并进三种精度的底座。
# 缩到 0.03 时，它的作用还剩多少？（笔记本电脑 CPU 上约 10 秒）
# %% guess="4"
my_kept = {"fp32": None, "int8": None, "nf4": None}     # between 0 and 1
# %%
study = kit.studies.merging.merge_loss(base, run / "sft_adapter", texts[:16])
scales = [*study.numbers["fp32"]]
kit.table({kit.words("size"): scales, **{name: [f"{effects[scale].beside:.1e} → {effects[scale].merged:.1e}" for scale in scales]
                                         for name, effects in study.numbers.items()}}, digits=2)
kept = {name: {scale: effect.kept for scale, effect in effects.items()} for name, effects in study.numbers.items()}
kit.guessed(my_kept, {name: shares[0.03] for name, shares in kept.items()})
kit.tell("kept", int8=kept["int8"][0.03], nf4=kept["nf4"][0.03], whole8=kept["int8"][1.0], whole4=kept["nf4"][1.0])
study.figure
# %% [markdown] lang="en"
# The table gives KLs from the base in nats per token: adapter beside the weights → merged into them. At full size the shares
# are close to 1, so a test with a well-trained adapter would hardly have noticed anything. Small updates get lost, and the
# coarser the grid, the larger they must be to survive. So **merge into 16 or 32 bits only**, and quantise the merged model
# again for the next stage. The kit refuses to do otherwise.
#
# ## One base for everything
#
# PPO needs a policy, a reference, a critic and a reward model. Four models of 7 billion parameters? One base in 8 bits carries
# them all: the policy is an adapter, the reference is *adapter off*, the critic a small head, the reward model a second
# adapter.
#
# At the first step policy and reference must agree *exactly*: the KL is 0, and the ratio π/π_old is 1. That tests the whole
# machinery. On a CPU, bitsandbytes multiplies 8-bit layers one way in training mode and another way in evaluation mode. If a
# policy acts in one mode and learns in the other, is the ratio still 1?
# %% [markdown] lang="zh" of="f412"
# 表里是与底座的 KL，单位是奈特/词元：适配器放在权重旁边 → 合并进权重。原样大小时，剩下的比例都接近 1，拿训练充分的适配器来测，几乎发现不了什么。
# 小的更新会丢，格子越粗，更新要越大才能留下来。所以**只能合并进 16 位或 32 位**，下一阶段再把合并好的模型重新量化。别的做法，工具包一概拒绝。
#
# ## 一个底座管所有
#
# PPO 要策略、参考模型、价值网络、奖励模型：难道要四个 70 亿参数的模型？一个 8 位的底座全装下了：策略是一个适配器，参考模型是*关掉适配器*，
# 价值网络是一个小小的头，奖励模型是第二个适配器。
#
# 第一步，策略和参考模型必须*完全*一致：KL 为 0，概率比 π/π_old 为 1。这一下就检验了整台机器。在 CPU 上，bitsandbytes 对 8 位的层，
# 训练模式用一种乘法，评估模式用另一种。如果策略用一种模式来行动、用另一种来学习，概率比还是 1 吗？
# %% guess="5"
my_ratio = None             # "1" or "not 1"
# %%
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.sampling import response_logprob

shared = SharedBase(*load_language_model(run / "sft", quantize="int8"))
rollout = kit.sample_rollout(shared.policy, Forum(LANG).prompts("heldout", 16), kit.Sampling(max_new_tokens=32))
with torch.no_grad():
    now, reference = (response_logprob(model, rollout) for model in (shared.policy, shared.reference))
    shared.policy.lm.eval()                               # the trap: the other kernel
    other = response_logprob(shared.policy, rollout)
shared.policy.eval()                                      # the kit's own eval(): back to one kernel
real = rollout.mask
kit.tell("first_kl", kl=kit.formulas.kl_penalty.sequence_kl(now, reference, real).abs())
ratios = {"one_kernel": (now - rollout.logprob).exp()[real], "two_kernels": (other - now).exp()[real]}
for name, ratio in ratios.items():
    kit.tell(name, least=ratio.min(), most=ratio.max())
kit.guessed(my_ratio, "not 1" if (ratios["two_kernels"] - 1).abs().max() > 1e-3 else "1")
kit.tell("megabytes", one=about(shared.policy)["bytes"] / 1e6, four=4 * about(lm)["bytes"] / 1e6)
# %% [markdown] lang="en"
# With two kernels PPO would see the policy change before it has learned anything. On GPUs both modes use the same kernel. The
# check costs nothing, so keep it: **the same function computes old and new log-probabilities, in the same mode, without
# dropout.**
#
# ## What a run takes
#
# A parameter that learns takes 16 bytes with Adam in mixed precision: 2 for the weight, 2 for its gradient, 4 for a copy in
# 32 bits, 8 for two moments. (Those of an adapter are in 32 bits: 4 + 4 + 8, also 16.) A frozen parameter takes 2 bytes in
# bf16, 1 in int8, and about 0.56 in nf4, whose blocks keep a scale each.
# %% [markdown] lang="zh" of="058a"
# 用了两种乘法，PPO 还什么都没学，就会看到策略变了。GPU 上两种模式是同一种乘法；不过这项检查几乎不花代价，留着它：
# **新旧对数概率由同一个函数计算，同一种模式，不用随机失活。**
#
# ## 一次训练要多少显存
#
# 用混合精度的 Adam，一个要学的参数占 16 个字节：权重 2，梯度 2，32 位的副本 4，两个矩 8。（适配器的参数是 32 位：4 + 4 + 8，也是 16。）
# 一个冻结的参数，bf16 占 2 个字节，int8 占 1 个，nf4 约 0.56 个（每块还要留一个尺度）。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3b.3 - Gigabytes
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `frozen`, how many parameters do not learn; `bytes_each`, what one of these takes; `trained`, how many learn, at 16 bytes
# each. Out: GB (10⁹ bytes) that are held all the time, without activations. For a billion frozen parameters in 2 bytes each
# and none trained: 2.0.
# %% [markdown] lang="zh" of="d36b"
# ### ✏️ 练习 3b.3 - 多少 GB
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`frozen`，有多少个参数不学；`bytes_each`，其中每个占几个字节；`trained`，有多少个参数要学，每个 16 字节。
# 输出：常驻显存的 GB（10⁹ 字节），激活值不算。十亿个冻结的参数，每个 2 字节，没有要学的：2.0。
# %% exercise="3b.3"
# EXERCISE 3b.3
def training_gigabytes(frozen, bytes_each, trained):
    """GB of weights, gradients and optimiser."""
    # solution:
    return (frozen * bytes_each + 16 * trained) / 1e9
    # end
# %% [markdown] lang="en" hints="3b.3"
# <details><summary>Hint 1: the idea</summary>
#
# Two heaps: what is frozen at its own size, what learns at 16 bytes.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# None. A GB is `1e9` bytes, not `2**30`.
#
# </details>
# %% [markdown] lang="zh" of="e734" hints="3b.3"
# <details><summary>线索 1：思路</summary>
#
# 两堆：冻结的按自己的大小，要学的按 16 字节。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 不用函数。1 GB 是 `1e9` 字节，不是 `2**30`。
#
# </details>
# %% check="3b.3"
training_gigabytes = kit.check("3b.3", training_gigabytes)
# %%
n, adapter = 7e9, llama.adapter(16)
ways = {kit.words("everything"): (0, 2, n), "LoRA, bf16": (n, 2, adapter), "LoRA, int8": (n, 1, adapter), "LoRA, nf4": (n, 0.56, adapter)}
kit.table({kit.words("seven_billion"): [*ways], "GB": [float(training_gigabytes(*numbers)) for numbers in ways.values()]}, digits=1)
kit.tell("blog", gb=10 * n / 1e9)
plans = {plan.name: plan for plan in memory.fine_tuning(llama, memory.Work(batch=4, seq=512))}
kit.plots.memory_bars(plans, gpu=80, title="LLaMA-7B, 4 texts of 512 tokens in a gradient")
# %% [markdown] lang="en"
# The bars add what your formula leaves out: activations and logits. Once the weights are small, *those* fill the memory, and
# checkpointing (computing activations twice instead of keeping them) is the next trick. StackLLaMA's rule of thumb for int8
# with LoRA was 1.2 to 1.4 GB per billion parameters: 8.4 to 9.8 GB for 7 billion. And PPO?
# %% [markdown] lang="zh" of="d7fe"
# 柱子里多了你的公式没算的：激活值和 logits。权重一旦小了，显存就被*它们*占去，下一招是重算（checkpointing：激活值不留着，算两遍）。
# StackLLaMA 给 int8 加 LoRA 的经验值是每十亿参数 1.2 到 1.4 GB，70 亿就是 8.4 到 9.8 GB。那么 PPO 呢？
# %%
ppo_plans = {plan.name: plan for plan in memory.ppo(llama, memory.Work(batch=4, prompt=128, response=128))}
for name, plan in ppo_plans.items():
    kit.tell("fits" if plan.fits(80) == "yes" else "does_not_fit", name=name, standing=plan.standing / 1e9, peak=plan.peak() / 1e9)
kit.plots.memory_bars(ppo_plans, gpu=80, title="PPO: four models apart, or one base of each kind")
# %% [markdown] lang="en"
# As four separate models, with policy and critic trained in full, PPO needs a small cluster. On one shared base it takes hardly
# more than fine-tuning. For the same table of any model: `rlhf-kit memory --params 7e9 --quantize int8 --lora 16 --batch 4 --seq 512`.
#
# ## Recap
#
# | piece | what it gives |
# |---|---|
# | B = 0 | training starts exactly from the base |
# | adapter off | a reference for free |
# | merge | no extra cost when answering; into 16 or 32 bits only |
# | int8, a scale for each row | a quarter of 32 bits, errors up to half a step |
# | outliers in 16 bits | one large feature does not spoil the rest |
# | one shared base | four models in the memory of one |
# | ratio 1 and KL 0 at first | a test of the whole machinery |
#
# **Break it.** (1) Start with B random: what is the KL at the first step? (2) Quantise with one scale for the whole matrix and
# put one weight to 100. (3) `merge_loss` with the scales 0.003 and 0.01. (4) `memory.nearest(65e9)`: which way fits on 80 GB?
#
# **Next:** [part 3](03c_ppo_and_cheating.ipynb) puts it together: a reward model, PPO, and how it cheats.
#
# **References.** LoRA: Hu et al. 2021, arXiv:2106.09685. LLM.int8: Dettmers et al. 2022, arXiv:2208.07339. nf4: Dettmers et al.
# 2023, arXiv:2305.14314. Bytes of training: Rajbhandari et al. 2020, arXiv:1910.02054. StackLLaMA: Beeching et al. 2023.
# %% [markdown] lang="zh" of="5815"
# 四个模型分开放，策略和价值网络整个都要训练，需要一个小集群。放在一个底座上，PPO 比微调多不了多少。任何模型都能列出这样一张表：
# `rlhf-kit memory --params 7e9 --quantize int8 --lora 16 --batch 4 --seq 512`。
#
# ## 小结
#
# | 部件 | 它给出什么 |
# |---|---|
# | B = 0 | 训练恰好从底座开始 |
# | 关掉适配器 | 白得一个参考模型 |
# | 合并 | 作答时没有额外开销；只能进 16 位或 32 位 |
# | int8，每行一个尺度 | 32 位的四分之一，误差不超过半级 |
# | 离群值用 16 位 | 一个大特征不会毁掉其他的 |
# | 共用一个底座 | 一份显存装下四个模型 |
# | 开始时概率比为 1、KL 为 0 | 检验整台机器 |
#
# **弄坏它。**（1）让 B 随机开始：第一步的 KL 是多少？（2）整个矩阵只用一个尺度来量化，再把一个权重改成 100。
# （3）给 `merge_loss` 用 0.003 和 0.01 两个倍数。（4）`memory.nearest(65e9)`：哪种办法能放进 80 GB？
#
# **下一课：**[之三](03c_ppo_and_cheating.ipynb)把这些合起来：奖励模型、PPO，以及它怎样作弊。
#
# **参考文献。** LoRA：Hu 等 2021，arXiv:2106.09685。LLM.int8：Dettmers 等 2022，arXiv:2208.07339。nf4：Dettmers 等 2023，
# arXiv:2305.14314。训练要多少字节：Rajbhandari 等 2020，arXiv:1910.02054。StackLLaMA：Beeching 等 2023。
# %% [markdown] lang="en"
# **Play with it.** The base and the model with the adapter merged into it, side by side on this forum's questions or yours:
# %% [markdown] lang="zh" of="b2f1"
# **玩一玩。** 底座和合并了适配器的模型并排放在一起，问题用这个论坛的，也可以自己写：
# %%
kit.panel("compare", LANG, models={"base": base, "SFT": run / "sft"}, prompts=Forum(LANG).prompts("heldout")[:6],
          task=f"forum-{LANG}", folder="runs/lesson-03b")
