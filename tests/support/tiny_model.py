"""A tiny random model that vLLM can serve; it tests protocol, limits and concurrency, never meaning.

Run by the Python of the vLLM environment: ``python tiny_model.py FOLDER``. Makes a two-layer Qwen2 of random weights
(the same at every run) and a byte-level BPE tokenizer trained on a few sentences, about 300 KB.
"""

import sys
from pathlib import Path

SENTENCES = (
    "患者3天前受凉后出现咳嗽、咳痰，伴发热，体温最高38.5℃，无胸痛、咯血。",
    "既往有高血压病史10年，口服硝苯地平控释片30mg每日一次，血压控制可。",
    "查体：神志清楚，双肺呼吸音粗，右下肺可闻及湿性啰音，心律齐，腹软无压痛。",
    "否认手术、外伤、输血史，否认药物过敏史。",
    '只回答“是”或“否”。答案：{"v":"T","s":[1,2]}',
    "是否，" * 20,  # one token each, as for models that know Chinese
)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
POSITIONS = 4096


def main(folder: Path) -> None:
    """Write configuration, weights and tokenizer into ``folder``."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    torch.manual_seed(2)  # this one begins no character with half of its bytes
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=POSITIONS,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer():
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        SENTENCES, vocab_size=600, min_frequency=1, special_tokens=["<|im_start|>", "<|im_end|>"]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        chat_template=CHAT_TEMPLATE,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
