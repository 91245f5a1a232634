"""A process that reads source maps for digest, so that none of them can end digest.

``symbolic`` is native code: a script nested deeply enough overflows its stack, another
keeps it busy for minutes. Here that ends this process and nothing else: the kernel ends
it when a map takes longer or more memory than it may. Run as a script, it imports
nothing of rush_monitor; ``map_reader`` speaks to it.

Over standard input and output goes one JSON object a line:

    {"load": key, "script": bytes, "map": bytes, "seconds": s} and the two contents
        -> {"size": bytes} or {"error": text}
    {"look": [[key, line, column], ...], "lines": n}
        -> {"places": [[source, line, column, function, line or null, before, after],
            null where the map tells nothing, ...]}
    {"drop": [key, ...]} -> nothing
"""

import resource
import signal
import sys
import threading
from typing import Any

import orjson
from symbolic.exceptions import SymbolicError
from symbolic.sourcemapcache import SourceMapCache

# Deeply nested scripts are read by recursion. Only what is touched takes memory.
STACK_BYTES = 64 << 20
# A stack may still be there when the next one is made.
DATA_BYTES = 4 * STACK_BYTES + (512 << 20)
LOOK_SECONDS = 5.0
LINE_CHARACTERS = 300
# A parsed map lies in a file without a name, of which only the pages in use take
# memory. It has 1.9 times the bytes of its text (measured), with many names less.
SIZE_FACTOR = 2

Caches = dict[str, SourceMapCache]


def main() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _limit(resource.RLIMIT_DATA, DATA_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    threading.stack_size(STACK_BYTES)
    caches: Caches = {}
    while line := sys.stdin.buffer.readline():
        request = orjson.loads(line)
        if "load" in request:
            _answer(_load(caches, request))
        elif "look" in request:
            _answer(_look(caches, request))
        else:
            for key in request["drop"]:
                caches.pop(key, None)


def _limit(kind: int, most: int) -> None:
    try:
        resource.setrlimit(kind, (most, most))
    except (ValueError, OSError):
        return  # the system has none, or a lower one


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


def _load(caches: Caches, request: dict[str, Any]) -> dict[str, Any]:
    script = sys.stdin.buffer.read(request["script"])
    source_map = sys.stdin.buffer.read(request["map"])
    answer: dict[str, Any] = {}

    def parse() -> None:
        try:
            caches[request["load"]] = SourceMapCache.from_bytes(script, source_map)
            answer["size"] = SIZE_FACTOR * len(source_map)
        except SymbolicError as error:
            answer["error"] = str(error) or type(error).__name__

    # A thread of its own: its stack is given back.
    thread = threading.Thread(target=parse)
    # Without a handler the alarm ends the process, in native code as well.
    signal.setitimer(signal.ITIMER_REAL, request["seconds"])
    thread.start()
    thread.join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    return answer or {"error": "no answer"}


def _look(caches: Caches, request: dict[str, Any]) -> dict[str, Any]:
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS)
    places = [
        _place(caches[key], line, column, request["lines"])
        for key, line, column in request["look"]
    ]
    signal.setitimer(signal.ITIMER_REAL, 0)
    return {"places": places}


def _place(
    cache: SourceMapCache, line: int, column: int, lines: int
) -> list[Any] | None:
    """The place of a 1-based position: unlike maps, ``lookup`` counts both from 1."""
    try:
        token = cache.lookup(line, column, lines)
    except (SymbolicError, OverflowError):
        return None
    if token is None or not token.src or not token.line:
        return None
    function = token.function_name or ""
    return [
        _clean(token.src),
        token.line,
        token.col,
        "" if function == "<unknown>" else _clean(function),
        None if token.context_line is None else _clean(token.context_line),
        [_clean(text) for text in token.pre_context],
        [_clean(text) for text in token.post_context],
    ]


def _clean(text: str) -> str:
    """One line that PostgreSQL can hold."""
    return text.rstrip("\r\n")[:LINE_CHARACTERS].replace("\0", "\ufffd")


if __name__ == "__main__":
    main()
