"""A mark in generated text: ``python benchmarks/text_mark.py`` (about 3 CPU minutes).

A small GPT-2 of transformers is trained on this repository's documents with a byte-pair tokenizer of its own, and
writes texts of 200 tokens by plain sampling, with and without the mark (share 0.25, push 2, one token of context).

Claims: among 1,200 texts without the mark, false alarms at p < 0.05, 0.01 and 0.001 stay within the 99.9 % range of a
binomial distribution at those rates; at least 95 % of 100 marked texts are found at p < 1e-6. Then 10, 20 and 30 % of
the tokens of marked texts are replaced at random: no claim, what is left.
"""

from __future__ import annotations

import json
import math
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from redan.kernels.text_watermark.generating import Marking
from redan.kernels.text_watermark.green_list import Mark, read

DOCS = Path(__file__).parents[1] / "docs"
MARK = Mark(key=bytes(range(32)))
TOKENS = 200
MARKED, UNMARKED = 100, 1200
REPLACED = (0.0, 0.1, 0.2, 0.3)
RATES = (0.05, 0.01, 0.001)
FOUND = 1e-6
VOCABULARY = 2000
STEPS = 400


def tokenizer(texts: list[str]) -> Any:
    """Train a byte-pair tokenizer."""
    from tokenizers import ByteLevelBPETokenizer

    made = ByteLevelBPETokenizer()
    made.train_from_iterator(texts, vocab_size=VOCABULARY, show_progress=False)
    return made


def language_model(tokens: torch.Tensor) -> Any:
    """Train a small GPT-2 on a stream of tokens."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=256, n_embd=96, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=None
    )
    net = GPT2LMHeadModel(config)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3)
    draws = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        starts = torch.randint(len(tokens) - 65, (16,), generator=draws)
        batch = torch.stack([tokens[i : i + 64] for i in starts.tolist()])
        loss = net(input_ids=batch, labels=batch).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"language model: loss {float(loss.detach()):.2f}", file=sys.stderr, flush=True)
    return net.eval()


def written(net: Any, starts: torch.Tensor, *, marked: bool) -> list[list[int]]:
    """Let the model write on from (n, 1) first tokens; what it wrote, without them."""
    from transformers import LogitsProcessorList

    step: Any = Marking(MARK)
    texts: list[list[int]] = []
    for part in starts.split(100):
        made = net.generate(
            part,
            attention_mask=torch.ones_like(part),
            do_sample=True,
            top_k=0,
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
            pad_token_id=0,
            logits_processor=LogitsProcessorList([step] if marked else []),
        )
        texts += made[:, 1:].tolist()
    return texts


def replaced(text: list[int], share: float, draws: torch.Generator) -> list[int]:
    """Replace a share of the tokens by random ones."""
    others = torch.randint(VOCABULARY, (len(text),), generator=draws).tolist()
    chosen = (torch.rand(len(text), generator=draws) < share).tolist()
    return [other if gone else token for token, other, gone in zip(text, others, chosen, strict=True)]


def within(hits: int, n: int, rate: float) -> bool:
    """Tell whether so many hits lie below the 99.9 % end of a binomial distribution; an exact p-value is rarer."""
    below = sum(math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(hits))
    return 1 - below > 0.001


def power(texts: list[list[int]]) -> dict[str, dict[str, float]]:
    """Say how many marked texts are found after some of their tokens were replaced."""
    table = {}
    for share in REPLACED:
        draws = torch.Generator().manual_seed(1)
        told = [read(MARK, replaced(text, share, draws)).p_value for text in texts]
        table[f"{share:.0%}"] = {
            "found at 1e-6": sum(p < FOUND for p in told) / len(told),
            "found at 1e-3": sum(p < 1e-3 for p in told) / len(told),
            "median p": float(f"{sorted(told)[len(told) // 2]:.1e}"),
        }
    return table


def main() -> int:
    """Train, write, read, and print one JSON line."""
    torch.set_num_threads(1)
    begun = time.process_time()
    texts = [file.read_text(encoding="utf-8") for file in sorted(DOCS.glob("*.md"))]
    splitter = tokenizer(texts)
    tokens = torch.tensor(splitter.encode("\n".join(texts)).ids)
    net = language_model(tokens)
    starts = tokens[torch.randint(len(tokens), (MARKED + UNMARKED, 1), generator=torch.Generator().manual_seed(2))]
    with torch.no_grad():
        plain = written(net, starts[MARKED:], marked=False)
        marked = written(net, starts[:MARKED], marked=True)
    told = [read(MARK, text).p_value for text in plain]
    by_people = [read(MARK, tokens[i : i + TOKENS].tolist()).p_value for i in range(0, len(tokens) - TOKENS, TOKENS)]
    alarms = {str(rate): sum(p < rate for p in told) for rate in RATES}
    found = power(marked)
    line = {
        "benchmark": "text_mark",
        "tokens": TOKENS,
        "unmarked": {"texts": len(told), "alarms": alarms, "least_p": float(f"{min(told):.2g}")},
        "documents": {"texts": len(by_people), "alarms": {str(r): sum(p < r for p in by_people) for r in RATES}},
        "marked": {"texts": len(marked), "replaced": found},
        "mark": {"share": MARK.share, "push": MARK.push, "context": MARK.context},
        "cpu_s": round(time.process_time() - begun, 1),
        "holds": found["0%"]["found at 1e-6"] >= 0.95
        and all(within(alarms[str(rate)], len(told), rate) for rate in RATES),
        "versions": {name: version(name) for name in ("redan", "transformers", "torch")}
        | {"python": platform.python_version()},
    }
    print(json.dumps(line))
    return int(not line["holds"])


if __name__ == "__main__":
    sys.exit(main())
