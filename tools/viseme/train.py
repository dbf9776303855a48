"""Train the net: ``python tools/viseme/train.py --data D --out net.pt --minutes 30``.

One thread, by the clock: the learning rate falls to nothing as the time runs out.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from corpus import Corpus, priors
from distort import distorted
from model import SoundNet
from torch.nn.functional import cross_entropy
from utterance import UNLABELLED

from mien.lipsync.viseme.sounds import SOUNDS

_BATCH, _LENGTH = 48, 192
_PEAK_RATE = 2.5e-3
# The recurrent memory is empty when a piece begins; its first answers teach nothing.
_WARM_UP = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=Path, help="folder of realigned labels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--start", type=Path, help="weights to begin with")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    corpus = Corpus(given.data, given.labels)
    net = SoundNet(hidden=given.hidden)
    net.mean[:], net.scale[:] = corpus.statistics()
    if given.start is not None:
        net.load_state_dict(torch.load(given.start, weights_only=True)["net"])
    average = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), _PEAK_RATE, weight_decay=0.02)
    print(
        f"{sum(p.numel() for p in net.parameters())} parameters, {len(corpus.mel)} frames",
        flush=True,
    )
    begin = time.time()
    step, told = 0, 0.0
    while (done := (time.time() - begin) / 60 / given.minutes) < 1:
        rate = _PEAK_RATE * min(1.0, step / 100) * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimiser.param_groups:
            group["lr"] = rate
        mel, target = corpus.batch(rng, _BATCH, _LENGTH)
        target[:, :_WARM_UP] = UNLABELLED
        logits = net(distorted(mel))
        loss = cross_entropy(
            logits.transpose(1, 2), target, ignore_index=UNLABELLED, label_smoothing=0.05
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        keep = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, new in zip(
                average.state_dict().values(), net.state_dict().values(), strict=True
            ):
                if mean.is_floating_point():
                    mean.lerp_(new, 1 - keep)
                else:
                    mean.copy_(new)
        step += 1
        told = loss.item() if step == 1 else 0.98 * told + 0.02 * loss.item()
        if step % 200 == 0:
            print(f"{step:6} {time.time() - begin:6.0f} s  loss {told:.3f}", flush=True)
    shares = priors(corpus.label, len(SOUNDS))
    torch.save({"net": average.state_dict(), "hidden": given.hidden, "priors": shares}, given.out)


if __name__ == "__main__":
    main()
