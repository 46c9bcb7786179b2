"""From decision to the running kernel: nftables in a network namespace of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rows import Row, hand_over
from benchmarks.scale import fill, timed
from benchmarks.stage import service_in
from connector.service.service import Service
from connector.sync.view import EVERYTHING

NFTABLES = "  kernel: {{list: all, adapter: nftables, options: {{netns: {netns}}}}}"


def addresses(service: Service) -> list[str]:
    """Return the addresses of the list."""
    with service.store.database.read() as transaction:
        found = service.store.wanted.values_sorted(transaction, 1)
        return [one.shown for _number, one, _rank in found]


def load_alone(netns: str, elements: list[str]) -> None:
    """Have nft put them into a set of its own."""
    script = (
        "add table inet alone\nadd set inet alone everyone { type ipv4_addr; }\n"
        f"add element inet alone everyone {{ {', '.join(elements)} }}\n"
    )
    command = ["ip", "netns", "exec", netns, "nft", "-f", "-"]
    subprocess.run(command, input=script.encode(), check=True)


def main(size: int) -> None:
    """Measure and hand the rows over; without root or nft there is nothing to measure."""
    goal = "5 s"
    what = f"{size:,} addresses from decision to kernel"
    if os.geteuid() != 0 or shutil.which("nft") is None or shutil.which("ip") is None:
        hand_over([Row(what, "not measured: needs root, nftables and iproute2", goal)])
        return
    netns = f"connector-bench-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            lines = [NFTABLES.format(netns=netns)]
            service = service_in(Path(folder), "bundle, path: .", lines)
            fill(service, size, "ipv4")
            decided = timed(lambda: service.lists.refresh("all", everything=True))
            written = timed(lambda: service.outputs.sync("kernel", EVERYTHING))
            verified = timed(lambda: service.outputs.sync("kernel", EVERYTHING))
            asked = min(timed(service.outputs["kernel"].target.adapter.stamp) for _ in range(9))
            alone = timed(lambda: load_alone(netns, addresses(service)))
            service.close()
    finally:
        subprocess.run(["ip", "netns", "delete", netns], check=True)
    hand_over(
        [
            Row(what, f"{decided + written:.1f} s ({decided:.1f} decided, {written:.1f} written)",
                goal),
            Row(f"written, against `nft -f` of the same {size:,}",
                f"{written / alone:.1f} times ({alone:.2f} s)", "8 times"),
            Row(f"the same {size:,} read back and compared", f"{verified:.1f} s"),
            Row("asked whether others changed the kernel's rules", f"{asked * 1000:.2f} ms",
                "10 ms"),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]))
