"""Says on the channel what only our own code says elsewhere: that it ended well, that all walls stand."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
for said in ({"ended": {"code": 0}}, {"walls": {"up": [], "possible": []}}, {"ready": 1}, {"forget": "me"}):
    put(frame(json.dumps(said).encode()))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
