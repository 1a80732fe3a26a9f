"""Faults in lazy restores, at moments that a seed gives: `python tests/e2e/lazy_faults.py 50`.

A program of three processes is restored lazily, by `serve`, out of a registry behind a slow link.
Meanwhile the server is killed or ended, the registry goes away for good or for a second, or the
program is killed. Each time the server has to say what became of the memory, and the program must
not have run with wrong memory unless that was said.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    TESTS = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS), str(TESTS / "bench"), str(TESTS / "e2e")]

from lab import Lab
from test_lazy import DUMPED, pasted

from ckpt_tui.sources.link import Link, LinkProxy
from fault_server import FaultServer
from lazy_dumps import in_registry, serve_program

LINK = Link(20_000_000, 0.02)
LONGEST_S = 1.5
"""Seconds after the start of the restore until the fault, at most."""

SIZE_MIB = 64

PATIENCE_S = 1

RUN = """
cd /; rm -f /host/ticks/* /host/going
({printed} --manage-cgroups=ignore >&2) &  # it waits where pages are away before the program runs
restoring=$!
touch /host/going /host/ticks/CHECK
for _ in $(seq {turns}); do
    [ ! -e /host/kill ] || {{ pkill -KILL -x python3 || :; rm -f /host/kill; }}
    if [ -s /host/ticks/bad.parent ] && [ -s /host/ticks/bad.one ] && [ -s /host/ticks/bad.two ] &&
        ! pgrep -x criu >/dev/null; then break; fi
    kill -0 $restoring 2>/dev/null || pgrep -x python3 >/dev/null || break
    sleep 0.1
done
for name in parent one two; do echo "$(cat /host/ticks/bad.$name 2>/dev/null || echo -)"; done
grep -ac Error {log} || :
"""


@dataclass(frozen=True)
class Outcome:
    """What came of a restore with a fault."""

    fault: str
    after_s: float
    code: int
    errors: str
    bad: tuple[str, ...]
    """Wrong pages of each process, `-` where it did not get to tell."""
    criu_errors: int

    @property
    def wrong(self) -> str:
        """What is not as it has to be, or nothing."""
        is_right = self.bad == ("0", "0", "0")
        has_wrong = any(one not in ("0", "-") for one in self.bad)
        if "Traceback" in self.errors:
            return "a traceback"
        if not self.errors and self.bad == ("-", "-", "-") and self.fault == "ended":
            return ""  # before a restore had begun
        if self.code == 0 and not (is_right or self.fault == "program"):
            return "all is said to be well, and it is not"
        said = {
            "pause": is_right and self.code == 0 and "Done." in self.errors,
            "registry": is_right or (not has_wrong and "waits for pages" in self.errors),
            "ended": is_right or "reads as zeros" in self.errors,
            "killed": is_right or self.criu_errors > 0 or self.code == 0,
            "program": self.errors.count("requests") >= 1,
        }
        return "" if said[self.fault] else "it is not said what became of the memory"


FAULTS = ("pause", "registry", "ended", "killed", "program")


def one_fault(lab: Lab, server: FaultServer, target: str, number: int) -> Outcome:
    """Restore once, with the fault of this number."""
    chosen = random.Random(number)
    fault, after_s = FAULTS[number % len(FAULTS)], chosen.uniform(0, LONGEST_S)
    images = lab.host / f"images-{number}"
    port = int(server.host.rpartition(":")[2])
    proxy = LinkProxy(LINK, "127.0.0.1", port)
    away = target.replace(server.host, f"127.0.0.1:{proxy.address[1]}")
    (lab.host / "kill").unlink(missing_ok=True)
    with serve_program(away, "--images", images, "--patience", PATIENCE_S) as program:
        lines = RUN.format(
            printed=pasted(lab, program),
            log=f"/host/{images.name}/lazy-pages.log",
            turns=300 if fault == "pause" else 30,
        )
        with lab.started(lines) as inside:
            time.sleep(after_s)
            if fault == "pause":
                proxy.pause(0.7)
            elif fault == "registry":
                proxy.close()
            elif fault in ("ended", "killed"):
                program.send(signal.SIGTERM if fault == "ended" else signal.SIGKILL)
            else:
                (lab.host / "kill").touch()
            printed, _ = inside.communicate(timeout=60)
        is_told = fault in ("ended", "killed")
        code, errors = program.end(0 if is_told else signal.SIGTERM)
    proxy.close()
    shutil.rmtree(images, ignore_errors=True)
    *bad, criu_errors = printed.split()[-4:]
    return Outcome(fault, after_s, code, errors, tuple(bad), int(criu_errors))


def prepare(lab: Lab, server: FaultServer) -> str:
    """Dump the program into a registry; return its name."""
    lab.script(DUMPED.replace("SIZE", str(SIZE_MIB)))
    (lab.host / "dump/dump.log").unlink(missing_ok=True)
    return in_registry(server, lab.host / "dump")


def main() -> None:
    from lazy import own_lab

    count, first = map(int, (*sys.argv[1:], *("50", "0")[len(sys.argv) - 1 :]))
    failed = 0
    server = FaultServer()
    try:
        with own_lab() as lab:
            target = prepare(lab, server)
            for number in range(first, first + count):
                found = one_fault(lab, server, target, number)
                failed += bool(found.wrong)
                said = found.errors.strip().replace("\n", " / ")
                told = f"{number} {found.fault} after {found.after_s:.2f} s: exit {found.code}"
                print(f"{told}, bad {' '.join(found.bad)}: {said} [{found.wrong}]", flush=True)
    finally:
        server.close()
    print(f"{count} faults, {failed} not told rightly")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
