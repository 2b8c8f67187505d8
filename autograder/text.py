"""Strangers' text, made fit to be shown: without what moves cursors, rings bells or turns writing round."""


def safe(text: str) -> str:
    """The text without control, format and bidi characters; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text.replace("\t", "    "))
