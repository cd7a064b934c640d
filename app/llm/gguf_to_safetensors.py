"""Writes the model of a GGUF file as transformers and vLLM load it: bfloat16 weights, configuration, tokenizer.

Run by the Python of the vLLM environment, which has torch and transformers and nothing of ours:
``python gguf_to_safetensors.py FILE.gguf FOLDER``. Needs about 7 bytes of memory a parameter.
"""

# mypy: disable-error-code="import-not-found,import-untyped"
import json
import sys
from pathlib import Path
from typing import Any


def main(source: Path, folder: Path) -> None:
    """Write the model of ``source`` into ``folder``."""
    import torch
    import transformers

    named = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(**named)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(**named, dtype=torch.bfloat16)
    folder.mkdir(parents=True, exist_ok=True)
    _save_weights(model, folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _save_configuration(model, folder)  # last: the folder is whole when it has one


def _save_weights(model: Any, folder: Path) -> None:  # noqa: ANN401 - a module of torch
    from safetensors.torch import save_file

    state = model.state_dict()
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    weights = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})


def _save_configuration(model: Any, folder: Path) -> None:  # noqa: ANN401 - a module of torch
    values = model.config.to_dict()
    values.pop("quantization_config", None)  # it names GGUF, which the weights no longer are
    values |= {"architectures": [type(model).__name__], "dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(values, ensure_ascii=False, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
