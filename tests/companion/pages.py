"""What a page of explorers is opened with, and what it may not ask for."""

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def is_outside(url):
    return not url.startswith(("file:", "blob:", "data:"))
