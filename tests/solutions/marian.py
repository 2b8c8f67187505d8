"""A Marian model of transformers with the weights of ours, whose norms stand behind."""

from transformers import MarianConfig, MarianMTModel

from solutions.transformer import Transformer

THEIRS = {
    "self_attention.": "self_attn.", "cross_attention.": "encoder_attn.",
    "self_norm.": "self_attn_layer_norm.", "cross_norm.": "encoder_attn_layer_norm.",
    "feed_norm.": "final_layer_norm.", "feed_forward.up.": "fc1.",
    "feed_forward.down.": "fc2.", "query.": "q_proj.", "key.": "k_proj.", "value.": "v_proj.",
    "output.": "out_proj.", "embed.embedding.": "shared.",
}  # fmt: skip


def marian(ours: Transformer, begin_id: int, end_id: int) -> MarianMTModel:
    """The same model in evaluation mode. Its table of positions, laid out in another way, is overwritten."""
    layer, table = ours.decoder.layers[0], ours.embed.embedding.weight
    sizes = {"layers": len(ours.decoder.layers), "attention_heads": layer.self_attention.n_heads}
    sizes["ffn_dim"] = layer.feed_forward.up.out_features
    both = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in sizes.items()}
    theirs = MarianMTModel(
        MarianConfig(
            vocab_size=table.shape[0],
            d_model=table.shape[1],
            max_position_embeddings=len(ours.embed.positions),
            activation_function="relu",
            scale_embedding=True,
            pad_token_id=ours.pad_id,
            decoder_start_token_id=begin_id,
            eos_token_id=end_id,
            forced_eos_token_id=None,
            **both,
        )
    )
    state = theirs.state_dict()
    for name, weight in ours.named_parameters():
        for mine, its in THEIRS.items():
            name = name.replace(mine, its)
        assert f"model.{name}" in state, name
        state[f"model.{name}"] = weight
    for side in ("encoder", "decoder"):
        state[f"model.{side}.embed_positions.weight"] = ours.embed.positions
        state[f"model.{side}.embed_tokens.weight"] = table
    state["lm_head.weight"] = table
    theirs.load_state_dict(state)
    return theirs.eval()
