"""A core file as a debugger reads it: notes by kind, and bytes of memory by address."""

from __future__ import annotations

import struct
from pathlib import Path


class ReadCore:
    """An ELF core file of 64 bits, read with the layouts of elf(5) and linux/elfcore.h."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        head = struct.unpack_from("<16sHHIQQQIHHHHHH", self.data)
        assert head[0][:6] == b"\x7fELF\2\1"
        assert head[1] == 4, "ET_CORE"
        self.machine = head[2]
        count = head[10]
        if count == 0xFFFF:
            count = struct.unpack_from("<I", self.data, head[6] + 44)[0]
        entries = [
            struct.unpack_from("<IIQQQQQQ", self.data, head[5] + 56 * n) for n in range(count)
        ]
        self.loads = [entry for entry in entries if entry[0] == 1]
        """Type, flags, offset, address, physical address, bytes in the file, bytes in memory."""
        (note,) = (entry for entry in entries if entry[0] == 4)
        self.notes = list(self._notes(note[2], note[2] + note[5]))

    def _notes(self, at: int, end: int) -> list[tuple[int, bytes]]:
        found = []
        while at < end:
            name, size, kind = struct.unpack_from("<III", self.data, at)
            at += 12 + (name + 3) // 4 * 4
            found.append((kind, self.data[at : at + size]))
            at += (size + 3) // 4 * 4
        return found

    def of_kind(self, kind: int) -> list[bytes]:
        """Return the contents of the notes of a kind."""
        return [data for one, data in self.notes if one == kind]

    def registers(self, count: int) -> list[tuple[int, ...]]:
        """Return the general registers of each thread, behind 112 bytes of other facts."""
        return [struct.unpack_from(f"<{count}Q", data, 112) for data in self.of_kind(1)]

    def threads(self) -> list[int]:
        """Return the thread id of each NT_PRSTATUS."""
        return [struct.unpack_from("<I", data, 32)[0] for data in self.of_kind(1)]

    def memory(self, address: int, length: int) -> bytes | None:
        """Return bytes of memory, None where the file has none."""
        for _, _, offset, start, _, stored, *_ in self.loads:
            if start <= address and address + length <= start + stored:
                return self.data[offset + address - start :][:length]
        return None

    def files(self) -> list[tuple[int, int, int, str]]:
        """Return NT_FILE: start, end, page offset and path of each mapping."""
        (data,) = self.of_kind(0x46494C45)
        count, _ = struct.unpack_from("<QQ", data)
        names = data[16 + 24 * count :].decode().split("\0")
        places = struct.iter_unpack("<QQQ", data[16 : 16 + 24 * count])
        return [(*place, name) for place, name in zip(places, names, strict=False)]
