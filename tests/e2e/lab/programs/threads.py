"""Threads of Python that stand still, one that holds the GIL, and what Python says of their stacks.

/tmp/stacks.json is native thread id to [file, line, function] of each frame, the innermost first.
"""

import functools
import json
import sys
import threading
import time

HERE = "# stands here"


class Account:
    def __init__(self, owner):
        self.owner = owner
        self.me = self

    def wait(self, depth):
        if depth:
            return self.wait(depth - 1)
        return time.sleep(1e6)  # stands here


def with_locals(count, *rest, **more):
    text = "grüße"
    password = "hunter2-is-long"
    big, small, ratio, flag, nothing = 1 << 100, -5, 0.25, True, None
    raw = b"\x00\xffbytes"
    items, pairs, unique, several = [1, 2, 3], {"a": 1, "b": 2}, {1, 2}, (1, "x")
    loop = []
    loop.append(loop)
    account = Account("me")
    inner = 7

    def closure():
        return inner

    time.sleep(1e6)  # stands here
    return (
        text,
        password,
        big,
        small,
        ratio,
        flag,
        nothing,
        raw,
        items,
        pairs,
        unique,
        several,
        account,
    )


def numbers(count):
    yield from range(count)
    time.sleep(1e6)  # stands here


def generator():
    return sum(number * 2 for number in numbers(3))


def compare(left, right):
    time.sleep(1e6)  # stands here
    return left - right


def in_c():
    return sorted([3, 1, 2], key=functools.cmp_to_key(compare))


def spin():
    number = 1
    while number:  # stands here
        number = number * 5 % 7  # stands here


def stack_of(frame):
    found = []
    while frame is not None:
        name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
        found.append([frame.f_code.co_filename, frame.f_lineno, name])
        frame = frame.f_back
    return found


def is_there(frame, lines):
    return frame.f_lineno <= len(lines) and HERE in lines[frame.f_lineno - 1]


def main():
    jobs = [
        functools.partial(Account("you").wait, 5),
        functools.partial(with_locals, 3, "one", "two", key="value"),
        generator,
        in_c,
        spin,
    ]
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    with open(__file__) as file:
        lines = file.read().split("\n")
    while True:
        frames = sys._current_frames()
        ready = [thread for thread in threads if is_there(frames[thread.ident], lines)]
        if len(ready) == len(threads):
            break
        time.sleep(0.01)
    stacks = {thread.native_id: stack_of(frames[thread.ident]) for thread in threads}
    with open("/tmp/stacks.json", "w") as file:
        json.dump(stacks, file)
    open("/tmp/ready", "w").close()
    threads[0].join()


main()
