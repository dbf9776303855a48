"""Train the net: ``python tools/viseme/train.py --data D --out net.pt --minutes 30``.

By the clock: the learning rate falls to nothing as the time runs out. Closed lips count more than
their share of the frames, for they are what viewers notice.
"""

from __future__ import annotations

import argparse
import copy
import math
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from corpus import Corpus, priors
from distort import distorted
from model import SoundNet
from torch import Tensor, distributed
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, max_pool1d
from utterance import UNLABELLED

from mien.lipsync.viseme.sounds import BILABIAL, SOUNDS

_BATCH, _LENGTH = 48, 192
_PEAK_RATE = 2.5e-3
_MEET_SEC = 30
# The recurrent memory is empty when a piece begins; its first answers teach nothing.
_WARM_UP = 16
# How much the question "closed lips or not?" adds to the loss, and how much more each frame near a
# closure counts in it: what is beside a closure (40 ms) decides where it begins and ends.
_LIPS, _NEAR, _NEAR_FRAMES = 0.4, 2.0, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=Path, help="folder of realigned labels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--blend", type=float, default=0, help="share of --start in the result")
    parser.add_argument("--rate", type=float, default=_PEAK_RATE)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    corpus = Corpus(given.data, given.labels)
    # Forked, so that the frames lie in memory once.
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        place = f"file://{folder}/meeting"
        jobs = [
            fork.Process(target=train, args=(given, corpus, rank, place))
            for rank in range(given.jobs)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()


def train(given: argparse.Namespace, corpus: Corpus, rank: int, meeting_place: str) -> None:
    """One of ``given.jobs`` processes; they average their weights every _MEET_SEC."""
    distributed.init_process_group(
        "gloo", init_method=meeting_place, rank=rank, world_size=given.jobs
    )
    torch.manual_seed(rank)
    rng = np.random.default_rng(rank)
    net = SoundNet(hidden=given.hidden)
    net.mean[:], net.scale[:] = corpus.statistics()
    if given.start is not None:
        net.load_state_dict(torch.load(given.start, weights_only=True)["net"])
    together(net, given.jobs)
    start, average = copy.deepcopy(net), copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), given.rate, weight_decay=0.02)
    begin, seconds = time.time(), 60 * given.minutes
    step, told = 0, 0.0
    # Ended between meetings, so that all processes hold as many.
    for meeting_sec in np.append(np.arange(_MEET_SEC, seconds, _MEET_SEC), seconds):
        while (spent := time.time() - begin) < meeting_sec:
            for group in optimiser.param_groups:
                group["lr"] = given.rate * _share_of_rate(step, spent / seconds)
            mel, target = corpus.batch(rng, _BATCH, _LENGTH)
            target[:, :_WARM_UP] = UNLABELLED
            loss = loss_of(net(distorted(mel)), target)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimiser.step()
            follow(average, net, min(0.998, (step + 1) / (step + 10)))
            step += 1
            told = loss.item() if step == 1 else 0.98 * told + 0.02 * loss.item()
        together(net, given.jobs)
        print(f"{rank} {step:6} {meeting_sec:6.0f} s  loss {told:.3f}", flush=True)
    together(average, given.jobs)
    # What was learnt last has displaced some of what was known before; between the two lies a net
    # that knows most of both.
    follow(average, start, 1 - given.blend)
    if rank == 0:
        shares = priors(corpus.label, len(SOUNDS))
        kept = {"net": average.state_dict(), "hidden": given.hidden, "priors": shares}
        torch.save(kept, given.out)


def _share_of_rate(step: int, done: float) -> float:
    return min(1.0, step / 100) * 0.5 * (1 + math.cos(math.pi * done))


def together(net: SoundNet, jobs: int) -> None:
    """Every process's weights become the mean of all."""
    for value in net.state_dict().values():
        if value.is_floating_point():
            distributed.all_reduce(value)
            value /= jobs


def follow(average: SoundNet, net: SoundNet, keep: float) -> None:
    """``average`` keeps a share of itself and takes the rest from ``net``."""
    with torch.no_grad():
        for mean, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 - keep)
            else:
                mean.copy_(new)


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    sound = cross_entropy(
        logits.transpose(1, 2), target, ignore_index=UNLABELLED, label_smoothing=0.05
    )
    return sound + _LIPS * lips_loss(logits, target)


def lips_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of "lips closed or not", frames beside closures weighing more."""
    closed = torch.isin(target, torch.tensor(BILABIAL)).float()
    inside = torch.isin(torch.arange(len(SOUNDS)), torch.tensor(BILABIAL))
    odds = logits[..., inside].logsumexp(-1) - logits[..., ~inside].logsumexp(-1)
    near = max_pool1d(closed, 2 * _NEAR_FRAMES + 1, 1, _NEAR_FRAMES)
    weight = (1 + (_NEAR - 1) * near) * (target != UNLABELLED)
    loss = binary_cross_entropy_with_logits(odds, closed, weight, reduction="sum")
    return loss / weight.sum()


if __name__ == "__main__":
    main()
