# %% [markdown] lang="en"
# # StackLLaMA, part 2: LoRA in 8 bits
#
# How does a model of 7 billion numbers learn on one GPU? Almost none of them learn, and those that do not are kept in one
# byte each. You write both tricks by hand, find out where they do not go together, and add up what a run takes. The picture
# you will make: what is left of an update that was merged into 32, 8 and 4 bits.
#
# Level 3, part 2 of 3 · about 45 minutes · CPU only · no account · works offline after install · you should know what a
# matrix product is; [part 1](03a_votes_and_packing.ipynb) prepared the data, [part 3](03c_ppo_and_cheating.ipynb) trains.
#
# It explains `rlhf_kit/models/adapters.py`, `rlhf_kit/models/quantization.py` and `rlhf_kit/scale/memory.py`.
# %% [markdown] lang="zh" of="1758"
# # StackLLaMA 之二：8 位底座上的 LoRA
#
# 70 亿个数的模型，怎样在一块 GPU 上学习？几乎所有的数都不学，不学的每个只占一个字节。这两个办法都由你亲手写出来，再找出它们在哪里合不到一起，
# 最后算清一次训练要多少内存。你会画出这样一张图：一次更新合并进 32 位、8 位、4 位的权重，各剩下多少。
#
# 第 3 级，共三部分之二 · 约 45 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要知道什么是矩阵乘法；
# [之一](03a_votes_and_packing.ipynb)准备了数据，[之三](03c_ppo_and_cheating.ipynb)来训练。
#
# 本课讲解的是 `rlhf_kit/models/adapters.py`、`rlhf_kit/models/quantization.py` 和 `rlhf_kit/scale/memory.py`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - write a LoRA layer, count what it adds, merge it and switch it off;
# - quantise a matrix to 8 bits, and say which updates are lost in it;
# - tell beforehand whether a run fits on a GPU.
# %% [markdown] lang="zh" of="bdfb"
# **学完之后你能够**
#
# - 写出一层 LoRA，数清它加了多少个数，把它合并、关掉；
# - 把矩阵量化成 8 位，并说清哪些更新会在里面丢掉；
# - 在训练之前，就知道一块 GPU 装不装得下。
# %% [markdown] lang="en"
# ## Guess first
#
# LLaMA-7B has 6.74 billion numbers. Its attention makes queries and values with matrices of 4096 × 4096, one of each in each
# of 32 layers. LoRA of rank 16 puts two thin matrices beside each: 16 × 4096 and 4096 × 16. Which share of the model learns
# then: 10 %, 1 %, or 0.1 %?
# %% [markdown] lang="zh" of="df24"
# ## 先猜一猜
#
# LLaMA-7B 有 67.4 亿个数。它的注意力用 4096 × 4096 的矩阵算查询和值，32 层里每层各一个。秩为 16 的 LoRA 在每个矩阵旁边放两个细长的矩阵：
# 16 × 4096 和 4096 × 16。这样一来，模型里有多少在学：10 %、1 %，还是 0.1 %？
# %%
import torch
from rlhf_kit.scale import memory
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.quantization import about, one_kernel
from rlhf_kit.tasks.forum import Forum

llama = memory.LLAMA[0]
added = 32 * 2 * 16 * (4096 + 4096)                       # layers * (q, v) * rank * (inputs + outputs)
assert added == llama.adapter(16, ("q_proj", "v_proj"))
print(f"{llama.name}: {llama.parameters:,} numbers; LoRA of rank 16 on q and v adds {added:,}, {added / llama.parameters:.2%}")
print(f"on all linear layers: {llama.adapter(16):,}, {llama.adapter(16) / llama.parameters:.2%}")
# %% [markdown] lang="en"
# ## LoRA by hand
#
# A layer computes $x W^\top$. Fine-tuning would change W. LoRA freezes it and adds a product of two thin matrices:
#
# $$y = x W^\top + \frac{\alpha}{r}\,(x A^\top) B^\top, \qquad A: [r, \text{in}], \quad B: [\text{out}, r]$$
#
# A starts random and **B starts at 0**, so at first the layer does exactly what it did. The rank r is how many directions the
# update may have; α/r keeps the update's size when r changes.
# %% [markdown] lang="zh" of="e9f2"
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
# In: `x`, `[N, in]`; `weight`, `[out, in]`; `a`, `[r, in]`; `b`, `[out, r]`; `alpha`, a number. Out: `[N, out]`, differentiable in
# a and b. For x = (1, 2), the identity as weight, a = (1, 0), b = (0, 1)ᵀ and α = 1 it is (1, 3).
# %% [markdown] lang="zh" of="8fb7"
# ### ✏️ 练习 3b.1 - 一层 LoRA
#
# `难度 ●●○○ · 重要 ●●●● · 5-10 分钟 · 2 分`
#
# 输入：`x`，`[N, 输入]`；`weight`，`[输出, 输入]`；`a`，`[r, 输入]`；`b`，`[输出, r]`；`alpha`，一个数。输出：`[N, 输出]`，对 a 和 b 可求导。
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
# <details><summary>提示 1：思路</summary>
#
# 从窄处穿过去：先降到 r 个数，再升回来。不用真的算出 B A。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# `@` 和 `.T`；秩就是 `a.shape[0]`。
#
# </details>
# %% check="3b.1"
lora_forward = kit.check("3b.1", lora_forward)
# %% [markdown] lang="en"
# On a real layer of our tiny LLaMA: what does the adapter change while B is 0? After it has learnt (here: random numbers)?
# Merged, $W + \frac{\alpha}{r} B A$, the layer should say the same again, and with the adapter off, what it said at first.
# (The first time, the model is trained here, which takes some minutes, once.)
# %% [markdown] lang="zh" of="1b8f"
# 拿小 LLaMA 里真实的一层来试：B 是 0 的时候，适配器改变了什么？学过之后（这里用随机数代替）呢？**合并 (merge)** 成 $W + \frac{\alpha}{r} B A$，
# 这一层应当说同样的话；关掉适配器，又回到最初。（第一次要在这里训练模型，要几分钟，只此一次。）
# %%
run = kit.training.tiny_stackllama("merge")               # base, sft_adapter, and both merged: sft
base = kit.zoo.cached("tiny-forum")
lm, tokenizer = load_language_model(base)
layer = lm.model.layers[1].mlp.gate_proj.weight.detach()                              # (out, in)
x = torch.randn(5, layer.shape[1])
a, b, alpha = torch.randn(4, layer.shape[1]) / 4, torch.zeros(layer.shape[0], 4), 8
before = x @ layer.T
print(f"B = 0:   moves the output by {(lora_forward(x, layer, a, b, alpha) - before).abs().max():.1g}")
b = 0.05 * torch.randn_like(b)
adapted, merged = lora_forward(x, layer, a, b, alpha), x @ (layer + alpha / 4 * b @ a).T
print(f"learnt:  moves the output by {(adapted - before).abs().max():.1g}")
print(f"merged:  differs from the adapter by {(merged - adapted).abs().max():.0e}")
print(f"off:     differs from the start by {(x @ layer.T - before).abs().max():.1g}")
print(f"{layer.numel():,} numbers frozen, {a.numel() + b.numel():,} learn")
# %% [markdown] lang="en"
# *Off* deserves a second look. With the adapter off the very same weights are the model before training: the **reference**
# that PPO measures its drift from. It costs nothing.
#
# ## 8 bits by hand
#
# What is frozen need not be precise. LLM.int8 keeps one byte a weight: each row of W has its own scale s, its largest
# absolute value, and each weight becomes a whole number of steps of s/127:
#
# $$q = \text{round}(127\, w / s), \qquad w \approx q \cdot s / 127$$
#
# The row (1.0, -0.5, 0.3) has s = 1 and becomes (127, -64, 38). Read back: (1.0, -0.504, 0.299).
# %% [markdown] lang="zh" of="8893"
# *关掉*这一步值得再看一眼。关掉适配器，同一份权重就是训练之前的模型，也就是 PPO 用来量偏离的**参考模型**。它不花任何内存。
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
# In: `weight`, `[out, in]`. Out: two. `q`, `[out, in]`, whole numbers from -127 to 127, rounded to the nearest; `s`, `[out]`, the
# largest absolute value of each row. A row of zeros gives q = 0, s = 0. For `[[2, 0, -2], [0, 2, 2]]`: q is
# `[[127, 0, -127], [0, 127, 127]]` and s is `[2, 2]`.
# %% [markdown] lang="zh" of="abeb"
# ### ✏️ 练习 3b.2 - 逐行量化
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`weight`，`[输出, 输入]`。输出两样：`q`，`[输出, 输入]`，-127 到 127 的整数，取最近的；`s`，`[输出]`，每行最大的绝对值。
# 全是 0 的一行，q = 0，s = 0。例如 `[[2, 0, -2], [0, 2, 2]]`：q 是 `[[127, 0, -127], [0, 127, 127]]`，s 是 `[2, 2]`。
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
# <details><summary>提示 1：思路</summary>
#
# 每行一个尺度：把这一行缩到 -1 到 1，乘 127，取整。当心全是 0 的行。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# `weight.abs().amax(dim=1)`；逐行相除要用 `[:, None]`；除数上加 `.clamp(min=...)`；再 `.round()`。
#
# </details>
# %% check="3b.2"
quantize_rows = kit.check("3b.2", quantize_rows)
# %% [markdown] lang="en"
# How large is the error? At most half a step. And how much does the model mind? The second number is the real thing: the
# same tiny LLaMA loaded in int8 and in nf4 (4 bits, blocks of 64 weights), and the KL of its predictions from those in 32
# bits. Predict: how many times worse is nf4?
# %% [markdown] lang="zh" of="96a6"
# 误差有多大？最多半级。模型又有多在意？第二组数才是真格的：同一个小 LLaMA 用 int8 和 nf4（4 位，64 个权重一块）加载，看它的预测与 32 位时的 KL。
# 先猜：nf4 要差多少倍？
# %%
q, s = quantize_rows(layer)
error = (q.float() * s[:, None] / 127 - layer) / (s[:, None] / 127)                   # in steps
print(f"int8: {layer.numel() * 4:,} bytes become {q.numel() + 4 * s.numel():,}; errors up to {error.abs().max():.2f} of a step")
texts = [prompt + answer for prompt, answer in Forum().answered(24, split="heldout")]
batch = tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)


def predictions(model):
    """log-probabilities of every next token."""
    with torch.no_grad():
        return one_kernel(model)(**batch, use_cache=False).logits.float().log_softmax(-1)


exact, moved = predictions(lm), {}
for kind in ("int8", "nf4"):
    ours = predictions(load_language_model(base, quantize=kind)[0])
    moved[kind] = (exact.exp() * (exact - ours)).sum(-1)[batch.attention_mask.bool()].mean().item()
    print(f"{kind}: KL from 32 bits {moved[kind]:.1e} nats per token")
kit.plots.histograms({"int8": error.flatten().tolist()}, across="error, in steps", title="No error above half a step")
# %% [markdown] lang="en"
# ## Where the two do not go together
#
# After training one would like to add the adapter into the weights: one matrix product less. In 32 bits that is exact. But
# 8-bit weights sit on a grid, and an update that is smaller than half a step is **rounded away**. Early in PPO updates are
# tiny. So: the adapter that StackLLaMA's first stage learnt on our forum, made smaller, merged into the base in three
# precisions. Predict each curve's left end. (~10 s)
# %% [markdown] lang="zh" of="911a"
# ## 两个办法合不到一起的地方
#
# 训练完了，自然想把适配器加进权重里，省一次矩阵乘法。32 位时这样做分毫不差。可 8 位的权重都落在格子上，不到半级的更新会被**舍入掉**。
# 而 PPO 刚开始时，更新都很小。所以：把 StackLLaMA 第一阶段在我们的论坛上学到的适配器缩小，合并进三种精度的底座。
# 先猜每条曲线左端在哪里。（约 10 秒）
# %%
study = kit.studies.merging.merge_loss(base, run / "sft_adapter", texts[:16])
for name, effects in study.numbers.items():
    print(f"{name:5}", *(f"  {scale:4}: {effect.beside:.1e} -> {effect.merged:.1e}" for scale, effect in effects.items()))
study.figure
# %% [markdown] lang="en"
# Each number is a KL from the base in nats per token: beside the weights → merged into them. At full size all three look
# well, and a test on a well-trained adapter would have noticed nothing. At 0.03 of its size most of the update is gone in 8
# bits, and nearly all in 4. So **merge into 16 or 32 bits only**, and quantise the merged model anew for the next stage. The
# kit refuses to do otherwise.
#
# ## One base for everything
#
# PPO needs a policy, a reference, a critic and a reward model: four models of 7 billion? One base in 8 bits carries them all:
# the policy is an adapter, the reference is *adapter off*, the critic a small head, the reward model a second adapter.
#
# At the first step policy and reference must agree *exactly*: KL 0, and the ratio π/π_old is 1. That is a test of the whole
# machine. On a CPU bitsandbytes multiplies 8-bit layers one way in training mode and another way in evaluation mode. What
# happens to the ratio if a policy acts in one and learns in the other?
# %% [markdown] lang="zh" of="f642"
# 每个数都是与底座的 KL，单位是每个词元几奈特：放在权重旁边 → 合并进权重。原样大小时三种都很好，拿训练充分的适配器来测，什么也发现不了。
# 缩到 0.03，8 位里丢了大半，4 位里几乎全丢。所以**只能合并进 16 位或 32 位**，下一阶段再把合并好的模型重新量化。工具包不许别的做法。
#
# ## 一个底座管所有
#
# PPO 要策略、参考模型、价值网络、奖励模型：难道是四个 70 亿？一个 8 位的底座全装下了：策略是一个适配器，参考模型是*关掉适配器*，
# 价值网络是一个小小的头，奖励模型是第二个适配器。
#
# 第一步，策略和参考模型必须*完全*一致：KL 为 0，概率比 π/π_old 为 1。这一下就检验了整台机器。在 CPU 上，bitsandbytes 对 8 位的层，
# 训练模式用一种乘法，评估模式用另一种。如果策略用一种来行动、用另一种来学习，概率比会怎样？
# %%
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.sampling import response_logprob

shared = SharedBase(*load_language_model(run / "sft", quantize="int8"))
rollout = kit.sample_rollout(shared.policy, Forum().prompts("heldout", 16), kit.Sampling(max_new_tokens=32))
with torch.no_grad():
    now, reference = (response_logprob(model, rollout) for model in (shared.policy, shared.reference))
    shared.policy.lm.eval()                               # the trap: the other kernel
    other = response_logprob(shared.policy, rollout)
shared.policy.eval()                                      # the kit's own eval(): back to one kernel
real = rollout.mask
print(f"KL at the first step   {kit.formulas.kl_penalty.sequence_kl(now, reference, real):.6f}")
print(f"one kernel:  ratio from {(now - rollout.logprob).exp()[real].min():.4f} to {(now - rollout.logprob).exp()[real].max():.4f}")
print(f"two kernels: ratio from {(other - now).exp()[real].min():.4f} to {(other - now).exp()[real].max():.4f}")
one, copy = about(shared.policy)["bytes"], about(lm)["bytes"]
print(f"one base in 8 bits with an adapter {one / 1e6:.1f} MB, four models in 32 bits {4 * copy / 1e6:.1f} MB")
# %% [markdown] lang="en"
# With two kernels PPO would see the policy change before it has learnt anything. On GPUs both modes use one kernel; the check
# costs nothing, so keep it: **one function computes old and new log-probabilities, in one mode, without dropout.**
#
# ## What a run takes
#
# A number that learns takes 16 bytes with Adam in mixed precision: weight 2, gradient 2, a copy in 32 bits 4, two moments 8. (An
# adapter's are in 32 bits: 4 + 4 + 8, which is 16 as well.) A frozen number takes its own 2 bytes, or 1, or about 0.56.
# %% [markdown] lang="zh" of="051f"
# 用了两种乘法，PPO 还什么都没学，就会看到策略变了。GPU 上两种模式是同一种乘法；不过这项检查不花什么，留着它：
# **新旧对数概率由同一个函数计算，同一种模式，不用随机失活。**
#
# ## 一次训练要多少内存
#
# 用混合精度的 Adam，一个要学的数占 16 个字节：权重 2，梯度 2，32 位的一份 4，两个矩 8。（适配器用 32 位：4 + 4 + 8，也是 16。）
# 一个冻结的数只占自己的 2 个字节，或者 1 个，或者约 0.56 个。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3b.3 - Gigabytes
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `frozen`, how many numbers do not learn; `bytes_each`, what one of these takes; `trained`, how many learn, at 16 bytes
# each. Out: GB (10⁹ bytes) that stand in memory, before activations. A billion frozen numbers in 2 bytes, nothing trained: 2.0.
# %% [markdown] lang="zh" of="443a"
# ### ✏️ 练习 3b.3 - 多少 GB
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`frozen`，有多少个数不学；`bytes_each`，其中每个占几个字节；`trained`，有多少个数要学，每个 16 字节。
# 输出：常驻内存的 GB（10⁹ 字节），激活值不算。十亿个冻结的数，每个 2 字节，没有要学的：2.0。
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
# <details><summary>提示 1：思路</summary>
#
# 两堆：冻结的按自己的大小，要学的按 16 字节。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# 不用函数。1 GB 是 `1e9` 字节，不是 `2**30`。
#
# </details>
# %% check="3b.3"
training_gigabytes = kit.check("3b.3", training_gigabytes)
# %%
n, adapter = 7e9, llama.adapter(16)
for name, numbers in {"everything learns": (0, 2, n), "LoRA on bf16": (n, 2, adapter), "LoRA on int8": (n, 1, adapter),
                      "LoRA on nf4": (n, 0.56, adapter)}.items():
    print(f"7 billion, {name:18} {training_gigabytes(*numbers):6.1f} GB")
print(f"the blog's way of counting, weights 2 and Adam 8, gives {10 * n / 1e9:.0f} GB for the first")
plans = {plan.name: plan for plan in memory.fine_tuning(llama, memory.Work(batch=4, seq=512))}
kit.plots.memory_bars(plans, gpu=80, title="LLaMA-7B, 4 texts of 512 tokens in a gradient")
# %% [markdown] lang="en"
# The bars add what your formula leaves out: activations and logits. Once the weights are small, *they* are the memory, and
# checkpointing (computing them twice) is the next trick. StackLLaMA's rule of thumb for int8 with LoRA was 1.2 to 1.4 GB per
# billion parameters, 8.4 to 9.8 GB for 7 billion. And PPO?
# %% [markdown] lang="zh" of="ebf8"
# 柱子里多了你的公式没算的：激活值和 logits。权重一旦小了，内存就被*它们*占去，下一招是重算（checkpointing，把它们算两遍）。
# StackLLaMA 给 int8 加 LoRA 的经验值是每十亿参数 1.2 到 1.4 GB，70 亿就是 8.4 到 9.8 GB。那么 PPO 呢？
# %%
ppo_plans = {plan.name: plan for plan in memory.ppo(llama, memory.Work(batch=4, prompt=128, response=128))}
for name, plan in ppo_plans.items():
    print(f"{name:6} stands at {plan.standing / 1e9:6.1f} GB, peak {plan.peak() / 1e9:6.1f} GB, fits on 80 GB: {plan.fits(80)}")
kit.plots.memory_bars(ppo_plans, gpu=80, title="PPO: four models apart, or one base of each kind")
# %% [markdown] lang="en"
# Apart, policy and critic are trained whole and need a small cluster. On one base PPO takes hardly more than fine-tuning. The
# same table for any model: `rlhf-kit memory --params 7e9 --quantize int8 --lora 16 --batch 4 --seq 512`.
#
# ## Recap
#
# | piece | what it gives |
# |---|---|
# | B = 0 | training starts from exactly the base |
# | adapter off | a reference for free |
# | merge | no extra cost when answering; into 16 or 32 bits only |
# | int8, a scale for each row | a quarter of 32 bits, errors of half a step |
# | one shared base | four models in the memory of one |
# | ratio 1 and KL 0 at first | a test of the whole machine |
#
# **Break it.** (1) Start with B random: what is the KL at the first step? (2) Quantise with one scale for the whole matrix and
# put one weight to 100. (3) `merge_loss` with the scales 0.003 and 0.01. (4) `memory.nearest(65e9)`: which way fits on 80 GB?
#
# **Next:** [part 3](03c_ppo_and_cheating.ipynb) puts it together: a reward model, PPO, and how it cheats.
#
# **References.** LoRA: Hu et al. 2021, arXiv:2106.09685. LLM.int8: Dettmers et al. 2022, arXiv:2208.07339. nf4: Dettmers et al.
# 2023, arXiv:2305.14314. Bytes of training: Rajbhandari et al. 2020, arXiv:1910.02054. StackLLaMA: Beeching et al. 2023.
# %% [markdown] lang="zh" of="3524"
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
# | int8，每行一个尺度 | 32 位的四分之一，误差半级 |
# | 共用一个底座 | 一份内存装下四个模型 |
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
# **Play with it.** The merged model and others, side by side, on prompts of yours:
# %% [markdown] lang="zh" of="dc02"
# **玩一玩。** 合并后的模型和别的模型并排对比，提示词由你来写：
# %%
kit.panel("compare", LANG, models=[run / "sft"])
