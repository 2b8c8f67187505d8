"""Sends a request, asks DNS, connects to abstract and plain Unix sockets."""

from hostile import first

CODE = r"""
import importlib

net = importlib.import_module("soc" + "ket")
web = importlib.import_module("urllib.request")
for address in (
    "http://127.0.0.1:8888/",
    "http://example.org/",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
):
    try:
        print(web.urlopen(address, timeout=2).read()[:500])
    except OSError:
        pass
for name in ("example.org", "localhost", "metadata.google.internal"):
    try:
        print("REACHED", net.getaddrinfo(name, 80))
    except OSError:
        pass
for name in ("/var/run/docker.sock", "/run/dbus/system_bus_socket", "\0abstract", "/tmp/.X11-unix/X0"):
    try:
        one = net.socket(1, 1)
        one.connect(name)
        print("REACHED", name)
    except OSError:
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
