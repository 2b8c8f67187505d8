"""The base of every explorer: a widget in Jupyter and Colab, the same figure on a page without a kernel."""

import json
from html import escape
from pathlib import Path

import anywidget
import traitlets

MOUNT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def style(module_file: str) -> str:
    """The style of the explorer in `module_file`: what all explorers share, then the `.css` next to it."""
    shared, own = Path(__file__), Path(module_file)
    return "\n".join(path.with_suffix(".css").read_text(encoding="utf-8") for path in (shared, own))


class Explorer(anywidget.AnyWidget):
    """A figure that answers when it is moved, with or without a kernel.

    A subclass in `topic.py` names its sources, `_esm = Path(__file__).with_suffix(".js")` and
    `_css = style(__file__)`, keeps its state in traits tagged `sync=True`, and draws its `still()`.
    The module exports `{ render }` by default, as anywidget wants it: https://anywidget.dev/en/afm.
    """

    description = traitlets.Unicode(help="The alternative text.").tag(sync=True)

    def still(self) -> str:
        """The figure as it stands, in HTML that needs no script: for print, and until the script has run."""
        raise NotImplementedError(f"{type(self).__name__} needs a still().")

    def page_state(self) -> dict:
        """The synced state that is the explorer's own, as the module reads it: name to JSON value."""
        widget_traits = anywidget.AnyWidget.class_trait_names()
        own = (name for name in self.keys if not name.startswith("_") and name not in widget_traits)
        return {name: getattr(self, name) for name in sorted(own)}

    def page(self) -> str:
        """The explorer as HTML that needs no kernel, no other file and no other host."""
        source = json.dumps({"module": self._esm, "state": self.page_state()}, allow_nan=False)
        return (
            '<div class="explorer-page">\n'
            f"<style>\n{self._css}</style>\n"
            f'<div class="explorer explorer-still" role="img" aria-label="{escape(self.description)}">\n'
            f"{self.still()}\n</div>\n"
            '<div class="explorer-live"></div>\n'
            f'<script type="application/json">{_inside_script(source)}</script>\n'
            f"<script>\n{MOUNT}</script>\n"
            "</div>"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.description}"

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/html": self.page()}, metadata


def _inside_script(source: str) -> str:
    """JSON that cannot end, or comment out, the script element it stands in."""
    return source.replace("<", "\\u003c")
