"""Faults while a program is restored lazily; `lazy_faults.py` makes as many as one likes."""

from __future__ import annotations

from lab import Lab
from lazy_faults import one_fault, prepare

from fault_server import FaultServer


def test_what_became_of_the_memory_is_said(lab: Lab, server: FaultServer) -> None:
    target = prepare(lab, server)
    found = [one_fault(lab, server, target, number) for number in range(8)]
    assert [one for one in found if one.wrong] == []
