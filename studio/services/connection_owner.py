"""Which user of this machine has opened a connection to the studio, from Linux's table of connections."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"
ROOT = 0

Address = tuple[str, int]


def is_from_another_user(client: Sequence[object] | None, server: Sequence[object] | None) -> bool:
    """Whether a connection between two addresses of this machine was opened by another user, and not by root.

    Always False where that cannot be told: on other systems than Linux, and in a studio that runs as root, which may
    serve any user. A connection that its other end has already closed belongs to nobody and counts as another user's.
    """
    us = os.getuid() if hasattr(os, "getuid") else ROOT
    if us == ROOT or client is None or server is None or not any(os.access(table, os.R_OK) for table in TABLES):
        return False
    owner = connection_owner((str(client[0]), int(str(client[1]))), (str(server[0]), int(str(server[1]))))
    return owner not in (us, ROOT)


def connection_owner(client: Address, server: Address) -> int | None:
    """The user id of the program that opened the connection, None if there is no such connection."""
    wanted = {(entry(client, mapped), entry(server, mapped)) for mapped in (False, True)}
    for table in TABLES:
        if not table.is_file():
            continue
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == ESTABLISHED and (fields[1], fields[2]) in wanted:
                return int(fields[7])
    return None


def entry(address: Address, mapped: bool) -> str:
    """An address as the table writes it: words of 32 bits in the machine's byte order, and the port, in hexadecimal.

    With `mapped`, an IPv4 address is written as the IPv6 address that stands for it.
    """
    number = ipaddress.ip_address(address[0])
    packed = ipaddress.ip_address(f"::ffff:{number}").packed if mapped and number.version == 4 else number.packed
    words = (int.from_bytes(packed[start : start + 4], sys.byteorder) for start in range(0, len(packed), 4))
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"
