"""Train the recogniser of the tests: see README.md."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import corpus
import numpy as np
import torch
from corpus import Example
from distort import distorted
from network import STACK, TinyNet
from torch import Tensor

_BATCH = 24
_PEAK_RATE = 3e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder that make_corpus.py has filled")
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    # Two threads of so small a net would wait for each other.
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    examples = corpus.load(given.corpus / "train.npz")
    held_out = corpus.load(given.corpus / "held-out.npz")
    net = TinyNet(len(corpus.vocabulary(corpus.sentences(given.sentences))))
    print(f"{sum(p.numel() for p in net.parameters())} parameters", flush=True)
    frames = torch.from_numpy(np.concatenate([e.mel for e in examples[:500]]).astype(np.float32))
    net.mean, net.scale = frames.mean(0), 1 / frames.std(0)
    if given.start:
        net.load_state_dict(torch.load(given.start, weights_only=True))
    fit(net, examples, held_out, given.minutes * 60, given.out, afresh=given.start is None)


def fit(
    net: TinyNet,
    examples: list[Example],
    held_out: list[Example],
    seconds: float,
    out: Path,
    afresh: bool,
) -> None:
    """By the clock: the learning rate falls to nothing as the time runs out."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=_PEAK_RATE, weight_decay=1e-3)
    by_length = sorted(range(len(examples)), key=lambda n: len(examples[n].mel))
    batches = [by_length[at : at + _BATCH] for at in range(0, len(by_length), _BATCH)]
    begin, epoch = time.time(), 0
    while (done := (time.time() - begin) / seconds) < 1:
        net.train()
        losses = []
        # The first time from short to long: the fewer words, the easier to find where they are.
        order = torch.randperm(len(batches)) if epoch else torch.arange(len(batches))
        for number in order.tolist():
            done = (time.time() - begin) / seconds
            if done >= 1:
                break
            # Up for a twentieth of the time, then down to nothing.
            rate = _PEAK_RATE * min(1.0, 0.05 + done * 20) * max(1 - done, 0.01)
            for group in optimizer.param_groups:
                group["lr"] = rate
            # Until it has found where the words are, clear speech; then other microphones too.
            hard = 0.35 if done > 0.35 or not afresh else 0.0
            loss = _loss(net, [examples[n] for n in batches[number]], hard)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimizer.step()
            losses.append(loss.item())
        epoch += 1
        torch.save(net.state_dict(), out)
        wrong = error_rate(net, held_out)
        at = time.time() - begin
        print(f"{at:4.0f} s, epoch {epoch}: {np.mean(losses):.3f}, {wrong:.1%} wrong", flush=True)


def _loss(net: TinyNet, examples: list[Example], hard: float) -> Tensor:
    """hard: share of batches that are distorted."""
    mel, lengths = _padded(examples)
    if torch.rand(()) < hard:
        mel = distorted(mel)
    scores = net(mel).log_softmax(-1)
    targets = torch.tensor([token for e in examples for token in e.tokens])
    sizes = torch.tensor([len(e.tokens) for e in examples])
    loss = torch.nn.functional.ctc_loss(
        scores, targets, lengths, sizes, blank=scores.shape[-1] - 1, reduction="sum"
    )
    return loss / max(int(sizes.sum()), 1)


def _padded(examples: list[Example]) -> tuple[Tensor, Tensor]:
    longest = max(len(example.mel) for example in examples)
    mel = np.full((len(examples), longest // STACK * STACK, 80), -15.9, np.float32)
    for row, example in zip(mel, examples, strict=True):
        row[: len(example.mel)] = example.mel[: len(row)]
    return torch.from_numpy(mel), torch.tensor([len(e.mel) // STACK for e in examples])


def error_rate(net: TinyNet, examples: list[Example]) -> float:
    """Share of tokens wrong, missing or too many."""
    net.eval()
    wrong = total = 0
    with torch.no_grad():
        for at in range(0, len(examples), _BATCH):
            some = examples[at : at + _BATCH]
            mel, lengths = _padded(some)
            best = net(mel).argmax(-1)
            for n, example in enumerate(some):
                row = best[: lengths[n], n]
                heard = torch.unique_consecutive(row)
                heard = heard[heard != net.out.out_features - 1].tolist()
                wrong += distance(heard, example.tokens)
                total += len(example.tokens)
    return wrong / total


def distance(a: list[int], b: tuple[int, ...]) -> int:
    """Edits from one to the other."""
    row = list(range(len(b) + 1))
    for n, x in enumerate(a, 1):
        above, row[0] = row[0], n
        for m, y in enumerate(b, 1):
            above, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, above + (x != y))
    return row[-1]


if __name__ == "__main__":
    main()
