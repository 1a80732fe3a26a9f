"""Feeds damaged bytes to a reader until something else than its own error comes.

    PYTHONPATH=tui:tests python tests/fuzz/run.py READER [--seconds 900] [--seed N] [--inputs N]

READER is a name in `readers.READERS`, or a file that an earlier run has written (as READER FILE).
The inputs of a seed are always the same: real bytes and those of `corpus/READER`, damaged at
random. An input that gives a new answer is damaged further. After `BLOCK` inputs the next seed
begins anew, and the last line says with which seed to go on.

The first input for each place that raises, takes longer than `SLOW_S`, or more memory than
`MOST_MEMORY`, is told and written to the folder `found` beside the corpus. Once it is mended, it
goes to the corpus, which pytest reads each time.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mutate import mutated
from readers import READERS, Reader

from ckpt_tui.core.errors import Cancelled, CkptError

BLOCK = 2000
SLOW_S = 5
HANGS_S = 30
MOST_MEMORY = 2 << 30
MOST_POOL = 300

CORPUS = Path(__file__).parent / "corpus"


def first_inputs(name: str) -> list[bytes]:
    """Return real inputs, and those that once were findings."""
    kept = sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
    return [*READERS[name].first(), *(path.read_bytes() for path in kept)]


def inputs(name: str, seed: int, answered: Callable[[bytes], str]) -> Iterator[bytes]:
    """Yield the `BLOCK` inputs of a seed; `answered` reads one and says what came of it."""
    chance = Random(f"{name} {seed}")
    pool, answers = first_inputs(name), set[str]()
    for _ in range(BLOCK):
        data = mutated(chance.choice(pool), pool, READERS[name].words, chance)
        answer = answered(data)
        if answer not in answers and len(pool) < MOST_POOL:
            answers.add(answer)
            pool.append(data)
        yield data


def answer_of(reader: Reader, data: bytes) -> str:
    """Read an input; return the kind of error that it is, without numbers and names."""
    try:
        reader.read(data)
    except (CkptError, Cancelled) as error:
        return re.sub(r"'.*'|\d+", "", f"{type(error).__name__} {error}"[:300])
    return ""


class Hangs(BaseException):
    """Nothing that is read may catch it."""


def _hangs(*_: object) -> None:
    raise Hangs(f"not done after {HANGS_S} s")


@dataclass
class Watched:
    """A reader that goes on after what it finds."""

    name: str
    seen: set[str] = field(default_factory=set)
    slowest: float = 0

    def __call__(self, data: bytes) -> str:
        signal.setitimer(signal.ITIMER_REAL, HANGS_S)
        start = time.monotonic()
        try:
            return answer_of(READERS[self.name], data)
        except (Exception, Hangs) as error:
            self._found(error, data)
            return type(error).__name__
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            spent = time.monotonic() - start
            self.slowest = max(self.slowest, spent)
            if spent > SLOW_S:
                self._keep(f"slow-{spent:.0f}s", data)

    def _found(self, error: BaseException, data: bytes) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}"
        if place not in self.seen:
            traceback.print_exception(error)
            self._keep(place, data)

    def _keep(self, place: str, data: bytes) -> None:
        if place in self.seen:
            return
        self.seen.add(place)
        folder = CORPUS.parent / "found" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{place}-{hashlib.sha256(data).hexdigest()[:8]}"
        path.write_bytes(data)
        print(f"found: {path}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=sys.maxsize)
    given = parser.parse_args()
    if given.file:
        print(answer_of(READERS[given.reader], given.file.read_bytes()) or "read")
        return
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.signal(signal.SIGALRM, _hangs)
    watched, count, seed = Watched(given.reader), 0, given.seed
    end = time.monotonic() + given.seconds
    while time.monotonic() < end and count < given.inputs:
        for _ in inputs(given.reader, seed, watched):
            count += 1
            if time.monotonic() > end or count >= given.inputs:
                break
        seed += 1
    print(
        f"{given.reader}: {count:,} inputs, {len(watched.seen)} findings, slowest "
        f"{watched.slowest:.2f} s; go on with --seed {seed}",
        flush=True,
    )
    sys.exit(bool(watched.seen))


if __name__ == "__main__":
    main()
