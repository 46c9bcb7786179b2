"""Run the random tests again and again with new seeds; each found example becomes a named test."""

import argparse
import secrets
import subprocess
import sys
import time

_WORKERS = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]


def main() -> int:
    """Return 0 where every round held, and the failing round's exit code otherwise."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=30, help="when to begin no further round")
    asked.add_argument("--seed", type=int, help="one round only, with this seed")
    options, more = asked.parse_known_args()
    ends = time.monotonic() + options.minutes * 60
    rounds = 0
    while True:
        seed = secrets.randbits(32) if options.seed is None else options.seed
        rounds += 1
        sys.stdout.write(f"round {rounds}: seed {seed}\n")
        sys.stdout.flush()
        if code := _round(seed, more):
            sys.stdout.write(f"failed; to repeat it: make fuzz ARGS='--seed {seed}'\n")
            return code
        if options.seed is not None or time.monotonic() >= ends:
            sys.stdout.write(f"{rounds} rounds, none failed\n")
            return 0


def _round(seed: int, more: list[str]) -> int:
    command = [
        sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", "--hypothesis-profile=fuzz",
        f"--hypothesis-seed={seed}", *_WORKERS, *more,
    ]  # fmt: skip
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
