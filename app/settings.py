"""Every setting, its environment variable (``BINGLI_…``) and its default."""

import os
from pathlib import Path

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from app.errors import UserError

OFFLINE_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "ANONYMIZED_TELEMETRY": "False",
    "RAGAS_DO_NOT_TRACK": "true",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "TOKENIZERS_PARALLELISM": "false",
}


def go_offline() -> None:
    """Forbid downloads and telemetry in every library; call before the first heavy import."""
    os.environ.update(OFFLINE_ENVIRONMENT)


class Settings(BaseSettings):
    """Settings from the environment, then ``bingli.toml`` in the working directory, then defaults."""

    model_config = SettingsConfigDict(env_prefix="BINGLI_", toml_file="bingli.toml", extra="forbid")

    data_dir: Path = Field(
        default=Path(platformdirs.user_data_dir("bingli", appauthor=False)),
        description="模型、知识库索引、缓存和密钥所在的文件夹",
    )
    profile: str = Field(default="national", description="评分方案")
    model: str = Field(default="qwen2.5-coder-1.5b", description="模型目录中的名称，或 OpenAI 协议服务的网址")
    model_name: str | None = Field(default=None, description="远程服务上的模型名；缺省取服务列出的第一个")
    model_api_key: str = Field(default="EMPTY", description="远程服务的密钥", repr=False)
    model_timeout_seconds: float = Field(default=120.0, gt=0, description="一次模型调用的时限（秒）")
    model_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1, gt=0, description="内嵌模型的线程数"
    )
    model_context_tokens: int = Field(default=4096, ge=1024, description="内嵌模型的上下文长度（词元）")
    label_producer: str = Field(
        default="001100000000000000000000000",
        pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$",
        description="服务提供者编码（GB 45438-2025 ContentProducer，建议 27 位）",
    )
    label_key: str | None = Field(
        default=None, description="标识完整性校验的密钥；缺省在数据文件夹中自动生成", repr=False
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit values win, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**overrides: object) -> Settings:
    """Read the settings.

    Args:
        overrides: values given on the command line; ``None`` means not given.

    Raises:
        UserError: a setting has an impossible value, or ``bingli.toml`` is no TOML.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"设置 {name} 的值不可用（{first['msg']}），请检查环境变量 BINGLI_{name.upper()} 或 bingli.toml。"
        ) from error
    except ValueError as error:
        raise UserError(f"bingli.toml 不是有效的 TOML（{error}），请更正该文件。") from error
