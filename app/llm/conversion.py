"""The catalogue's model in the form that vLLM loads, made once from its GGUF file."""

import os
import shutil
import subprocess
from pathlib import Path

from app.errors import UserError
from app.llm.catalogue import ModelSpec
from app.llm.vllm_environment import require_environment
from app.settings import OFFLINE_ENVIRONMENT

_SCRIPT = Path(__file__).with_name("gguf_to_safetensors.py")


def converted_folder(spec: ModelSpec, folder: Path) -> Path:
    """Where the converted model stands beside its file in the model folder."""
    return folder / f"{spec.name}-safetensors"


def convert(source: Path, folder: Path, environment: Path) -> bool:
    """Convert a GGUF file by the transformers library of a vLLM environment.

    Args:
        source: the file.
        folder: to be made; appears only when it is whole. Weights take 2 bytes a parameter.
        environment: the virtual environment.

    Returns:
        Whether anything had to be done.

    Raises:
        UserError: the environment is not there, or cannot read the file.
    """
    if (folder / "config.json").is_file():
        return False
    require_environment(environment)
    half = folder.with_name(f"{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    done = subprocess.run(  # noqa: S603 - our own script
        [str(environment.absolute() / "bin" / "python"), str(_SCRIPT), str(source), str(half)],
        env=os.environ | OFFLINE_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(half, ignore_errors=True)
        reason = (done.stderr.strip().splitlines() or [f"状态 {done.returncode}"])[-1]
        raise UserError(f"不能转换模型 {source}（{reason}），请检查该文件、内存和磁盘空间。")
    half.rename(folder)
    return True
