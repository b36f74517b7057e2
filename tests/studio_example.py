"""A stand-in for the studio's saved example: small, made up, and in both languages."""

from __future__ import annotations

NINE = {"en": (" broke after a day.", " is sturdy.", " is fine.", " came late, but works.", " is too loud for me.",
               " does what it says.", " was a gift.", " looks better than it is.", " I would buy again."),
        "zh": ("第二天就坏了。", "很结实。", "还行。", "来得晚，但能用。", "对我来说太吵。", "说到做到。", "是礼物。",
               "中看不中用。", "我会再买。")}


def example(lang: str) -> dict:
    """The parts that rank and vote draw from: 20 lists of nine, 40 pairs; the second model's texts score higher."""
    it, nine = {"en": "The kettle number", "zh": "水壶编号"}[lang], NINE[lang]
    pairs = [[{"text": f"{nine[i % 9]} ({i})", "model": "tiny-base", "reward": -1.0},
              {"text": f"{nine[(i + 4) % 9]} [{i}] !", "model": "tiny-ppo", "reward": 1.0}] for i in range(40)]
    return {"rank": [{"prompt": f"{it} {n}", "responses": list(nine)} for n in range(20)],
            "vote": [{"prompt": f"{it} {i}", "responses": pair[::1 if i % 2 else -1]} for i, pair in enumerate(pairs)]}
