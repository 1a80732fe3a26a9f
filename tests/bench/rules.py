"""Measures the log doctor on hostile text: `.venv/bin/python tests/bench/rules.py`.

Seconds are CPU time, each the best of some; nothing is written. What is measured, and its budget:

rule   the slowest rule alone on each of a few hundred lines of 4 KiB, which repeat what
       patterns begin with: 5 ms a line
log    a log of 40 KiB of such lines, or of one such line: 1 s
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS)]

from ckpt_tui.core.progress import quiet  # noqa: E402
from ckpt_tui.core.window import BytesWindow  # noqa: E402
from ckpt_tui.diagnose.doctor import diagnose_log  # noqa: E402
from ckpt_tui.diagnose.linear import PatternSet  # noqa: E402
from ckpt_tui.diagnose.log import read_log  # noqa: E402
from ckpt_tui.diagnose.rules import rules  # noqa: E402

ROUNDS = 3
LINE = 4096
LOG = 40 << 10
RULE_BUDGET_MS = 5
LOG_BUDGET_S = 1

HEADS = (
    "",
    "Error (criu/x.c:1): ",
    "(00.1) pie: 1: ",
    'level=error msg="',
    "Running on a Linux b ",
)
UNITS = (
    *(
        "\\",
        '"',
        '" ',
        "'",
        "b'",
        "&",
        "(00.1",
        "> ",
        "*",
        "pie: ",
        'msg="',
        '": ',
        "\\n",
        " ",
        "1:",
    ),
    *("x", "a: ", "\x1b[", "Error (", "Error (a.c:1): ", "Warn  (a.c:1): ", "level=error ", "\xff"),
    *(
        "Can't open file a -> ",
        "Failed writing to ",
        "Can't bind ",
        "Mount 1 nvidia (master_id: 1 ",
    ),
    *(
        "x.img",
        "/.criu.mntns.a",
        "No mapping for ",
        "Unable to ",
        "failed to ",
        "mnt: Can't mount at ",
    ),
)


def lines(length: int) -> Iterator[str]:
    for head in HEADS:
        for unit in UNITS:
            yield (head + unit * (length // len(unit)))[:length]


def seconds(run: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        run()
        best = min(best, time.process_time() - begun)
    return best


def slowest_rule() -> tuple[float, str]:
    texts = [*lines(LINE)]
    worst = (0.0, "")
    for rule in rules():
        alone = PatternSet(rule.patterns)
        took = max(seconds(partial(alone.matching, text)) for text in texts)
        worst = max(worst, (took, rule.id))
    return worst


def slowest_log() -> tuple[float, str]:
    logs = [line.encode("latin1") for line in lines(LOG)]
    logs += [f"{line}\n".encode("latin1") * (LOG // LINE) for line in lines(LINE)]
    return max((seconds(partial(diagnosed, log)), repr(log[:40])) for log in logs)


def diagnosed(data: bytes) -> None:
    diagnose_log(read_log(BytesWindow(data), quiet()))


def main() -> None:
    took, name = slowest_rule()
    print(f"rule  {took * 1000:8.2f} ms  of {RULE_BUDGET_MS}  {name}")
    log_took, log_name = slowest_log()
    print(f"log   {log_took:8.2f} s   of {LOG_BUDGET_S}  {log_name}")
    sys.exit(took * 1000 > RULE_BUDGET_MS or log_took > LOG_BUDGET_S)


if __name__ == "__main__":
    main()
