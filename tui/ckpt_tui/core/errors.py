"""The errors of the program.

CkptError                 exit 1   something failed; says what, why and what to try
 ├─ UsageError            exit 2   the call itself was wrong
 ├─ SourceUnreachable     exit 3   the input cannot be reached: absent, no rights, no network
 ├─ NotACheckpoint        exit 1   readable, but nothing we know
 ├─ KeyNeeded             exit 1   encrypted, and no key at hand opens it; carries the key ids
 └─ DamagedInput          exit 1   bytes that contradict themselves; carries file and offset
Cancelled                 exit 130 the job was cancelled; not an error
"""

from __future__ import annotations


class CkptError(Exception):
    """A failure told in three sentences: what failed, why, and what to try (each may hold foreign
    text; printed and shown they pass through `printable`)."""

    exit_code = 1

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.hint) if part)


class UsageError(CkptError):
    """The call was wrong."""

    exit_code = 2


class SourceUnreachable(CkptError):
    """The input does not exist, may not be read, or does not answer."""

    exit_code = 3


class NotACheckpoint(CkptError):
    """The input can be read but is nothing this program knows."""


class KeyNeeded(CkptError):
    """Something is encrypted, and no key at hand opens it; `key_ids` name those that do."""

    def __init__(self, what: str, why: str, key_ids: tuple[str, ...] = ()) -> None:
        hint = "Name a private key: --key FILE, or `private_keys` in [encryption] of the settings."
        super().__init__(what, why, hint)
        self.key_ids = key_ids


class DamagedInput(CkptError):
    """Bytes that contradict themselves.

    `file` is the member or image they are in, `offset` the byte from its start.
    """

    def __init__(self, file: str, offset: int, problem: str, hint: str = "") -> None:
        super().__init__(f"{file} is damaged at byte {offset}:", problem, hint)
        self.file = file
        self.offset = offset
        self.problem = problem


class Cancelled(Exception):
    """The caller gave up. Raised by `Progress.tick`."""

    exit_code = 130


def notes_of(error: BaseException) -> list[str]:
    """Return what was added to an error and to what caused it, a sentence each."""
    causes = (error, error.__cause__)
    return [note for one in causes for note in getattr(one, "__notes__", ())]
