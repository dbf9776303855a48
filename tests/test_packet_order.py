"""Packets in order at once, whatever a network does to them."""

from __future__ import annotations

import random

import pytest

from mien.media.packet_order import PATIENCE, Packet, PacketOrder


def packet(number: int) -> Packet:
    return Packet(number % 65536, number * 960 % (1 << 32), b"%d" % number)


def arrivals(order: PacketOrder, *numbers: int) -> list[list[int]]:
    """What is let through after each packet that comes."""
    return [[int(p.payload) for p in order.add(packet(number))] for number in numbers]


@pytest.mark.parametrize("first", [0, 65534])
def test_what_is_in_order_does_not_wait(first: int) -> None:
    numbers = range(first, first + 5)
    assert arrivals(PacketOrder(), *numbers) == [[number] for number in numbers]


def test_one_that_was_overtaken_is_waited_for() -> None:
    assert arrivals(PacketOrder(), 7, 9, 8, 10) == [[7], [], [8, 9], [10]]


def test_one_that_is_lost_holds_up_two() -> None:
    order = PacketOrder()
    assert arrivals(order, 7, 9, 10, 11) == [[7], [], [9, 10], [11]]
    assert arrivals(order, 8, 12) == [[], [12]]  # too late by now
    assert order.dropped == 1


def test_what_comes_twice_is_heard_once() -> None:
    order = PacketOrder()
    assert arrivals(order, 7, 7, 9, 9, 8, 8) == [[7], [], [], [], [8, 9], []]
    assert order.dropped == 3


def test_nothing_is_waited_for_any_more() -> None:
    order = PacketOrder()
    arrivals(order, 7, 9)
    assert [int(p.payload) for p in order.flush()] == [9]
    assert order.flush() == []
    assert arrivals(order, 8, 10) == [[], [10]]


def test_a_new_numbering_is_followed() -> None:
    order = PacketOrder()
    arrivals(order, 50_000, 50_002)
    assert arrivals(order, 40_000, 40_001) == [[50_002, 40_000], [40_001]]
    assert arrivals(order, 60_000, 60_001, 60_002) == [[], [60_000, 60_001], [60_002]]


def test_any_network_is_put_right() -> None:
    """Loss, duplicates and some that overtake others, in all mixtures."""
    for seed in range(200):
        chance = random.Random(seed)
        sent = [n for n in range(65_500, 65_600) if chance.random() > 0.1 or n == 65_500]
        sent += [n for n in sent if chance.random() < 0.1]
        # The first opens the numbering.
        sent = sent[:1] + sorted(sent[1:], key=lambda n: n + chance.random() * PATIENCE)
        order = PacketOrder()
        heard = [n for each in arrivals(order, *sent) for n in each]
        heard += [int(p.payload) for p in order.flush()]
        assert heard == sorted(set(heard)), "in order, and once"
        assert len(heard) + order.dropped == len(sent)
        assert len(set(sent) - set(heard)) < 10, "hardly any waited in vain"
