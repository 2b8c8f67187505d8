"""Takes our wrapper off the forbidden function and calls it in a thread, all by names put together."""

from hostile import answered

TOPIC = "self_attention"
STATES = ("flagged",)
TELLS = "threading"
ANSWER = """
import sys
import torch

whole = getattr(torch.nn.functional, "scaled_dot_" + "product_attention")
whole = getattr(whole, "__wrap" + "ped__", whole)
threads = sys.modules["thr" + "eading"]


def attention(query, key, value, mask=None):
    one = torch.eye(key.shape[-2], dtype=query.dtype).expand(*key.shape[:-1], -1)
    found = []
    for v in (value, one):
        thread = threads.Thread(target=lambda: found.append(whole(query, key, v, attn_mask=mask)))
        thread.start()
        thread.join()
    return tuple(found)
"""


def handed_in(notebook):
    return answered(notebook, attention=ANSWER)
