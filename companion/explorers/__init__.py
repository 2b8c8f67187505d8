"""Figures that answer when they are moved: in Jupyter, in Colab and on the published page."""

from companion.explorers.masks import MaskExplorer

__all__ = ["MaskExplorer"]
