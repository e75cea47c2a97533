"""What is on the wire, as tshark sees it."""

import shutil
import subprocess

import pytest

TSHARK = shutil.which("tshark")


@pytest.fixture
def capture(namespace, start, tmp_path):
    """capture(port): a tshark that records it; then capture.stop() and its file. In a network of its own, whose lo cuts
    the batches of UDP_SEGMENT into packets before anyone sees them."""
    if not TSHARK:
        pytest.skip("tshark is not installed")
    subprocess.run([*namespace, "ip", "link", "set", "lo", "gso_max_segs", "1"], check=True)

    class Capture:
        file = str(tmp_path / "capture.pcapng")

        def __init__(self, port):
            self.port = port
            self.process = start(
                [*namespace, TSHARK, "-l", "-i", "lo", "-f", f"udp port {port}", "-B", "64", "-w", self.file, "-P"]
                + ["-d", f"udp.port=={port},sctp", "-T", "fields", "-e", "sctp.chunk_type"]
            )
            try:
                self.process.err.wait_text("Capture started")
            except AssertionError:
                pytest.skip(f"tshark cannot capture: {self.process.err.text()[-300:]}")

        def wait_chunk(self, kind, count):
            """Until so many packets that begin with it were captured."""
            self.process.out.wait_match(rf"^{kind}\b", count)

        def stop(self):
            self.process.signal(2)
            self.process.wait()

        def fields(self, *names, only="udp"):
            """A row for each frame, dissected with checksums verified."""
            command = [TSHARK, "-r", self.file, "-d", f"udp.port=={self.port},sctp", "-o", "sctp.checksum:CRC-32C", "-Y", only]
            command += ["-T", "fields"] + [part for name in names for part in ("-e", name)]
            result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            return [line.split("\t") for line in result.stdout.splitlines()]

    return Capture


def test_dissects_as_sctp(serve, join, capture, namespace):
    """tshark dissects a capture of the UDP port as SCTP without a malformed packet or a wrong checksum."""
    server = serve(prefix=namespace)
    recorded = capture(server.port)
    ann, bob = (join(server, prefix=namespace) for _ in range(2))
    for size in (1, 2, 3, 4, 100, 1000, 1400, 5000, 60000):
        ann.say("a" * size)
        bob.out.wait_text("a" * size + "\n")
    bob.say("".join(f"line {number}\n" for number in range(3000)).encode())
    ann.out.wait_text("line 2999\n")
    bob.out.wait_text("line 2999\n")
    for client in (ann, bob):
        client.end_input()
        assert client.wait() == 0
    server.wait_log("down", 2)
    recorded.wait_chunk(14, 2)  # SHUTDOWN COMPLETE to each is the last
    recorded.stop()

    rows = recorded.fields("frame.protocols", "sctp.checksum.status", "udp.length", "_ws.malformed", "udp.checksum.status")
    assert len(rows) > 100
    protocols = {row[0] for row in rows}
    assert all(each.startswith("eth:ethertype:ip:udp:sctp") for each in protocols), protocols
    assert {row[1] for row in rows} == {"1"}, "1 is good"
    assert {row[3] for row in rows} == {""}
    assert max(int(row[2]) for row in rows) <= 1500 - 20, "no datagram is larger than an Ethernet takes"
    assert recorded.fields("frame.number", only="_ws.malformed || _ws.expert.severity == error") == []
    kinds = {int(kind) for row in recorded.fields("sctp.chunk_type") for kind in row[0].split(",")}
    assert {0, 1, 2, 3, 7, 8, 10, 11, 14} <= kinds
    assert not kinds & {6, 9, 12, 13}, "no ABORT, ERROR or ECN in a peaceful chat"
