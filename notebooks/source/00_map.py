# %% [markdown] lang="en"
# # The map: from a language model to one that does what people like
#
# In half an hour you take a small language model through the three steps of RLHF. After each step you measure how good it
# *really* is, and what the step cost. At the end you have drawn this picture: a bar for each step, and a bill.
#
# Level 0 · about 30 minutes · CPU only · no account · works offline after install · you should know what a Python
# function and a mean are.
# %% [markdown] lang="zh" of="1ce9"
# # 全景图：从语言模型到讨人喜欢的模型
#
# 用半个小时，带着一个小小的语言模型走完 RLHF 的三步。每走一步，都量一量它*真正*变好了多少，这一步又花了多少。最后你会画出这样一张图：
# 一步一根柱子；还有一张账单。
#
# 第 0 级 · 约 30 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 只需要知道什么是 Python 函数、什么是平均数。
# %% [markdown] lang="en"
# **You will be able to**
#
# - say what each of the three steps learns from, and who makes that data;
# - read the two numbers that every RLHF run is judged by, score and KL;
# - tell a model that got better from a model that learned to please.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="6d8b"
# **学完之后你能够**
#
# - 说出三步各从什么数据中学习，这些数据由谁来做；
# - 看懂评价每一次 RLHF 训练的两个数：得分和 KL；
# - 分清模型是真的变好了，还是只学会了讨好。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# ## A world in which the truth is known
#
# Nobody can look up the true quality of a real text. So this lesson uses made-up product reviews: a grammar wrote them, and a
# program can read them back. Its verdict, between 0 and 1, is called **gold**. The model never sees it; only you do. Here are
# three reviews from the training texts, and what the program says about one response.
# %% [markdown] lang="zh" of="0f98"
# ## 一个知道真相的世界
#
# 真实文本的质量到底如何，没有地方可查。所以这一课用的是造出来的商品评论：由一套语法写成，程序也就能按这套语法读懂它。程序的判断在 0 到 1 之间，
# 叫做**真值 (gold)**。模型从来看不到它，只有你看得到。下面是训练文本里的三条评论，还有程序对一条回答的判断。
# %%
reviews = kit.Reviews(LANG)
for text in reviews.corpus(3):
    print(text, "\n")

prompt, response = reviews.rankings(1)[0].prompt, reviews.rankings(1)[0].responses[0]
print(reviews.explain(prompt, response))
# %% [markdown] lang="en"
# Read the last block from the top. Gold is a product of five factors; below them stands what the program understood of each
# clause. A response that repeats the same praise, or praises another product, loses on one of the factors.
#
# ## The starting point
#
# A language model continues text. This one has read 6,000 reviews, good and bad ones alike. (If it is not on your machine
# yet, it is trained now: up to a minute of one CPU core.)
# %% [markdown] lang="zh" of="3e94"
# 最后那一段从上往下读。真值是五个因子的乘积，下面是程序对每个分句的理解。一条回答若翻来覆去说同一句好话，或者夸了别的商品，
# 就会在其中某一项上丢分。
#
# ## 出发点
#
# 语言模型做的事是把文字接着写下去。这一个读过 6000 条评论，好评差评都有。（如果你的机器上还没有它，现在会训练一次：一个 CPU 核，最多一分钟。）
# %%
plain = kit.load_policy(f"tiny-lm-{LANG}")
openings = reviews.prompts("heldout", 128)              # about products that no training text mentions
gold = kit.rewards.gold(reviews)
for opening, answer in zip(openings[:3], kit.generate(plain, openings[:3], seed=3)):
    print(opening + answer, "\n")
# %%
quality = {}


def examine(name, policy, start=None, whose=""):
    """Answer all openings, remember the mean gold, and say how far the policy is from the model it started from."""
    seen = kit.evaluate.evaluate(policy, start or policy, openings, {"gold": gold}, seed=1)
    quality[name] = seen.scores["gold"]
    kit.tell("measured", name=kit.words(name), gold=seen.scores["gold"])
    if start:
        kit.tell("drifted", kl=seen.kl, start=kit.words(whose))
    return seen


before = examine("plain", plain)
# %% [markdown] lang="en"
# The interval behind the mean says how far off a sample of 128 responses may be.
#
# ## Guess first
#
# We want *good* reviews: praise, about the right product, without contradiction or repetition. Three steps lie ahead.
#
# 1. **SFT**: the model imitates a few hundred good reviews.
# 2. A **reward model** learns what good means.
# 3. **PPO**: the model tries for itself and is told how well it did.
#
# You have just seen where the plain model stands. What will gold be after SFT? After PPO? Enter two numbers between 0 and 1.
# %% [markdown] lang="zh" of="4319"
# 平均数后面的区间，说的是只看 128 条回答时可能差多少。
#
# ## 先猜一猜
#
# 我们想要*好的*评论：说的是好话，说的是那件商品，不自相矛盾，也不翻来覆去。接下来有三步：
#
# 1. **监督微调 (SFT)**：模仿几百条好评论；
# 2. **奖励模型 (reward model)**：学会什么叫好；
# 3. **PPO**：模型自己去试，再由奖励模型告诉它写得怎么样。
#
# 普通模型在什么位置，你刚刚看到了。SFT 之后真值会是多少？PPO 之后呢？填两个 0 到 1 之间的数。
# %% guess="1"
my_guess = {"SFT": None, "PPO": None}                   # for instance 0.5
# %% [markdown] lang="en"
# ## Who labels what
#
# | step | what people do | the data | learned by |
# |---|---|---|---|
# | SFT | write a good response | prompt, response | imitation |
# | reward model | put several responses in order | prompt, ranking | the ranking loss |
# | PPO | nothing more | prompts only | trial and reward |
#
# What "good" means is decided here, by the people who write and rank, and by the guide they are given. Anthropic sums it
# up as three H: **helpful** (does what was asked), **honest** (does not mislead), **harmless** (hurts nobody). They can
# pull apart: the most harmless response, "I cannot say", helps nobody. InstructGPT's labelers put helpfulness first while
# they labeled, and truth and harmlessness first in the final evaluation.
# %% [markdown] lang="zh" of="2ea0"
# ## 谁来标注什么
#
# | 步骤 | 人做什么 | 数据 | 怎么学 |
# |---|---|---|---|
# | SFT | 写一个好回答 | 提示、回答 | 模仿 |
# | 奖励模型 | 把几个回答排个先后 | 提示、排序 | 排序损失 |
# | PPO | 不用再做什么 | 只有提示 | 尝试与奖励 |
#
# “好”是什么意思，就在这里定下：由写的人、排的人，以及发给他们的标注指南决定。Anthropic 把它概括成三个 H：**有用 (helpful)**，做了要它做的事；
# **诚实 (honest)**，不误导人；**无害 (harmless)**，不伤害谁。三者会打架：最无害的回答“我不便说”，对谁都没用。
# InstructGPT 的标注者在标注时把有用放在第一位，最后评估时则把真实和无害放在前面。
# %% [markdown] lang="en"
# ## Step 1: imitate
#
# Demonstrations first: responses *written* by people who were asked for a good review. (Here the grammar writes in their
# place.) The model then learns to write these responses, which means making their tokens likely:
#
# $$L = -\frac{1}{N}\sum_{\text{response tokens}} \log \pi(y_t \mid x, y_{<t})$$
#
# N counts the response tokens of the whole batch. The prompt is given, not learned, so its tokens do not count.
# %% [markdown] lang="zh" of="8857"
# ## 第一步：模仿
#
# 先要有示范：请人*写*好评论，写出来的就是示范。（这里由语法代劳。）然后让模型学着写出这些回答，也就是让其中的词元变得更可能：
#
# $$L = -\frac{1}{N}\sum_{\text{回答的词元}} \log \pi(y_t \mid x, y_{<t})$$
#
# N 是整个批次里回答词元的个数。提示是给定的，不需要学，所以它的词元不算。
# %% [markdown] lang="en"
# ### ✏️ Exercise 0.1 - The imitation loss
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `logprob`, the log-probability of each token, `[B, T]`; `response`, True on the tokens that count, `[B, T]`. Out: one
# number. What stands outside the response may be anything, NaN and `-inf` too. For `logprob = [[-0.5, -1.5], [-1, -3]]`, all
# four tokens counting, the loss is 6 / 4 = 1.5.
# %% [markdown] lang="zh" of="4741"
# ### ✏️ 练习 0.1 - 模仿损失
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`logprob`，每个词元的对数概率，`[B, T]`；`response`，要算的词元处为 True，`[B, T]`。输出：一个数。
# 回答之外可能是任何数，NaN 和 `-inf` 也可能。
# 例如 `logprob = [[-0.5, -1.5], [-1, -3]]`，四个词元都算，损失就是 6 / 4 = 1.5。
# %% exercise="0.1"
# EXERCISE 0.1
def imitation_loss(logprob, response):
    """Mean negative log-probability of the response tokens, each token weighing the same."""
    # solution:
    return -logprob[response].mean()
    # end
# %% [markdown] lang="en" hints="0.1"
# <details><summary>Hint 1: the idea</summary>
#
# Which tokens take part? How many are they? A mean of the rows' means is something else when rows differ in length.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# A tensor can be indexed by a mask of its own shape: `logprob[response]` holds just the marked numbers.
#
# </details>
# %% [markdown] lang="zh" of="04f4" hints="0.1"
# <details><summary>线索 1：思路</summary>
#
# 哪些词元要算？一共有几个？各行长短不一时，“各行平均数的平均数”就不是要的那个数了。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 张量可以用同样形状的掩码来取值：`logprob[response]` 里恰好只有被标出的数。
#
# </details>
# %% check="0.1"
imitation_loss = kit.check("0.1", imitation_loss)
# %% [markdown] lang="en"
# Your function at work. Take four responses to each of 200 openings, none of which the model has read. Which surprises the
# plain model more, the best of the four or the worst? Enter `"best"`, `"worst"`, or `"same"` if the difference is less than
# 0.1 nats per token.
# %% [markdown] lang="zh" of="c776"
# 让你的函数动起来。取 200 个开头，每个开头有四条回答，模型都没读过。面对四条里最好的，普通模型有多意外？面对最差的呢？
# 哪个更让它意外，就填 `"best"` 或 `"worst"`；相差不到 0.1 奈特/词元，填 `"same"`。
# %% guess="2"
more_surprising = None                                  # "best", "worst" or "same"
# %%
rankings = reviews.rankings(200, k=4, seed=5)
surprise = {}
for name, place in (("worst", -1), ("best", 0)):
    pairs = [(ranking.prompt, ranking.responses[place]) for ranking in rankings]
    read = kit.sampling.given_rollout(plain, *zip(*pairs))
    surprise[name] = imitation_loss(read.logprob, read.mask).item()
gap = surprise["best"] - surprise["worst"]
kit.guessed(more_surprising, "same" if abs(gap) < 0.1 else "best" if gap > 0 else "worst")
kit.tell("surprise", best=surprise["best"], worst=surprise["worst"])
kit.plots.bars(surprise, unit="nats per token", title="How surprised the plain model is")
# %% [markdown] lang="en"
# A language model knows what is *common*. About what is good it has no opinion.
#
# Now imitate: 600 demonstrations, 120 updates of 16 each. (About 5 s of one CPU core; the line below follows it.)
# %% [markdown] lang="zh" of="43ef"
# 语言模型知道什么*常见*。至于什么算好，它说不上来。
#
# 现在开始模仿：600 条示范，更新 120 次，每次 16 条。（一个 CPU 核约 5 秒，下面有一行进度。）
# %%
import copy
import time

demonstrations, cost = reviews.demonstrations(600, seed=5), {}
began = time.process_time()                             # seconds of CPU, whatever else the machine does
imitator = kit.Policy(copy.deepcopy(plain.lm), plain.tokenizer)
config = kit.sft.Config(steps=120, batch_size=16, learning_rate=1e-3)
history = list(kit.progress(kit.sft.steps(imitator, demonstrations, config), config.steps))
cost["SFT"] = time.process_time() - began
kit.tell("imitated", first=history[0].metrics["loss"], last=history[-1].metrics["loss"])
after_sft = examine("SFT", imitator, plain.reference(), "plain")
kit.guessed({"SFT": my_guess["SFT"]}, {"SFT": quality["SFT"].mean})
# %% [markdown] lang="en"
# **KL** says in nats how far a model has moved: how much higher the log-probability of the model's own responses is, on
# average, under it than under the model it started from. Here that is the plain model.
#
# Imitation has a limit. The model copies what good reviews look like, token by token, and nobody tells it which of its *own*
# reviews were any good.
#
# ## Step 2: learn what good means
#
# Writing a good response is work. Saying which of four is better is much less work. So people rank. One ranking of K
# responses holds many comparisons:
# %% [markdown] lang="zh" of="0355"
# **KL** 以奈特为单位，量的是模型走了多远：对自己写出的回答，它给出的对数概率比出发时的模型平均高出多少。这里的出发点是普通模型。
#
# 模仿有它的上限。模型一个词元一个词元地照搬好评论的样子，却没有人告诉它，它*自己*写的哪些好、哪些不好。
#
# ## 第二步：学会什么叫好
#
# 自己写一个好回答很费力；说出四个回答里哪个更好，就省力得多。所以让人来排序。K 个回答的一次排序，里面藏着许多次成对比较：
# %% shown="yes"
ranking = reviews.rankings(1, k=4, noise=0.2, seed=11)[0]
print(ranking.prompt)
for rank, response in zip(ranking.ranks, ranking.responses):
    print(f"  {rank}. {response.strip()}")
# %% [markdown] lang="en"
# ### ✏️ Exercise 0.2 - Comparisons in a ranking
#
# `Difficulty ●○○○ · Importance ●●○○ · 5 min · 1 point`
#
# In: `ranks`, a list of whole numbers, the rank of each answer, 1 for the best; equal ranks are a tie. Out: how many pairs
# of answers have a winner. For `[1, 2, 3]` it is 3.
# %% [markdown] lang="zh" of="cec4"
# ### ✏️ 练习 0.2 - 一次排序里有几次成对比较
#
# `难度 ●○○○ · 重要 ●●○○ · 5 分钟 · 1 分`
#
# 输入：`ranks`，一列整数，每个回答的名次，1 最好；名次相同就是平局。输出：有多少对回答分出了高下。`[1, 2, 3]` 的答案是 3。
# %% exercise="0.2"
# EXERCISE 0.2
def count_comparisons(ranks):
    """How many pairs of a ranking have a winner."""
    # solution:
    return sum(a != b for i, a in enumerate(ranks) for b in ranks[i + 1:])
    # end
# %% [markdown] lang="en" hints="0.2"
# <details><summary>Hint 1: the idea</summary>
#
# Take every pair once. It has a winner unless both ranks are the same.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `itertools.combinations(ranks, 2)` gives every pair once.
#
# </details>
# %% [markdown] lang="zh" of="020c" hints="0.2"
# <details><summary>线索 1：思路</summary>
#
# 每一对只看一次。只要两个名次不同，就分出了高下。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `itertools.combinations(ranks, 2)` 恰好给出每一对一次。
#
# </details>
# %% check="0.2"
count_comparisons = kit.check("0.2", count_comparisons)
# %%
ks = list(range(2, 10))
kit.plots.lines(ks, {"comparisons": [count_comparisons(list(range(k))) for k in ks], "responses to read": ks},
                across="responses in a ranking, K", unit="how many", title="Why InstructGPT ranked 4 to 9 responses")
# %% [markdown] lang="en"
# A **reward model** learns from such comparisons to give every response one number. How, [lesson 02](02_rank_loss_reward_model.ipynb) shows. Here is one that
# has learned from 3,000 rankings, made by labelers who sometimes err. (It, too, is trained on first use.) Its score is the
# probability that a response is preferred to an average demonstration. Does it agree with the truth, on the 256 responses of
# the plain model and of SFT?
# %% [markdown] lang="zh" of="4709"
# 奖励模型就从这样的成对比较里学习，给每个回答打一个分。怎么学，第 02 课会讲；这里先用一个学好了的：它学过 3000 次排序，标注者有时会排错。
#（它同样是第一次用到时才训练。）它的得分，是一个回答比平均的示范更受欢迎的概率。
# 看普通模型和 SFT 的 256 条回答：它和真值一致吗？
# %%
model = kit.load_reward_model(f"tiny-rm-{LANG}")
reward_model = kit.rewards.learned(model, output="probability")
rows = []
for seen in (before, after_sft):
    rows += zip(reward_model(openings, seen.responses).tolist(), seen.each["gold"], seen.responses)
rows.sort()                                                                     # lowest score first
low, high = (kit.evaluate.mean([truth for _, truth, _ in half]) for half in (rows[:128], rows[128:]))
error = (low.standard_error**2 + high.standard_error**2)**0.5                   # of the difference
kit.tell("agrees" if high.mean - low.mean > 2 * error else "agrees_not", low=low.mean, high=high.mean)
most, truth, response = max(rows, key=lambda row: row[0] - row[1])              # where it is furthest above the truth
kit.tell("misled", score=most, gold=truth, response=response.strip())
kit.plots.bars({"lower half": low, "upper half": high}, unit="gold (the truth)", title="Is what the reward model likes any better?")
# %% [markdown] lang="en"
# Keep that last response in mind for step 3, in which a policy looks for whatever the reward model likes.
#
# What did the reward model cost? Twenty of its 800 updates tell. (About 2 s of one CPU core.)
# %% [markdown] lang="zh" of="06b9"
# 最后那条回答要记着：到第三步，策略会去找奖励模型喜欢的一切东西。
#
# 奖励模型花了多少？它更新了 800 次，重做 20 次就能算出来。（一个 CPU 核约 2 秒。）
# %%
from dataclasses import replace

recipe, some = kit.zoo.TinyRewardModel(), reviews.rankings(200, k=4, noise=0.1, seed=7)
began = time.process_time()
kit.reward_model.train(copy.deepcopy(model), some, replace(recipe.reward_model, steps=20))
cost["reward model"] = (time.process_time() - began) * recipe.reward_model.steps / 20
kit.tell("rm_cost", seconds=cost["reward model"], updates=recipe.reward_model.steps)
# %% [markdown] lang="en"
# ## Step 3: try, be scored, change
#
# The policy writes, the reward model scores, and what scored well becomes more likely. Left alone, the policy would soon
# write whatever fools the reward model. So it pays a **KL penalty** for drifting from the SFT model: β for each nat. What is
# maximised is
#
# $$J = \text{mean over responses of}\ \big[\,\text{score} - \beta\,(\log \pi(y) - \log \pi_{\text{ref}}(y))\,\big]$$
# %% [markdown] lang="zh" of="9700"
# ## 第三步：尝试、打分、改变
#
# 策略来写，奖励模型打分，得分高的就变得更可能。放任不管的话，策略很快就会写出专门糊弄奖励模型的东西。所以偏离 SFT 模型要付出
# **KL 惩罚 (KL penalty)**：每奈特扣 β 分。真正要最大化的是：
#
# $$J = \text{对回答取平均}\ \big[\,\text{得分} - \beta\,(\log \pi(y) - \log \pi_{\text{ref}}(y))\,\big]$$
# %% [markdown] lang="en"
# ### ✏️ Exercise 0.3 - What PPO maximises
#
# `Difficulty ●●○○ · Importance ●●●● · 5-10 min · 1 point`
#
# In: `score`, `logprob` and `ref_logprob`, one number a response, `[B]` (log-probabilities of the whole response); `beta`.
# Out: J, one number. For a score of 2, log-probabilities -3.5 and -3.7 and β = 0.1 it is 2 - 0.1 · 0.2 = 1.98.
# %% [markdown] lang="zh" of="510f"
# ### ✏️ 练习 0.3 - PPO 要最大化什么
#
# `难度 ●●○○ · 重要 ●●●● · 5-10 分钟 · 1 分`
#
# 输入：`score`、`logprob` 和 `ref_logprob`，每条回答各一个数，`[B]`（整条回答的对数概率）；`beta`。输出：J，一个数。
# 例如得分 2，对数概率 -3.5 和 -3.7，β = 0.1，结果是 2 - 0.1 · 0.2 = 1.98。
# %% exercise="0.3"
# EXERCISE 0.3
def objective(score, logprob, ref_logprob, beta):
    """Mean of score - beta * (log pi - log pi_ref) over B responses."""
    # solution:
    return (score - beta * (logprob - ref_logprob)).mean()
    # end
# %% [markdown] lang="en" hints="0.3"
# <details><summary>Hint 1: the idea</summary>
#
# The difference of the log-probabilities is this one response's estimate of the KL. It may well be negative.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# Plain tensor arithmetic, then `.mean()`. No `abs`, no `clamp`.
#
# </details>
# %% [markdown] lang="zh" of="2e4b" hints="0.3"
# <details><summary>线索 1：思路</summary>
#
# 对数概率之差，是这条回答给出的 KL 估计。单独一条回答，它完全可能是负数。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 张量的加减乘，然后 `.mean()`。不要 `abs`，也不要 `clamp`。
#
# </details>
# %% check="0.3"
objective = kit.check("0.3", objective)
# %% [markdown] lang="en"
# PPO climbs this objective: 20 steps of 64 responses. (About 15 s of one CPU core.) Watch two curves: the score, which it
# maximises, and gold, which it never sees.
# %% [markdown] lang="zh" of="5c9a"
# PPO 就沿着这个目标往上爬：走 20 步，每步 64 条回答。（一个 CPU 核约 15 秒。）看两条线：得分，是它追求的；真值，是它看不到的。
# %%
start, config = imitator.reference(), replace(kit.zoo.TINY_PPO, steps=20)


def run_ppo(config):
    """PPO from the SFT model; the trained policy and what each step measured."""
    policy = kit.Policy(copy.deepcopy(imitator.lm), imitator.tokenizer)
    steps = kit.ppo.steps(policy, start, reviews.prompts("train"), reward_model, config, evaluation_rewards={"gold": gold})
    return policy, list(kit.progress(steps, config.steps))


began = time.process_time()
policy, history = run_ppo(config)
cost["PPO"] = time.process_time() - began
kit.plots.lines(range(1, 21), {"reward model": [step.metrics["score"] for step in history],
                               "gold": [step.metrics["gold"] for step in history]},
                across="PPO step", unit="mean of 64 responses")
# %% [markdown] lang="en"
# Now on the 128 openings that no step has trained on. The KL is measured from the SFT model this time: that is where PPO
# started, and what the penalty holds on to.
# %% [markdown] lang="zh" of="e2f5"
# 再看那 128 个从没训练过的开头。这一次 KL 从 SFT 模型量起：PPO 从那里出发，惩罚要拉住的也是它。
# %%
after_ppo = examine("PPO", policy, start, "SFT model")
kit.guessed({"PPO": my_guess["PPO"]}, {"PPO": quality["PPO"].mean})
won = kit.evaluate.win_rate(after_ppo.each["gold"], after_sft.each["gold"])
kit.tell("rose" if won.low > 0.5 else "fell" if won.high < 0.5 else "same", sft=quality["SFT"].mean,
         ppo=quality["PPO"].mean, won=won.mean)
kit.plots.bars(quality, unit="gold (the truth)", title="After each step")
# %% [markdown] lang="en"
# And what did each step cost: people's work, and the machine's?
# %% [markdown] lang="zh" of="6f45"
# 每一步花了多少？人的工夫和机器的工夫，都算一算。
# %%
steps = {"SFT": 600, "reward model": recipe.rankings, "PPO": 0}
kit.table({kit.words("step"): [kit.words(name) for name in steps], kit.words("written"): [600, 0, 0],
           kit.words("ranked"): [0, recipe.rankings, 0], kit.words("seconds"): [round(cost[name]) for name in steps]})
# %% [markdown] lang="en"
# PPO needs no labels of its own. It lives on the reward model's.
#
# And there is the drift. Put your `objective` to work on what the policy writes now, for several β. At β = 0 it
# is the mean score. The steeper the line falls, the further the policy has drifted: its slope is the KL.
# %% [markdown] lang="zh" of="1e48"
# PPO 自己不需要标注，它靠的是奖励模型学过的那些标注。
#
# 还有偏离。用你的 `objective` 算一算，策略现在写的东西在不同 β 下值多少。β = 0 时就是平均得分。
# 线往下走得越陡，说明策略离出发点越远：斜率的大小就是 KL。
# %%
now = kit.sample_rollout(policy, openings, seed=4)
logprob, ref_logprob = now.logprob.sum(-1), kit.sampling.response_logprob(start, now).sum(-1)          # (B,)
betas, scores = [0.0, 0.02, 0.04, 0.08, 0.16], reward_model(now.prompts, now.responses)
worth = [objective(scores, logprob, ref_logprob, b).item() for b in betas]
kit.tell("slope", kl=(worth[0] - worth[-1]) / betas[-1])
kit.plots.lines(betas, {"objective": worth}, across="β, reward per nat", unit="objective",
                title="What the same policy is worth")
# %% [markdown] lang="en"
# ## Read, do not only count
#
# A mean hides what happens to single texts. Here are three openings: the one where PPO gained most over SFT, one in the
# middle, and the one where it lost most. Which sentences would you not believe?
# %% [markdown] lang="zh" of="4662"
# ## 不能只数数，要读
#
# 平均数看不出单条文本的变化。下面是三个开头：PPO 比 SFT 进步最大的、居中的、退步最大的。哪些句子你不会信？
# %%
gain = [b - a for a, b in zip(after_sft.each["gold"], after_ppo.each["gold"])]
order = sorted(range(len(gain)), key=lambda i: -gain[i])
for i in (order[0], order[len(order) // 2], order[-1]):
    print(openings[i])
    for name, seen in (("plain", before), ("SFT", after_sft), ("PPO", after_ppo)):
        print(f"  {kit.words(name)} {seen.each['gold'][i]:.2f} | {seen.responses[i].strip()}")
# %% [markdown] lang="en"
# ## Break it
#
# Take the KL penalty away and change nothing else: β = 0, the same 20 steps. Compared with the PPO run above, does the KL
# end higher or lower? The reward model's score? Gold? Enter `"higher"`, `"lower"` or `"same"`. "Same" means within 1 nat
# for the KL, within 0.03 for the others. (About 15 s of one CPU core.)
# %% [markdown] lang="zh" of="cd9e"
# ## 弄坏它
#
# 拿掉 KL 惩罚，其他都不动：β = 0，同样走 20 步。和上面那次 PPO 相比，最后的 KL 更高还是更低？奖励模型的得分呢？真值呢？
# 填 `"higher"`、`"lower"` 或 `"same"`。KL 相差不到 1 奈特、另外两个相差不到 0.03，就算 `"same"`。（一个 CPU 核约 15 秒。）
# %% guess="3"
without_penalty = {"KL": None, "score": None, "gold": None}
# %%
greedy, broken = run_ppo(replace(config, kl=kit.KL(coefficient=0.0)))
found, last = {}, lambda steps, name: sum(step.metrics[name] for step in steps[-5:]) / 5       # mean of five steps
for name, key, little in (("KL", "kl", 1.0), ("score", "score", 0.03), ("gold", "gold", 0.03)):
    a, b = last(history, key), last(broken, key)
    found[name] = "same" if abs(b - a) < little else "higher" if b > a else "lower"
    kit.tell("without", name=kit.words(name), a=a, b=b)
kit.guessed(without_penalty, found)
kit.tell("hacked" if found["gold"] == "lower" and found["score"] != "lower" else
         "free" if found["KL"] == "higher" else "unbroken")
print(*broken[-1].samples[:2], sep="\n")
kit.plots.lines(range(1, 21), {"with the penalty": [step.metrics["kl"] for step in history],
                               "without": [step.metrics["kl"] for step in broken]},
                across="PPO step", unit="KL from the SFT model, nats")
# %% [markdown] lang="en"
# **The lesson in it.** Without a penalty nothing holds the policy to the way people write. The further it drifts, the more of
# its score comes from texts of a kind that nobody ever ranked for the reward model, and there its word is worth little. Read
# the two texts above: would you give them that score?
#
# ## What you saw
#
# | step | learns from | its limit |
# |---|---|---|
# | plain | all texts | writes what texts say, good or bad |
# | SFT | demonstrations | copies, and is never told how well |
# | PPO | its own tries and a reward model | is only as good as the reward model |
#
# The order is that of InstructGPT (arXiv:2203.02155); the three H are Anthropic's (arXiv:2112.00861, arXiv:2204.05862).
#
# ## The way from here
#
# Take 01 and 02 first. Then follow your interest: each lesson says what it builds on.
#
# | lesson | what it opens |
# |---|---|
# | [01](01_sentiment_ppo.ipynb) | PPO: what each token earns, which one deserves the credit, and why PPO clips |
# | [02](02_rank_loss_reward_model.ipynb) | the reward model: learned from rankings, its ceiling, and how to fool it |
# | [03a](03a_votes_and_packing.ipynb), [03b](03b_lora_in_8_bits.ipynb), [03c](03c_ppo_and_cheating.ipynb) | all of it for a large model: forum votes, LoRA in 8 bits, and how the policy cheats |
# | [04a](04a_best_of_n.ipynb), [04b](04b_rest.ipynb) | without PPO: best-of-n and ReST |
# | [05a](05a_instructgpt.ipynb), [05b](05b_anthropic.ipynb), [05c](05c_sparrow.ipynb) | three systems whole: InstructGPT, Anthropic's assistant, Sparrow |
# | [06](06_when_rlhf_goes_wrong.ipynb) | what goes wrong, and how you see it |
# | [07](07_after_ppo.ipynb) | what came after PPO: DPO, KTO, RLOO, GRPO |
# %% [markdown] lang="zh" of="5864"
# **道理在这里。** 没有惩罚，就没有什么能把策略拉在人话的范围里。它走得越远，得分就越多地来自一类文本：从没有人替奖励模型排过这样的文本，
# 在那里它的话靠不住。读读上面那两段：换作你，会给这样的得分吗？
#
# ## 你看到了什么
#
# | 步骤 | 从什么学 | 它的局限 |
# |---|---|---|
# | 普通模型 | 所有文本 | 文本怎么说就怎么写，好坏都有 |
# | SFT | 示范 | 照搬，没人告诉它写得怎样 |
# | PPO | 自己的尝试和奖励模型 | 奖励模型有多可靠，它才有多可靠 |
#
# 这个顺序来自 InstructGPT (arXiv:2203.02155)；三个 H 来自 Anthropic (arXiv:2112.00861、arXiv:2204.05862)。
#
# ## 接下来怎么走
#
# 先上 01 和 02，之后看兴趣：每一课开头都写着要先会什么。
#
# | 课 | 讲什么 |
# |---|---|
# | [01](01_sentiment_ppo.ipynb) | PPO：每个词元挣到多少，功劳归哪个词元，为什么要截断 |
# | [02](02_rank_loss_reward_model.ipynb) | 奖励模型：怎样从排序里学，上限在哪里，怎样糊弄它 |
# | [03a](03a_votes_and_packing.ipynb)、[03b](03b_lora_in_8_bits.ipynb)、[03c](03c_ppo_and_cheating.ipynb) | 把这一套用到大模型上：论坛投票、8 位 LoRA，以及策略怎样作弊 |
# | [04a](04a_best_of_n.ipynb)、[04b](04b_rest.ipynb) | 不用 PPO：best-of-n 和 ReST |
# | [05a](05a_instructgpt.ipynb)、[05b](05b_anthropic.ipynb)、[05c](05c_sparrow.ipynb) | 三个完整的系统：InstructGPT、Anthropic 的助手、Sparrow |
# | [06](06_when_rlhf_goes_wrong.ipynb) | 会出什么毛病，怎么看出来 |
# | [07](07_after_ppo.ipynb) | PPO 之后：DPO、KTO、RLOO、GRPO |
# %% [markdown] lang="en"
# **Play with it.** The three models of this lesson side by side, on openings of yours, with every token's share of the reward
# and of the drift:
# %% [markdown] lang="zh" of="aa3b"
# **玩一玩。** 本课的三个模型并排放在一起，开头由你来写，还能看到每个词元占了多少奖励、多少偏离：
# %%
kit.panel("compare", LANG, models={"plain": plain, "SFT": imitator, "PPO": policy})
