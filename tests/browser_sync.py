"""What a page shows and plays, against each other and against the server's clock.

For the measuring kit (``mien.bench.markers``): each beep is heard with its number, and the picture
of the same tick shows it. The probe looks at a ``<video>`` element alone: frames as they are
presented, sound as the element gives it to WebAudio. It also reads what the server says of its
clock on the page's WebSocket.
"""

from __future__ import annotations

import base64
import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.async_api import Page

from mien.bench.signals import find_beeps
from mien.bench.strip import CELL, CELLS, read_strip

#: Samples that the recorder hands over at once.
BLOCK = 2048

PROBE = """(() => {
  const probe = (window.__sync = { frames: [], blocks: [], clocks: [], talk: [], rate: 0 });
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...rest) {
      super(...rest);
      this.addEventListener("message", ({ data }) => {
        if (typeof data !== "string") return;
        probe.talk.push({ at: performance.now(), ...JSON.parse(data) });
      });
    }
  };
  const recorder = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    constructor() { super(); this.block = new Float32Array(BLOCK); this.filled = 0; }
    process([[left]]) {
      if (!left) return true;
      if (!this.filled) this.began = currentFrame;
      this.block.set(left, this.filled);
      this.filled += left.length;
      if (this.filled < this.block.length) return true;
      this.port.postMessage({ began: this.began, samples: this.block.slice() });
      this.filled = 0;
      return true;
    }
  })`;
  probe.listen = async (selector) => {
    const video = document.querySelector(selector);
    const brush = new OffscreenCanvas(CELLS, 1).getContext("2d", { willReadFrequently: true });
    function onFrame(now, { expectedDisplayTime, mediaTime }) {
      brush.drawImage(video, 0, CELL / 4, CELLS * CELL, CELL / 2, 0, 0, CELLS, 1);
      const { data } = brush.getImageData(0, 0, CELLS, 1);
      const cells = [...Array(CELLS).keys()].map((i) => data[4 * i]);
      probe.frames.push({ shown: expectedDisplayTime, media: mediaTime, cells });
      video.requestVideoFrameCallback(onFrame);
    }
    video.requestVideoFrameCallback(onFrame);
    const context = new AudioContext();
    await context.resume();
    const url = URL.createObjectURL(new Blob([recorder], { type: "text/javascript" }));
    await context.audioWorklet.addModule(url);
    const node = new AudioWorkletNode(context, "recorder");
    node.port.onmessage = ({ data }) => probe.blocks.push(data);
    const source = context.createMediaElementSource(video);
    source.connect(node);
    source.connect(context.destination);
    probe.rate = context.sampleRate;
    setInterval(() => {
      const { contextTime, performanceTime } = context.getOutputTimestamp();
      const latency = context.outputLatency + context.baseLatency;
      probe.clocks.push({ contextTime, performanceTime, latency });
    }, 50);
  };
  probe.result = () => {
    const parts = probe.blocks.map(({ samples }) => samples);
    const whole = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) for (const value of part) whole[at++] = Math.round(32767 * value);
    const bytes = new Uint8Array(whole.buffer);
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) {
      text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    }
    const { frames, clocks, talk, rate } = probe;
    const starts = probe.blocks.map(({ began }) => began);
    return { frames, clocks, talk, rate, starts, sound: btoa(text) };
  };
})()"""


async def watch(page: Page) -> None:
    """To be called before the page is opened, with a context that bypasses the page's CSP."""
    words = {"CELLS": CELLS, "CELL": CELL, "BLOCK": BLOCK}
    script = PROBE
    for word, value in words.items():
        script = script.replace(word, str(value))
    await page.add_init_script(script)


@dataclass(frozen=True)
class Measured:
    """offsets_ms: picture − sound, of each beep both heard and seen. delays_ms: from a picture's
    making on the server to its showing, of each picture."""

    offsets_ms: list[float]
    delays_ms: list[float]

    @property
    def offset_ms(self) -> float:
        return statistics.median(self.offsets_ms)


def measured(result: dict[str, Any]) -> Measured:
    """Of what the page's ``__sync.result()`` gave."""
    rate = int(result["rate"])
    sound = np.frombuffer(base64.b64decode(result["sound"]), "<i2").astype(np.float32) / 32768
    flashes: dict[int, float] = {}
    for frame in result["frames"]:
        row = np.repeat(np.array(frame["cells"], np.uint8), CELL)
        strip = read_strip(np.repeat(row[None, :], CELL, axis=0))
        if strip and strip.flash and strip.speaking:
            flashes.setdefault(strip.beep, frame["shown"] + strip.ms)
    # An element keeps its picture with what it hands to WebAudio; what that and the sound card
    # take on top is not the element's.
    clocks = [clock for clock in result["clocks"] if clock["contextTime"] > 0]
    heard_ms = statistics.median(
        c["performanceTime"] - 1000 * (c["contextTime"] + c["latency"]) for c in clocks
    )
    offsets = []
    for beep in find_beeps(sound, rate):
        block, into = divmod(beep.position, BLOCK)
        at = 1000 * (result["starts"][int(block)] + into) / rate + heard_ms
        if beep.number in flashes:
            offsets.append(flashes[beep.number] - at)
    return Measured(offsets, _delays(result))


def _delays(result: dict[str, Any]) -> list[float]:
    answers = [said for said in result["talk"] if said["type"] == "clock"]
    best = min(answers, key=lambda said: said["at"] - said["sent"])
    offset = 1000 * best["media"] - (best["at"] + best["sent"]) / 2
    return [f["shown"] + offset - 1000 * f["media"] for f in result["frames"]]
