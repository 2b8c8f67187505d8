"""Figures that answer when they are moved: in Jupyter, in Colab and on the published page."""

from companion.explorers.cross_attention import CrossAttentionExplorer
from companion.explorers.decoder_layer import StackExplorer
from companion.explorers.embeddings import PositionExplorer
from companion.explorers.evaluation import EvaluationExplorer
from companion.explorers.generation import GenerationExplorer
from companion.explorers.masks import MaskExplorer
from companion.explorers.self_attention import AttentionExplorer
from companion.explorers.tokens import TokenExplorer
from companion.explorers.transformer import TransformerExplorer
from companion.explorers.translator import TranslatorExplorer

__all__ = [
    "AttentionExplorer",
    "CrossAttentionExplorer",
    "EvaluationExplorer",
    "GenerationExplorer",
    "MaskExplorer",
    "PositionExplorer",
    "StackExplorer",
    "TokenExplorer",
    "TransformerExplorer",
    "TranslatorExplorer",
]
