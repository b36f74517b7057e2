"""A class as it might be: honest answers, honest mistakes, and attacks on the grader, each with the row it must get.

Each pupil's code replaces one honest answer, `adapt`, unless it says otherwise; the six others stay honest, so that
the row also shows whether a neighbour was harmed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

NUMBERS = {"response_mask": "1.1", "token_reward": "1.2", "gae": "1.3", "whiten": "1.4", "clipped_policy": "1.5",
           "adapt": "1.6", "clipped_value": "1.7"}
POINTS = {"1.1": 1, "1.2": 2, "1.3": 3, "1.4": 2, "1.5": 3, "1.6": 1, "1.7": 2}
IMPORTS = "import math\nimport torch\nfrom torch import Tensor"
HONEST = {
    "response_mask": """def response_mask(ids, eos):
    here = (ids == eos).long()
    return here.cumsum(-1) - here == 0""",
    "token_reward": """def token_reward(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(mask)), mask.sum(-1) - 1] += score
    return reward""",
    "gae": """def gae(reward, value, mask, gamma, lam):
    reward, value = reward.where(mask, torch.tensor(0.0)), value.where(mask, torch.tensor(0.0))
    out, later = torch.zeros_like(reward), torch.zeros(len(reward))
    for t in reversed(range(reward.shape[1])):
        after = value[:, t + 1] if t + 1 < reward.shape[1] else torch.zeros(len(reward))
        later = reward[:, t] + gamma * after - value[:, t] + gamma * lam * later
        out[:, t] = later
    return torch.where(mask, out, 0.0)""",
    "whiten": """def whiten(advantage, mask):
    kept = advantage[mask]
    return torch.where(mask, (advantage - kept.mean()) / kept.std(), 0.0)""",
    "clipped_policy": """def clipped_policy(logprob, old_logprob, advantage, mask, clip):
    ratio, a = (logprob[mask] - old_logprob[mask]).exp(), advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()""",
    "adapt": """def adapt(beta, kl, target, n, horizon):
    return beta * (1 + max(-0.2, min(0.2, kl / target - 1)) * n / horizon)""",
    "clipped_value": """def clipped_value(value, old_value, target, mask, clip):
    value, old_value, target = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(value, old_value - clip, old_value + clip)
    return torch.maximum((value - target) ** 2, (near - target) ** 2).mean() / 2""",
}
STUB = 'def adapt(beta, kl, target, n, horizon):\n    """The new price."""\n    # YOUR CODE HERE\n' \
       "    raise NotImplementedError"
TRUE_ADAPT = "beta * (1 + max(-0.2, min(0.2, kl / target - 1)) * n / horizon)"


@dataclass(frozen=True)
class Pupil:
    """A submission and the row expected for it."""

    cells: list[str]
    odd: dict[str, str] = field(default_factory=dict)      # status of the exercises that are not "right"
    status: str = "ok"
    remark: str = ""                                       # must be in a remark, or in the note
    walls: bool = False                                    # promised only where there are walls
    file: str = ""
    text: str = ""                                         # of the file, where it is not a plain notebook


def notebook(cells: list[str], **more: object) -> str:
    """A notebook with a text and a magic in it."""
    made = [{"cell_type": "markdown", "id": "t", "metadata": {}, "source": "# A lesson"}]
    made += [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [], "execution_count": None,
              "source": cell.splitlines(keepends=True)} for i, cell in enumerate(cells)]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more)


def lesson(**answers: str) -> list[str]:
    """The cells of a whole notebook, as it is after work: setup, answers, checks, training."""
    setup = "try:\n    import rlhf_kit as kit\nexcept ImportError:\n    %pip install -q rlhf-kit\n" \
            "LANG = kit.setup(lesson='01')"
    cells = [setup, IMPORTS]
    for name, code in (HONEST | answers).items():
        cells += [code, f"{name} = kit.check('{NUMBERS[name]}', {name})"]
    return [*cells, "%matplotlib inline\nfor step in range(10**12):\n    pass", "raise SystemExit('training')"]


def adapt(body: str, before: str = "") -> list[str]:
    """An honest notebook but for `adapt`."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return lesson(adapt=f"{before}\ndef adapt(beta, kl, target, n, horizon):\n{lines}")


def everything(body: str, before: str = "") -> list[str]:
    """A notebook that does the same in every exercise."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return [*lesson(**dict.fromkeys(NUMBERS, "")), before, *(f"def {name}(*a):\n{lines}" for name in NUMBERS)]


def hostile() -> dict[str, list[str]]:
    """Five who would slow the class down: each uses up whatever a submission may use, every one something else."""
    return {
        "busy": everything("while True: pass"),
        "asleep": everything("import time\ntime.sleep(10**6)"),
        "importing": everything("return 1", "import sys\nclass Finder:\n    @staticmethod\n    def find_spec(*a):\n"
                                            "        while True: pass\nclass A:\n    sys.meta_path.insert(0, Finder)\n"
                                            "import anything"),
        "dripping": everything("import os, time\nos.write(3, b'a' + (10**6).to_bytes(4, 'little'))\nwhile True:\n"
                               "    os.write(3, b'x')\n    time.sleep(0.05)",
                               "class A:\n    import os, time\n    for _ in range(400):\n        os.write(3, b'i' + "
                               "(4).to_bytes(4, 'little') + bytes(4))\n        time.sleep(0.05)"),
        "eating": everything("x = bytearray(9 * 10**8)\nwhile True:\n    for i in range(0, len(x), 4096): x[i] = 1"),
    }


def _refused(*calls: str) -> str:
    """Code that makes these calls of the C library and says whether the system refused all of them."""
    return "import ctypes, platform\nlibc = ctypes.CDLL(None, use_errno=True)\n" \
           "add, ctl = (248, 250) if platform.machine() == 'x86_64' else (217, 219)\n" \
           f"got = [{', '.join(calls)}]\nraise OSError('all refused' if set(got) == {{-1}} else str(got))"


def pupils(folder: Path, kit: Path, port: int) -> dict[str, Pupil]:
    """Everybody, by name; `port` is where somebody listens, `kit` where the reference lies."""
    crash, late, wrong = {"1.6": "crash"}, {"1.6": "timeout"}, {"1.6": "wrong"}
    steal = "beta * 0 - 1"                                  # what is returned when nothing could be stolen
    return {
        # honest work and honest mistakes
        "honest": Pupil(lesson()),
        "sign error": Pupil(lesson(clipped_policy=HONEST["clipped_policy"].replace("return -", "return ")),
                            {"1.5": "wrong"}, remark="The minus is missing"),
        "sum for mean": Pupil(lesson(clipped_policy=HONEST["clipped_policy"].replace(".mean()", ".sum()")),
                              {"1.5": "wrong"}),
        "unstable": Pupil(lesson(token_reward=HONEST["token_reward"].replace(
            "torch.where(mask, -beta * (logprob - ref_logprob), 0.0)",
            "-beta * (logprob.exp() / ref_logprob.exp()).log() * mask")), {"1.2": "wrong"}),
        "nan": Pupil(adapt("return float('nan')"), wrong),
        "generator": Pupil(adapt("yield 1.0"), crash, "crash", "generator"),
        "no return": Pupil(adapt(f"x = {TRUE_ADAPT}"), crash, "crash", "Is there a return?"),
        "writer into the question": Pupil(lesson(token_reward=HONEST["token_reward"].replace(
            "    reward =", "    logprob[~mask], ref_logprob[~mask] = 0.0, 0.0\n    reward =")), {"1.2": "wrong"},
            remark="writes into its argument `logprob`"),
        "floats for booleans": Pupil(lesson(response_mask=HONEST["response_mask"].replace("== 0", "== 0.0")
                                            .replace("return here", "return (here").replace("== 0.0", "== 0).float()")),
                                     {"1.1": "wrong"}, remark="needs a tensor of booleans"),
        "wrong shape": Pupil(lesson(whiten=HONEST["whiten"] + "[:1]"), {"1.4": "wrong"}),
        "exception": Pupil(adapt("return beta / 0"), crash, "crash", "ZeroDivisionError"),
        "untouched": Pupil(lesson(adapt=STUB), {"1.6": "not attempted"}, "not attempted"),
        "deleted": Pupil([cell for cell in lesson() if "def adapt" not in cell], {"1.6": "not found"}, "not found",
                         "There is no function adapt in it"),
        "syntax error": Pupil(lesson(whiten="def whiten(advantage, mask:\n    return 1"), {"1.4": "not found"},
                              "not found", "that should define whiten is not right: line 1: "),
        "a lambda": Pupil(lesson(adapt=f"adapt = lambda beta, kl, target, n, horizon: {TRUE_ADAPT}")),
        "a helper and a constant": Pupil(lesson(
            adapt=f"LOW, HIGH = -0.2, 0.2\ndef cut(x):\n    return max(LOW, min(HIGH, x))\n"
                  f"{HONEST['adapt'].replace('max(-0.2, min(0.2, kl / target - 1))', 'cut(kl / target - 1)')}")),
        # notebooks that were not left as they were
        "renamed": Pupil(lesson(), file="renamed/Untitled (3).ipynb"),
        "a script": Pupil([], file="a script.py", text="\n# %%\n".join(lesson())),
        "stripped": Pupil([], text=json.dumps({"cells": [{"cell_type": "code", "source": c} for c in lesson()],
                                               "nbformat": 4})),
        "stub behind": Pupil([*lesson(), STUB]),
        "better behind": Pupil([*adapt("return -1.0"), HONEST["adapt"]]),
        "worse behind": Pupil([*lesson(), "def adapt(beta, kl, target, n, horizon):\n    return -1.0"], wrong),
        "empty": Pupil([], dict.fromkeys(POINTS, "not found"), "not found"),
        "no bytes": Pupil([], dict.fromkeys(POINTS, "unreadable"), "unreadable", "is empty", text=" "),
        "not json": Pupil([], dict.fromkeys(POINTS, "unreadable"), "unreadable", "not a notebook", text="{oh"),
        "format 3": Pupil([], text=json.dumps({"nbformat": 3, "worksheets": [{"cells": [
            {"cell_type": "code", "input": c, "language": "python"} for c in lesson()]}]})),
        "deep": Pupil([], dict.fromkeys(POINTS, "unreadable"), "unreadable", "not a notebook", text="[" * 200_000),
        "deep code": Pupil([*lesson(), "x = " + "-" * 50_000 + "1", "y = " + "(" * 5_000]),
        "long outputs": Pupil([], text=notebook(lesson(), outputs=[[["x" * 1000] * 100] * 500])),
        "=cmd|'calc'!A0": Pupil(adapt("raise ValueError('=1+1')"), crash, "crash"),
        # taking time and space
        "endless loop": Pupil(adapt("while True: pass"), late, "timeout"),
        "endless class": Pupil([*lesson(), "class Slow:\n    while True: pass"]),
        "endless decorator": Pupil(lesson(adapt=f"def wait(f):\n    while True: pass\n@wait\n{HONEST['adapt']}"), late,
                                   "timeout"),
        "endless everything": Pupil(everything("while True: pass"), dict.fromkeys(POINTS, "timeout"), "timeout"),
        "sleeper": Pupil(adapt("import time\ntime.sleep(1000)"), late, "timeout"),
        "printer": Pupil(adapt(f"for _ in range(5_000): print('x' * 200)\nreturn {TRUE_ADAPT}")),
        "20 GB": Pupil(adapt("return torch.ones(20 * 2**30, dtype=torch.uint8).sum() * beta"), crash, "crash"),
        "20 GB in a list": Pupil(adapt("return [0.0] * (5 * 2**29)"), crash, "crash"),
        "10 GB file": Pupil(adapt("with open('big', 'wb') as file:\n    for _ in range(10_000):\n"
                                  f"        file.write(bytes(2**20))\nreturn {TRUE_ADAPT}"), crash, "crash",
                            "File too large"),
        "huge result": Pupil(adapt("return torch.zeros(1).expand(10**10)"), crash, "crash", "more than 1 MiB"),
        "fork bomb": Pupil(adapt("import os\nwhile True: os.fork()"), crash, "crash", "unavailable"),
        "threads": Pupil(adapt("import threading, time\nfor _ in range(10**5):\n"
                               "    threading.Thread(target=time.sleep, args=(100,)).start()"), crash, "crash"),
        # leaving early
        "exit": Pupil(adapt("import os\nos._exit(0)"), crash, "crash", "ended before it answered"),
        "exit of all": Pupil(lesson(**dict.fromkeys(NUMBERS, "")) + [
            f"def {name}(*a):\n    import os\n    os._exit(0)" for name in NUMBERS], dict.fromkeys(POINTS, "crash"),
            "crash"),
        "sys.exit": Pupil(adapt("import sys\nsys.exit(0)"), crash, "crash", "SystemExit"),
        "segmentation fault": Pupil(adapt("import ctypes\nctypes.string_at(0)"), crash, "crash", "SIGSEGV"),
        "recursion": Pupil(adapt("return adapt(beta, kl, target, n, horizon)"), crash, "crash", "RecursionError"),
        # right work in other clothes
        "large packages": Pupil([*lesson(), "import scipy.stats\nimport pandas as pd\nimport matplotlib.pyplot as plt\n"
                                 "from sklearn.linear_model import LogisticRegression"]),
        "uses large packages": Pupil(adapt(
            f"at_two = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 1]).predict([[2.0]])[0]\n"
            f"one = pd.DataFrame({{'a': [1, 1]}}).groupby('a').size().iloc[0] - at_two\nfor _ in tqdm(range(2)): pass\n"
            f"return float(one) * {TRUE_ADAPT}", "import pandas as pd\nfrom sklearn.linear_model import "
            "LogisticRegression\nfrom tqdm.auto import tqdm")),
        "uses scipy": Pupil(adapt(f"return float(special.expit(0.0)) * 2 * {TRUE_ADAPT}", "from scipy import special")),
        "made by calls": Pupil(lesson(adapt="""import torch.nn as nn
from functools import partial
LOW = float('-0.2')
ONE = math.exp(0) * torch.ones(1).item()
act = nn.LogSigmoid()
def general(low, beta, kl, target, n, horizon):
    return ONE * beta * (1 + max(low, min(-low, kl / target - 1)) * n / horizon) + 0 * act(torch.zeros(1)).item()
adapt = partial(general, LOW)""")),
        "made by oneself": Pupil(lesson(adapt="""def cut(limit):
    def adapt(beta, kl, target, n, horizon):
        return beta * (1 + max(-limit, min(limit, kl / target - 1)) * n / horizon)
    return adapt
adapt = cut(0.2)""")),
        "in a branch": Pupil(lesson(adapt="try:\n    from nowhere import cut\nexcept ImportError:\n    def cut(x):\n"
                                          "        return max(-0.2, min(0.2, x))\nif torch.cuda.is_available():\n"
                                          "    far = 1 / 0\nelse:\n    def adapt(beta, kl, target, n, horizon):\n"
                                          "        return beta * (1 + cut(kl / target - 1) * n / horizon)")),
        "with magics": Pupil(lesson(adapt=f"!nvidia-smi\nfiles = !ls\n%time x = 1\n{HONEST['adapt']}\nadapt?")),
        "split in two": Pupil([*lesson(adapt=""), HONEST["adapt"].split("\n")[0] + '\n    """The new price."""',
                               HONEST["adapt"].split("\n")[1]]),
        "leaves at the top": Pupil([*lesson(), "class A:\n    raise SystemExit",
                                    "class B:\n    raise KeyboardInterrupt",
                                    "class C:\n    class Mine(BaseException): pass\n    raise Mine"]),
        "dies at the top": Pupil([*lesson(), "class A:\n    import os\n    os._exit(3)"]),
        "one buffer": Pupil(adapt(f"BUFFER.fill_({TRUE_ADAPT})\nreturn BUFFER.item()",
                                  "BUFFER = torch.zeros((), dtype=torch.float64)")),
        # what comes through the wall
        "a thousand dimensions": Pupil(adapt("return torch.zeros([1] * 1000)"), crash, "crash", "dimensions"),
        "a thousand parts": Pupil(adapt("return tuple(torch.zeros(()) for _ in range(1000))"), crash, "crash", "parts"),
        "a flood of answers": Pupil(adapt(f"import os\nfor _ in range(10**6): os.write(3, b'a' + (4).to_bytes(4, "
                                          f"'little') + bytes(4))\nreturn {steal}"), crash, "crash", "cannot be read"),
        "a flood of notes": Pupil(adapt("import os\nwhile True: os.write(3, (b'd' + (4).to_bytes(4, 'little') + "
                                        "bytes(4)) * 1000)"), crash, "crash", "cannot be read"),
        "a promise of 4 GB": Pupil(adapt("import os\nos.write(3, b'a' + bytes([255] * 4))\nwhile True:\n"
                                         "    os.write(3, bytes(2**16))"), crash, "crash", "cannot be read"),
        "drip": Pupil(adapt("import os, time\nos.write(3, b'a' + (10**6).to_bytes(4, 'little'))\nwhile True:\n"
                            "    os.write(3, b'x')\n    time.sleep(0.05)"), late, "timeout"),
        "drip of notes": Pupil(adapt("return beta", "class Slow:\n    import os, time\n    while True:\n"
                                     "        os.write(3, b'i' + (4).to_bytes(4, 'little') + bytes(4))\n"
                                     "        time.sleep(0.05)"),
                               dict.fromkeys(POINTS, "timeout"), "timeout"),
        "a note from before": Pupil(adapt(f"import os\nos.write(3, b'l' + bytes(4))\nreturn {TRUE_ADAPT}"), crash,
                                    "crash", "cannot be read"),
        # what would stay
        "outliver": Pupil(adapt("import ctypes, time\nctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\ntime.sleep(1000)"), late,
                          "timeout"),
        "shared memory": Pupil(adapt(_refused("libc.shmget(0, 2**28, 0o1600)", "libc.semget(0, 1000, 0o1600)",
                                              "libc.msgget(0, 0o1600)", "libc.memfd_create(b'm', 0)",
                                              "libc.socketpair(1, 1, 0, (ctypes.c_int * 2)())")), crash, "crash",
                               "all refused"),
        "keyring": Pupil(adapt(_refused("libc.syscall(ctypes.c_long(add), b'user', b'note', b'x', ctypes.c_long(1), "
                                        "ctypes.c_long(-3))", "libc.syscall(ctypes.c_long(ctl), ctypes.c_long(0), "
                                        "ctypes.c_long(-4), ctypes.c_long(0))")), crash, "crash", "all refused"),
        "other powers": Pupil(adapt(_refused("libc.unshare(0x10000000)", "libc.ptrace(0, 0, 0, 0)", "libc.fork()",
                                             "libc.execve(b'/bin/true', None, None)", "libc.prctl(4, 1, 0, 0, 0)",
                                             "libc.mount(b'x', b'/', b'tmpfs', 0, None)", "libc.kill(-1, 9)")), crash,
                              "crash", "all refused"),
        "a million files": Pupil(adapt("for i in range(10**6): open(str(i), 'w').close()\nreturn beta"), crash, "crash",
                                 "No space left", walls=True),
        "who is there": Pupil(adapt("""import os
seen = []
for place, folders, names in os.walk('/'):
    folders[:] = [] if '__init__.py' in names else folders
    seen += [os.path.join(place, name) for name in names + folders]
assert len(seen) < 5000 and not [s for s in seen if s.endswith('.ipynb') or 'rlhf' in s]
assert not {'etc', 'proc', 'sys', 'var', 'bin', 'run'} & set(os.listdir('/'))
assert set(os.listdir('/dev')) == {'null', 'zero', 'urandom'}
raise LookupError('nothing')"""), crash, "crash", "LookupError: nothing", walls=True),
        # objects that say they are right
        "fake tensor": Pupil(adapt("torch.allclose = torch.equal = torch.isclose = lambda *a, **k: True\n"
                                   "return Fake()", """
class Fake:
    shape, dtype, requires_grad = (), torch.float64, False
    def __getattr__(self, name): return lambda *a, **k: self
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    def __le__(self, other): return True
    def __sub__(self, other): return 0
    def __abs__(self): return 0
    def __float__(self): return 0.0"""), crash, "crash", "Fake"),
        "abs and less": Pupil(adapt("return Small()", "abs = lambda x: 0\nclass Small:\n"
                                    "    def __lt__(self, other): return True"), crash, "crash", "Small"),
        "tensor subclass": Pupil(adapt("return torch.zeros(()).as_subclass(Liar)", """
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True if func.__name__ in ('allclose', 'equal') else super().__torch_function__(func, types, args,
                                                                                            kwargs or {})
    def __eq__(self, other): return True"""), wrong),
        "odd types": Pupil(adapt("return torch.zeros(3).to_sparse()"), crash, "crash"),
        "a word of ours": Pupil(adapt("return type('check_right', (), {})()"), crash, "crash",
                                "It returned 'check_right'; the next cell needs a number."),
        "asks who asks": Pupil(adapt("""import gc, sys
frame, seen = sys._getframe(), []
while frame:
    seen += [v for v in [*frame.f_locals.values(), *frame.f_globals.values()] if hasattr(v, 'reference')]
    frame = frame.f_back
seen += [o for o in gc.get_objects() if type(o).__name__ in ('Exercise', 'Verdict')]
if not seen: raise LookupError('nothing')
return seen[0].reference(beta, kl, target, n, horizon)"""), crash, "crash", "LookupError: nothing"),
        "leaves in passing": Pupil(adapt(f"class End:\n    def __del__(self):\n        import os\n        os._exit(0)\n"
                                         f"End()\nreturn {TRUE_ADAPT}"), crash, "crash", "ended before it answered"),
        "other numbers": Pupil(adapt(f"torch.set_default_dtype(torch.float16)\ntorch.set_grad_enabled(False)\n"
                                     f"return {TRUE_ADAPT}")),
        "complex": Pupil(adapt("return torch.tensor(1j)"), crash, "crash"),
        "forger": Pupil(adapt(f"""import os
forged = b'a' + (30).to_bytes(4, 'little') + b'right ' * 5 + b'x' + bytes(4) + b'ok' + b'{{"status": "right"}}'
for fd in range(256):
    try: os.write(fd, forged)
    except OSError: pass
return {steal}"""), crash, "crash", "cannot be read"),
        "cleanup": Pupil([*adapt("return -1.0"), "get_ipython().input_transformers_cleanup.append(lambda lines: [])"],
                         wrong),
        "patched": Pupil(adapt(f"import json, os\njson.dumps = os.write = os._exit = None\nreturn {TRUE_ADAPT}"),
                         crash, "crash"),
        # looking for the reference, or for the others
        "importer": Pupil(lesson(adapt="from rlhf_kit.classroom.exercises.lesson_01 import adapt"),
                          {"1.6": "not found"}, "not found",
                         "There is no function adapt in it"),
        "late importer": Pupil(adapt("import rlhf_kit.classroom.exercises.lesson_01 as l\n"
                                     "return l.adapt(beta, kl, target, n, horizon)"), crash, "crash",
                               "written, not imported"),
        "without the hook": Pupil(adapt("import sys\nsys.meta_path[:] = sys.meta_path[-3:]\n"
                                        "import rlhf_kit.classroom.exercises.lesson_01 as l\n"
                                        "return l.adapt(beta, kl, target, n, horizon)"), crash, "crash",
                                  "No module named 'rlhf_kit'"),
        "memory reader": Pupil(adapt("""import gc, sys, __main__
found = [o for o in gc.get_objects() if type(o) is type(adapt) and o.__name__ == 'adapt' and o is not adapt]
found += [m for m in sys.modules if 'lesson_' in m or m.startswith('rlhf_kit')]
found += [n for m in list(sys.modules.values()) for n in vars(m) if n == 'EXERCISES']
if not found: raise LookupError('nothing')
return beta"""), crash, "crash", "nothing"),
        "parent's memory": Pupil(adapt("import os\nopen(f'/proc/{os.getppid()}/mem', 'rb').read(1)\nreturn beta"),
                                 crash, "crash"),
        "any memory": Pupil(adapt(f"""import os
for process in [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]:
    try: open('/proc/' + process + '/mem', 'rb'), open('/proc/' + process + '/environ', 'rb').read()
    except OSError: continue
    return {TRUE_ADAPT}
raise LookupError('nothing')"""), crash, "crash"),
        "source reader": Pupil(adapt(f"text = open({str(kit / 'exercises/lesson_01.py')!r}).read()\n"
                                     f"return {TRUE_ADAPT}"), crash, "crash", "FileNotFoundError", walls=True),
        "copycat": Pupil(adapt(f"text = open({str(folder / 'honest.ipynb')!r}).read()\nreturn {TRUE_ADAPT}"),
                         crash, "crash", "FileNotFoundError", walls=True),
        "home reader": Pupil(adapt(f"""import os
known = ('THREADS', 'DEVICES', 'LANG', 'HOME', 'TMPDIR', 'MPLBACKEND', 'MPLCONFIGDIR', 'MULTIPROCESSING')
assert not [n for n in os.environ if n.split('_')[-1] not in known], 'an environment'
home = {str(Path.home())!r}
assert not [n for n in (os.listdir(home) if os.path.isdir(home) else ()) if os.path.isfile(f'{{home}}/{{n}}')], 'files'
return {steal}"""), wrong, walls=True),
        # reaching out
        "caller": Pupil(adapt(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\n"
                              f"return {TRUE_ADAPT}"), crash, "crash", "not permitted", walls=True),
        "vandal": Pupil(adapt(f"import os, shutil\nshutil.rmtree({str(folder)!r}, ignore_errors=True)\n"
                              f"shutil.rmtree({str(folder)!r})\nreturn {TRUE_ADAPT}"), crash, "crash", walls=True),
        "writer": Pupil(adapt(f"open({str(kit / 'exercises/__init__.py')!r}, 'a').write('#')\nreturn {TRUE_ADAPT}"),
                        crash, "crash", walls=True),
        "stopper": Pupil(adapt(f"import os, signal\nfor pid in (os.getppid(), 1, -1):\n    try:\n"
                               f"        if pid != os.getpid(): os.kill(pid, signal.SIGSTOP)\n"
                               f"    except OSError: pass\nreturn {steal}"), wrong, walls=True),
        "killer": Pupil(adapt(f"import os, signal\nfor pid in (os.getppid(), 0, -1):\n    try: os.kill(pid, "
                              f"signal.SIGKILL)\n    except OSError: pass\nreturn {steal}"), wrong, walls=True),
        "tracer": Pupil(adapt("import ctypes, os\nif ctypes.CDLL(None).ptrace(16, os.getppid() or 2, None, None):\n"
                              f"    raise PermissionError('refused')\nreturn {TRUE_ADAPT}"), crash, "crash",
                        "refused"),
        "mounter": Pupil(adapt(f"""import ctypes
libc = ctypes.CDLL(None)
libc.unshare(0x10000000 | 0x20000)
for place in ({str(kit)!r}, '/tmp', '/'):
    libc.umount2(place.encode(), 2)
    libc.mount(b'none', place.encode(), None, 32 | 4096, None)
text = open({str(kit / 'exercises/lesson_01.py')!r}).read()
return {TRUE_ADAPT}"""), crash, "crash", "FileNotFoundError", walls=True),
    }
