"""How a peer in Python talks with the benchmark (ts/benchmark/peer.ts): one JSON command per line on stdin,
one JSON answer per line on stdout, with the CPU time that it took and the process's peak memory.
"""

import json
import os
import sys
import time
import traceback


def peak_bytes():
    """The most memory that was resident so far. The counter of getrusage(2) would begin with that of the parent."""
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def answer_all(commands):
    """Answers until 'quit'. `commands`: a function of the options, by name."""
    # The answers' own descriptor: whatever a library prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        options = json.loads(line)
        command = options.pop("command")
        if command == "quit":
            return
        begun = time.process_time()
        try:
            answer = commands[command](**options)
            answer["cpuSeconds"] = time.process_time() - begun
            answer["peakRssBytes"] = peak_bytes()
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)
