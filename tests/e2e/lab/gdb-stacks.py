"""For gdb: print the frames of every thread of a core file as one line of JSON."""

import json

import gdb

MAX_FRAMES = 3000

gdb.execute("set backtrace past-main on")
found = {}
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frames, frame = [], gdb.newest_frame()
    while frame is not None and len(frames) < MAX_FRAMES:
        if frame.type() != gdb.INLINE_FRAME:
            frames.append([frame.pc(), frame.name() or ""])
        try:
            frame = frame.older()
        except gdb.error:
            break
    found[thread.ptid[1]] = frames
print("STACKS " + json.dumps(found))
