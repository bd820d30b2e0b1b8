"""A DNS server that costs next to nothing: one TXT value for every name, silence for names in `silent…`.

python dns_answers.py VALUE    prints its port, serves until its input ends; then the most questions that
                               waited unanswered within one second, as one number
"""

import selectors
import socket
import struct
import sys
import time

WINDOW = 1.0


def main() -> None:
    value = sys.argv[1].encode()
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
    channel.bind(("127.0.0.1", 0))
    print(channel.getsockname()[1], flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(channel, selectors.EVENT_READ)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    record = b"\xc0\x0c" + struct.pack("!2HIHB", 16, 1, 60, len(value) + 1, len(value)) + value
    silent: dict[bytes, float] = {}
    while True:
        for key, _ in waiting.select():
            if key.fileobj is sys.stdin:
                print(_most_at_once(silent))
                return
            packet, sender = channel.recvfrom(2048)
            end = packet.index(b"\0", 12) + 5
            if packet[13:19] == b"silent":
                silent.setdefault(packet[12:end], time.monotonic())
                continue
            head = packet[:2] + b"\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00"
            channel.sendto(head + packet[12:end] + record, sender)


def _most_at_once(silent: dict[bytes, float]) -> int:
    """Names first asked within one window: none was answered, so all of them were in flight together."""
    times = sorted(silent.values())
    most = first = 0
    for last, moment in enumerate(times):
        while moment - times[first] > WINDOW:
            first += 1
        most = max(most, last - first + 1)
    return most


main()
