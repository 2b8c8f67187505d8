"""Takes all memory with lists, bytes and strings."""

from hostile import first

STATES = ("graded", "student fault")
CODE = """
taken = []
for make in (lambda: [0] * 10**9, lambda: bytearray(10**10), lambda: "x" * 10**10, lambda: bytes(2**40)):
    try:
        make()
        print("REACHED")
    except MemoryError:
        pass
while True:
    taken.append(bytearray(2**20))
"""


def handed_in(notebook):
    return first(notebook, CODE)
