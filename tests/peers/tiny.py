"""Writes a tiny llama of random numbers as GGUF: two layers, 64 wide, a vocabulary of bytes and a few syllables. What
it says means nothing. Run by the Python that has the packages `gguf` and `numpy`: `tiny.py FILE`."""

from __future__ import annotations

import sys

import gguf
import numpy as np

WIDTH, LAYERS, HEADS, INNER = 64, 2, 4, 128
SYLLABLES = [f"▁{first}{second}" for first in "abcdefghijklmnopqrstuvwxyz" for second in "aeiou"]
TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *SYLLABLES]
KIND = gguf.TokenType
KINDS = [KIND.UNKNOWN, KIND.CONTROL, KIND.CONTROL, *[KIND.BYTE] * 256, *[KIND.NORMAL] * (1 + len(SYLLABLES))]
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


def write(path: str) -> None:
    chance = np.random.default_rng(7)
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("tiny")
    out.add_context_length(2_048)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_vocab_size(len(TOKENS))
    out.add_tokenizer_model("llama")
    out.add_token_list([token.encode() for token in TOKENS])
    out.add_token_scores([0.0] * len(TOKENS))
    out.add_token_types([int(kind) for kind in KINDS])
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_unk_token_id(0)
    out.add_chat_template(TEMPLATE)

    def tensor(name: str, *shape: int) -> None:
        out.add_tensor(f"{name}.weight", (chance.standard_normal(shape) * 0.1).astype(np.float32))

    def norm(name: str) -> None:
        out.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))

    tensor("token_embd", len(TOKENS), WIDTH)
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"blk.{layer}.{part}", WIDTH, WIDTH)
        for part in ("ffn_gate", "ffn_up"):
            tensor(f"blk.{layer}.{part}", INNER, WIDTH)
        tensor(f"blk.{layer}.ffn_down", WIDTH, INNER)
        norm(f"blk.{layer}.attn_norm")
        norm(f"blk.{layer}.ffn_norm")
    norm("output_norm")
    tensor("output", len(TOKENS), WIDTH)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    write(sys.argv[1])
