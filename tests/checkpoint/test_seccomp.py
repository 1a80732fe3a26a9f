"""Which filters of system calls a thread has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.views.details import ref_sections
from crafted import ARCHIVES, copied, first, loaded, rewrite


def test_filters_of_every_process_are_told_in_words() -> None:
    checkpoint = loaded(ARCHIVES / "counter.tar.zst")
    (one,) = checkpoint.seccomp
    assert (one.numbers, one.instructions, one.flags) == ((0, 1), 1179, ("TSYNC",))
    assert "kexec_load" in one.verdicts["fail with EPERM"]
    assert "read" in one.verdicts["allow"]
    assert one.verdicts["allow or fail with ENOSYS"] == ("personality",)
    found = {t.tid: (t.seccomp, t.seccomp_filters) for p in checkpoint.processes for t in p.threads}
    assert found == {1: ("filter", (0,)), 8: ("filter", (1,))}
    section = next(
        s for s in ref_sections(checkpoint, Ref.process(8), False) if s.title == "Seccomp"
    )
    facts = {fact.label: str(fact.value) for fact in section.facts}
    assert facts["filter"] == "number 1 of seccomp.img"
    assert facts["size"] == "1,179 instructions, TSYNC"
    assert facts["allow"] == "311 system calls"
    assert "kexec_load" in facts["fail with EPERM"]


def test_filters_come_in_the_order_of_their_installation(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)

    def chain(message: Any) -> None:
        message.seccomp_filters[0].prev = 1
        message.seccomp_filters[1].prev = 0

    rewrite(images / "seccomp.img", first(chain))
    found = {p.pid: p.threads[0].seccomp_filters for p in loaded(images).processes}
    assert found == {1: (0, 1), 8: (1, 0)}, "a loop ends"


def test_before_3_10_a_process_had_one_filter(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)

    def older(message: Any) -> None:
        message.thread_core.ClearField("seccomp_mode")
        message.thread_core.ClearField("seccomp_filter")
        message.tc.old_seccomp_mode = 2
        message.tc.old_seccomp_filter = 1

    rewrite(images / "core-1.img", first(older))
    found = next(p for p in loaded(images).processes if p.pid == 1)
    assert (found.threads[0].seccomp, found.threads[0].seccomp_filters) == ("filter", (1,))


def test_a_filter_that_is_missing_is_said(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    (images / "seccomp.img").unlink()
    sections = ref_sections(loaded(images), Ref.process(1), False)
    facts = next(s.facts for s in sections if s.title == "Seccomp")
    assert [str(f.value) for f in facts] == ["filter, which is missing from seccomp.img"]
