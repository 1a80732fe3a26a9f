"""Names of Rust functions: the legacy form, which is one of C++, and v0 (RFC 2603)."""

from __future__ import annotations

from ckpt_tui.stacks.rust_v0 import demangled_v0

HASH = 17
"""Characters of the last part of a legacy name: h and 16 hexadecimal digits."""

ESCAPES = {
    "SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ",",
}  # fmt: skip


def demangled_rust(name: str) -> str:
    """Return the path of a function without its hash; empty where the name is not of Rust.

    Raises:
        OddName: it is one of Rust, but not in a way that is read here.
    """
    if name.startswith("_R"):
        return demangled_v0(name[2:].partition(".")[0])
    body, _, _ = name.partition(".llvm.")
    if body.startswith("_ZN") and body.endswith("E"):
        return _legacy(body[3:-1])
    return ""


def _legacy(body: str) -> str:
    parts = []
    while body:
        digits = body[: len(body) - len(body.lstrip("0123456789"))]
        if not digits or len(digits) > 4:
            return ""
        size = int(digits)
        part, body = body[len(digits) :][:size], body[len(digits) + size :]
        if len(part) < size:
            return ""
        parts.append(part)
    is_hash = parts and len(parts[-1]) == HASH and parts[-1][0] == "h"
    if not is_hash or parts[-1][1:].strip("0123456789abcdef"):
        return ""
    return "::".join(_unescaped(part) for part in parts[:-1])


def _unescaped(part: str) -> str:
    part = part.removeprefix("_") if part.startswith("_$") else part
    pieces = part.replace("..", "::").split("$")
    if len(pieces) % 2 == 0:
        return part
    return "".join(
        piece if number % 2 == 0 else _escape(piece) for number, piece in enumerate(pieces)
    )


def _escape(code: str) -> str:
    if code in ESCAPES:
        return ESCAPES[code]
    digits = code[1:]
    if code[:1] == "u" and 0 < len(digits) < 6 and not digits.strip("0123456789abcdef"):
        return chr(int(digits, 16))
    return f"${code}$"
