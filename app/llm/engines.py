"""Opening the language model that the settings name: embedded, or any OpenAI-protocol server."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from app.errors import UserError
from app.llm.catalogue import ModelSpec, ModelState, file_sha256, model_folder, model_spec, model_state
from app.llm.client import Adapter, LanguageModel, Schema, is_loopback, json_schema_format
from app.settings import Settings

_LOOPBACK = "127.0.0.1"
_PROBE_TIMEOUT_SECONDS = 5.0
_PROMPT_CACHE_MIB = 256  # two full contexts of the default model
_SILENT = -1
ADAPTER = "statements"
# Models that think aloud by default (Qwen3) would spend the answer's tokens on it. Other servers than these, named as
# they call themselves in their list of models, may refuse a field that they do not know.
_NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
_TAKE_TEMPLATE_FIELDS = frozenset({"llamacpp", "vllm"})
_COMPACT = {"x-guidance": {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}}


class ModelUnavailable(UserError):  # noqa: N818
    """There is no model to ask: its file is missing or corrupt, or its server does not answer."""


class EmbeddedServer(NamedTuple):
    """A llama.cpp server inside this process; it ends when its context ends."""

    spec: ModelSpec
    url: str
    api_key: str


class _Remote(NamedTuple):
    model_name: str
    context_tokens: int | None = None
    engine: str = ""
    parent: str | None = None


@contextmanager
def open_model(settings: Settings) -> Iterator[LanguageModel]:
    """The model that ``settings.model`` names: a name of the catalogue, or a server's URL.

    Raises:
        ModelUnavailable: the model file is missing or corrupt, or the server does not answer.
        UserError: the catalogue has no such model.
    """
    if urlsplit(settings.model).scheme in ("http", "https"):
        yield _remote_model(settings)
        return
    with embedded_server(settings, api_key=secrets.token_urlsafe()) as server:
        yield LanguageModel(
            base_url=f"{server.url}/v1",
            model_name=server.spec.name,
            identity=f"{server.spec.name}@{server.spec.sha256[:8]}",
            api_key=server.api_key,
            timeout_seconds=settings.model_timeout_seconds,
            context_tokens=settings.model_context_tokens,
            constrain=compact_grammar,
            tokenize=_Tokenizer(server),
            one_at_a_time=True,
            adapter=_own_adapter(settings.model_adapter),
        )


@contextmanager
def embedded_server(settings: Settings, *, api_key: str, port: int = 0) -> Iterator[EmbeddedServer]:
    """Run the catalogue model of ``settings`` as a server on loopback; 0 takes any free port.

    Raises:
        ModelUnavailable: the model file is missing or corrupt, or the engine cannot load it.
        UserError: the catalogue has no such model.
    """
    spec = model_spec(settings.model)
    path = verified_file(spec, model_folder(settings))
    if settings.model_adapter and not settings.model_adapter.is_file():
        raise ModelUnavailable(f"没有适配器文件 {settings.model_adapter}，请检查 BINGLI_MODEL_ADAPTER。")
    try:
        server = _start(spec, path, settings, api_key, port)
    except RuntimeError as error:
        raise ModelUnavailable(
            f"内嵌引擎无法载入模型 {spec.name}，请检查可用内存，端口是否被占用，适配器（如有）是否属于该模型。"
        ) from error
    yield EmbeddedServer(spec, server.listening_address, api_key)
    del server


def compact_grammar(schema: Schema) -> dict[str, Any]:
    """The constraint of llama.cpp: the schema without any optional white space, which costs tokens.

    Raises:
        ValueError: the engine cannot express the schema.
    """
    from xllamacpp import json_schema_to_grammar

    return {"grammar": json_schema_to_grammar(dict(schema) | _COMPACT)}


def verified_file(spec: ModelSpec, folder: Path) -> Path:
    """The file of a model in ``folder``, its checksum verified.

    Raises:
        ModelUnavailable: it is missing or corrupt, or cannot be read.
    """
    path = folder / spec.file
    try:
        state = model_state(spec, folder)
    except OSError as error:
        raise ModelUnavailable(f"不能读取模型文件 {path}（{error.strerror}），请检查其权限。") from error
    if state is ModelState.VERIFIED:
        return path
    if state is ModelState.CORRUPT:
        raise ModelUnavailable(f"模型文件 {path} 已损坏（校验和不符），请运行 bingli models pull 重新取得。")
    raise ModelUnavailable(f"本机还没有模型 {spec.name}（{path}），请先运行 bingli models pull。")


def _loaded_adapter(identity: str, place: int) -> Adapter:
    """The adapter that llama.cpp has loaded at ``place``.

    Both ways have to be said: a request that does not mention it is answered from what was read with it.
    """
    on, off = ({"lora": [{"id": place, "scale": scale}]} for scale in (1.0, 0.0))
    return Adapter(identity, on, off)


def _own_adapter(path: Path | None) -> Adapter | None:
    return _loaded_adapter(f"{ADAPTER}@{file_sha256(path)[:8]}", 0) if path else None


def _start(spec: ModelSpec, path: Path, settings: Settings, api_key: str, port: int) -> Any:  # noqa: ANN401
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = {spec.name}
    parameters.hostnames = [_LOOPBACK]
    parameters.port = port
    parameters.api_keys = [api_key]
    parameters.n_parallel = 1
    parameters.n_ctx = settings.model_context_tokens
    parameters.fit_params = False
    parameters.cache_ram_mib = _PROMPT_CACHE_MIB
    parameters.cpuparams.n_threads = settings.model_threads
    parameters.cpuparams_batch.n_threads = settings.model_threads
    parameters.warmup = False
    parameters.ui = False
    parameters.endpoint_slots = False  # it would show the text of prompts
    parameters.verbosity = _SILENT
    if settings.model_adapter:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path = str(settings.model_adapter)
        adapter.scale = 0.0  # until a request asks for it
        parameters.lora_adapters = [adapter]
    return xllamacpp.Server(parameters)


class _Tokenizer:
    """Counts tokens by asking the embedded server."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._client = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {server.api_key}"}, trust_env=False
        )

    def __call__(self, text: str) -> int:
        try:
            return len(
                self._client.post("/tokenize", json={"content": text}).raise_for_status().json()["tokens"]
            )
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise OSError(str(error)) from error


def _remote_model(settings: Settings) -> LanguageModel:
    base_url = settings.model.rstrip("/")
    if not urlsplit(base_url).path:
        base_url += "/v1"
    models = _served_models(base_url, settings)
    remote = _chosen(models, base_url, settings)
    return LanguageModel(
        base_url=base_url,
        model_name=remote.model_name,
        identity=f"{remote.model_name}@{urlsplit(base_url).netloc}",
        api_key=settings.model_api_key,
        timeout_seconds=settings.model_timeout_seconds,
        context_tokens=remote.context_tokens,
        constrain=compact_grammar if remote.engine == "llamacpp" else json_schema_format,
        extra_fields=_NO_THINKING if remote.engine in _TAKE_TEMPLATE_FIELDS else {},
        adapter=_served_adapter(remote, models, base_url, settings),
    )


def _served_models(base_url: str, settings: Settings) -> dict[str, _Remote]:
    """The models that the server lists."""
    try:
        response = _got(f"{base_url}/models", settings)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelUnavailable(f"模型服务 {base_url} 没有答复，请检查网址和服务是否已启动。") from error
    if response.status_code in (401, 403):
        raise ModelUnavailable(f"模型服务 {base_url} 不接受密钥，请检查 BINGLI_MODEL_API_KEY。")
    return _listed_models(response)


def _got(url: str, settings: Settings) -> httpx.Response:
    with httpx.Client(trust_env=not is_loopback(url), timeout=_PROBE_TIMEOUT_SECONDS) as client:
        return client.get(url, headers={"Authorization": f"Bearer {settings.model_api_key}"})


def _chosen(models: dict[str, _Remote], base_url: str, settings: Settings) -> _Remote:
    """The model that the settings name, or the first; a server without a list is believed if the settings name one."""
    if settings.model_name is not None:
        return models.get(settings.model_name, _Remote(settings.model_name))
    if not models:
        raise ModelUnavailable(
            f"模型服务 {base_url} 没有列出模型，请检查网址，或用 BINGLI_MODEL_NAME 指定模型名。"
        )
    return next(iter(models.values()))


def _listed_models(response: httpx.Response) -> dict[str, _Remote]:
    """The listed models by name, with context length, engine and base model as vLLM and llama.cpp give them."""
    try:
        entries = response.raise_for_status().json()["data"]
        return {
            str(entry["id"]): _Remote(
                str(entry["id"]), _context_tokens(entry), str(entry.get("owned_by")), entry.get("parent")
            )
            for entry in entries
        }
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
        return {}


def _context_tokens(entry: dict[str, Any]) -> int | None:
    length = entry.get("max_model_len") or (entry.get("meta") or {}).get("n_ctx")
    return length if isinstance(length, int) else None


def _served_adapter(
    remote: _Remote, models: dict[str, _Remote], base_url: str, settings: Settings
) -> Adapter | None:
    """The adapter as the server has it: a model of its own name on vLLM, a loaded file on llama.cpp."""
    if remote.engine == "llamacpp":
        return _adapter_of_llama(base_url, settings)
    beside = models.get(ADAPTER)
    is_served = beside is not None and beside.parent == remote.model_name
    return Adapter(ADAPTER, on={"model": ADAPTER}, off={}) if is_served else None


def _adapter_of_llama(base_url: str, settings: Settings) -> Adapter | None:
    try:
        loaded = _got(f"{base_url.removesuffix('/v1')}/lora-adapters", settings).raise_for_status().json()
        places = [each["id"] for each in loaded if Path(each["path"]).stem == ADAPTER]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return _loaded_adapter(ADAPTER, places[0]) if places else None
