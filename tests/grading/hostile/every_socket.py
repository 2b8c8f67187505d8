"""Opens sockets of all families, kinds and protocols, and pairs of them."""

from hostile import first

CODE = """
import importlib

net = importlib.import_module("soc" + "ket")
for family in range(50):
    for kind in range(1, 11):
        for protocol in (0, 1, 6, 17, 58, 255):
            try:
                made = net.socket(family, kind, protocol)
                print("REACHED", made)
            except (OSError, ValueError):
                pass
        if family == 1:
            continue
        try:
            print("REACHED", net.socketpair(family, kind))
        except (OSError, ValueError):
            pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
