"""`nn.Transformer` as tutorials use it, with the same table for both texts and for the head."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from solutions.embeddings import sinusoidal_positions
from solutions.transformer import Transformer


class Usual(nn.Module):
    """What `solutions.transformer.Transformer` is, made of torch's own layers; it is called the same way.

    Weights begin as `nn.Transformer` draws its own: uniform, as wide as Glorot and Bengio say.
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        n_layers: int,
        max_length: int,
        pad_id: int = 0,
        dropout: float = 0.0,
        norm_first: bool = True,
    ):
        super().__init__()
        self.pad_id = pad_id
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.register_buffer("positions", sinusoidal_positions(max_length, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        size = dict(d_model=d_model, nhead=n_heads, dim_feedforward=d_ff, dropout=dropout)
        how = dict(batch_first=True, norm_first=norm_first)
        norms = [nn.LayerNorm(d_model) if norm_first else None for _ in range(2)]
        self.transformer = nn.Transformer(
            d_model,
            custom_encoder=nn.TransformerEncoder(
                nn.TransformerEncoderLayer(**size, **how), n_layers, norms[0], enable_nested_tensor=False
            ),
            custom_decoder=nn.TransformerDecoder(
                nn.TransformerDecoderLayer(**size, **how), n_layers, norms[1]
            ),
            batch_first=True,
        )
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def embed(self, ids: Tensor) -> Tensor:
        scale = self.embedding.embedding_dim**0.5
        return self.dropout(self.embedding(ids) * scale + self.positions[: ids.shape[1]])

    def encode(self, source_ids: Tensor) -> Tensor:
        padding = source_ids == self.pad_id
        return self.transformer.encoder(self.embed(source_ids), src_key_padding_mask=padding)

    def decode(self, input_ids: Tensor, memory: Tensor, source_ids: Tensor) -> Tensor:
        length = input_ids.shape[1]
        future = nn.Transformer.generate_square_subsequent_mask(length, input_ids.device, torch.bool)
        return self.transformer.decoder(
            self.embed(input_ids),
            memory,
            tgt_mask=future,
            tgt_key_padding_mask=input_ids == self.pad_id,
            memory_key_padding_mask=source_ids == self.pad_id,
            tgt_is_causal=True,
        )

    def head(self, states: Tensor) -> Tensor:
        return F.linear(states, self.embedding.weight)

    def forward(self, source_ids: Tensor, input_ids: Tensor) -> Tensor:
        return self.head(self.decode(input_ids, self.encode(source_ids), source_ids))


@torch.no_grad()
def copy_weights(ours: Transformer, usual: Usual) -> None:
    """Give torch's layers the weights of ours, whose norms stand behind."""
    usual.embedding.weight.copy_(ours.embed.embedding.weight)
    for stack in ("encoder", "decoder"):
        mine, theirs = getattr(ours, stack), getattr(usual.transformer, stack)
        for layer, its in zip(mine.layers, theirs.layers, strict=True):
            _copy_layer(layer, its)


def _copy_layer(ours: nn.Module, theirs: nn.Module) -> None:
    norms = [theirs.norm1, theirs.norm2]
    attentions = [(ours.self_attention, theirs.self_attn)]
    own_norms = [ours.self_norm, ours.feed_norm]
    if hasattr(ours, "cross_attention"):
        attentions.append((ours.cross_attention, theirs.multihead_attn))
        norms.append(theirs.norm3)
        own_norms.insert(1, ours.cross_norm)
    for mine, its in attentions:
        three = (mine.query, mine.key, mine.value)
        its.in_proj_weight.copy_(torch.cat([layer.weight for layer in three]))
        its.in_proj_bias.copy_(torch.cat([layer.bias for layer in three]))
        its.out_proj.load_state_dict(mine.output.state_dict())
    for mine, its in zip(own_norms, norms, strict=True):
        its.load_state_dict(mine.state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward.up.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.down.state_dict())
