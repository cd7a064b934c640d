"""One client for every engine: it asks for a constrained answer and reads the confidence along with it."""

import copy
import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import jsonschema
from pydantic import BaseModel, Field, ValidationError

from app.llm.prompts import Message, Prompt

if TYPE_CHECKING:
    import openai
    from langchain_core.messages import AIMessage

Schema = Mapping[str, Any]
Constraint = Callable[[Schema], dict[str, Any]]
FailureKind = Literal["timeout", "unreachable", "truncated", "too_long", "invalid"]

_SEED = 1
_ALTERNATIVES = 20  # the most that the OpenAI protocol allows
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2
_CONTEXT_EXCEEDED = re.compile(
    r"context[ _](size|length|window)|maximum context|prompt is too long", re.IGNORECASE
)
_CONTROL_TOKEN = re.compile(r"<\|([^|<>]*)\|>")
_CODE_FENCE = re.compile(r"\s*```(?:json)?\s*(.*?)\s*```\s*", re.DOTALL)


class ModelFailure(Exception):  # noqa: N818  # the word of the design: a failure is an expected outcome
    """The model gave no usable answer.

    Attributes:
        kind: what went wrong, for programs and statistics.
        reason: the same in Chinese, without a full stop; holds neither record text nor the model's words.
    """

    def __init__(self, kind: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Adapter(NamedTuple):
    """Trained additions to a model's weights: their stable name, and the request fields that switch them on and off."""

    identity: str
    on: Mapping[str, Any]
    off: Mapping[str, Any]


class Alternative(NamedTuple):
    """A token the model could have written, with its natural-log probability."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenChance:
    """A token of an answer, with what else could have stood there.

    ``start`` is the offset, in code points, of its first character in the answer's text; a token that
    begins inside a character (rare characters are cut into bytes) starts at that character.
    ``alternatives`` are the likeliest tokens before any constraint was applied, itself included.
    """

    text: str
    start: int
    logprob: float
    alternatives: tuple[Alternative, ...]


class Usage(NamedTuple):
    """Tokens spent; ``cached_tokens`` of the prompt were served from the engine's prefix cache."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote; ``data`` is the parsed, conforming value when a schema was asked for.

    ``tokens`` is empty when the engine gave no log-probabilities that match the text; ``is_cut`` says that free text
    was longer than it might be.
    """

    text: str
    data: Any
    tokens: tuple[TokenChance, ...]
    usage: Usage
    is_cut: bool = False


def json_schema_format(schema: Schema) -> dict[str, Any]:
    """The constraint that every OpenAI-protocol engine understands."""
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": dict(schema), "strict": True},
        }
    }


class _LogprobEntry(BaseModel):
    """One entry of the protocol's ``logprobs.content``."""

    token: str
    token_bytes: list[Annotated[int, Field(ge=0, le=255)]] | None = Field(default=None, alias="bytes")
    logprob: Annotated[float, Field(le=0)]
    top_logprobs: "list[_LogprobEntry] | None" = None

    @property
    def raw(self) -> bytes:
        return (
            self.token.encode("utf-8", "surrogatepass")
            if self.token_bytes is None
            else bytes(self.token_bytes)
        )

    @property
    def text(self) -> str:
        return self.raw.decode("utf-8", "replace")


class _Logprobs(BaseModel):
    content: list[_LogprobEntry] | None = None


class LanguageModel:
    """A language model behind an OpenAI-protocol address; safe for use by several threads.

    Attributes:
        identity: stable name of the weights that answer; part of every cache key.
        context_tokens: how much prompt and answer together may take; ``None`` when the engine does not say.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model_name: str,
        identity: str,
        api_key: str,
        timeout_seconds: float,
        context_tokens: int | None = None,
        constrain: Constraint = json_schema_format,
        extra_fields: Mapping[str, Any] = MappingProxyType({}),
        tokenize: Callable[[str], int] | None = None,
        one_at_a_time: bool = False,
        adapter: Adapter | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            base_url: up to and including ``/v1``.
            model_name: the name the server knows the model by.
            identity: see the class.
            api_key: the server's key; any text when it has none.
            timeout_seconds: limit of one call.
            context_tokens: see the class.
            constrain: turns a JSON schema into the request fields that enforce it on this engine.
            extra_fields: what every request to this engine carries besides.
            tokenize: counts the tokens of a text exactly; raises ``OSError`` when it cannot.
            one_at_a_time: queue calls here, where waiting does not count towards the time limit.
            adapter: what ``adapted`` switches on.
        """
        import openai
        from langchain_openai import ChatOpenAI

        self.identity = identity
        self.context_tokens = context_tokens
        self._constrain = constrain
        self._extra_fields = {**extra_fields, **adapter.off} if adapter else extra_fields
        self._adapter = adapter
        self._tokenize = tokenize
        self._timeout_seconds = timeout_seconds
        self._turn: AbstractContextManager[object] = threading.Lock() if one_at_a_time else nullcontext()
        self._chat = ChatOpenAI(
            model=model_name,
            base_url=base_url,
            api_key=lambda: api_key,
            temperature=0,
            seed=_SEED,
            logprobs=True,
            top_logprobs=_ALTERNATIVES,
            timeout=timeout_seconds,
            max_retries=0,
            use_responses_api=False,
            openai_proxy=None,
            http_client=openai.DefaultHttpxClient(trust_env=not is_loopback(base_url)),
        )

    def adapted(self) -> "LanguageModel":
        """The model as trained to judge statements about a note, where its engine has that adapter; else itself."""
        if self._adapter is None:
            return self
        adapted = copy.copy(self)
        adapted.identity = f"{self.identity}+{self._adapter.identity}"
        adapted._extra_fields = {**self._extra_fields, **self._adapter.on}
        adapted._adapter = None
        return adapted

    def answer(
        self, prompt: Prompt, values: Mapping[str, object], *, schema: Schema | None, max_tokens: int
    ) -> Answer:
        """Ask, and accept nothing but a complete answer that conforms to ``schema``, or free text.

        Args:
            prompt: what to ask.
            values: what the prompt's texts are filled with.
            schema: JSON schema of the answer; keep it closed (enums, ``maxItems``), unbounded parts run
                away. ``None``: free text.
            max_tokens: a longer answer is a failure; free text is cut, and says so.

        Raises:
            ModelFailure: for whatever reason there is no such answer.
            UserError: the prompt file uses a value that is not among ``values``.
        """
        messages = [Message(role, _inert(content)) for role, content in prompt.messages(values)]
        message = self._ask(messages, self._request_fields(schema, max_tokens))
        is_cut = message.response_metadata.get("finish_reason") == "length"
        if is_cut and schema is not None:
            raise ModelFailure("truncated", f"模型的答复超过 {max_tokens} 个词元，未写完")
        text = message.content
        if not isinstance(text, str):
            raise ModelFailure("invalid", "模型的答复不是文本")
        return Answer(
            text=text,
            data=None if schema is None else _conforming(text, schema),
            tokens=tuple(_token_chances(text, message.response_metadata.get("logprobs"))),
            usage=_usage(message),
            is_cut=is_cut,
        )

    def count_tokens(self, text: str) -> int:
        """How many tokens ``text`` takes: exact where the engine tokenises for us, else an upper estimate.

        The turns' own frame (about 20 tokens a prompt) is not included.
        """
        if self._tokenize:
            try:
                return self._tokenize(text)
            except OSError:
                pass
        return estimated_tokens(text)

    def _request_fields(self, schema: Schema | None, max_tokens: int) -> dict[str, Any]:
        # Sent as plain body fields: langchain's own response_format path raises on truncated answers.
        fields = {"max_tokens": max_tokens, **self._extra_fields}
        if schema is None:
            return fields
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
            return fields | self._constrain(schema)
        except (jsonschema.SchemaError, ValueError) as error:
            raise ModelFailure("invalid", "答复格式的约定本身有误") from error

    def _ask(self, messages: list[Message], fields: dict[str, Any]) -> "AIMessage":
        import openai

        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._turn:
                    return self._chat.invoke(messages, extra_body=fields)
            except openai.APITimeoutError as error:
                raise ModelFailure("timeout", f"模型在 {self._timeout_seconds:g} 秒内没有答完") from error
            except openai.APIStatusError as error:
                if error.status_code < 500 or attempt == _ATTEMPTS:
                    raise _status_failure(error) from error
            except openai.APIConnectionError as error:
                if attempt == _ATTEMPTS:
                    raise ModelFailure("unreachable", "与模型服务的连接失败或中断") from error
            # A server that breaks the protocol surfaces as any of these from inside langchain.
            except (openai.OpenAIError, ValueError, TypeError, LookupError, AttributeError) as error:
                raise ModelFailure("invalid", "模型服务的答复不符合 OpenAI 协议") from error
            time.sleep(_PAUSE_SECONDS * attempt)
        raise AssertionError("the last attempt returns or raises")


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, which no proxy can reach."""
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}


def estimated_tokens(text: str) -> int:
    """An upper estimate for Chinese clinical text: letters of ASCII words count half, all else one."""
    letters = sum(character.isascii() and character.isalpha() for character in text)
    return len(text) - letters // 2


def choice_probabilities(answer: Answer, start: int, choices: Sequence[str]) -> dict[str, float]:
    """How probable the model found each of ``choices`` at offset ``start`` of the answer's text.

    A choice is recognised however the model cuts it into tokens (``T``, ``"T``, ``T"``), by its first
    token. A token with which several choices begin counts for the one that was answered if it was the
    token written, else in equal shares. The values sum to 1 over the offered choices.

    Returns:
        Empty when none of the choices is written at ``start``, or the answer has no log-probabilities there.
    """
    token = next((t for t in answer.tokens if t.start <= start < t.start + len(t.text)), None)
    written = [choice for choice in choices if answer.text.startswith(choice, start)]
    if token is None or not written:
        return {}
    lead = answer.text[token.start : start]
    weights = dict.fromkeys(choices, 0.0)
    for text, logprob in _with_itself(token):
        matching = [choice for choice in choices if _begins(text.removeprefix(lead).lstrip(' \n"'), choice)]
        if text == token.text:
            matching = [max(written, key=len)]
        for choice in matching:
            weights[choice] += math.exp(logprob) / len(matching)
    total = sum(weights.values())
    return {choice: weight / total for choice, weight in weights.items()}


def _with_itself(token: TokenChance) -> tuple[Alternative, ...]:
    if any(alternative.text == token.text for alternative in token.alternatives):
        return token.alternatives
    return (*token.alternatives, Alternative(token.text, token.logprob))


def _begins(text: str, choice: str) -> bool:
    """Whether ``text`` is the beginning of ``choice``, or ``choice`` and then something that ends it."""
    if not text:
        return False
    rest = text.removeprefix(choice)
    return choice.startswith(text) or (len(rest) < len(text) and not rest[0].isalnum())


def _inert(content: str) -> str:
    """The text with its control-token look-alikes broken: ``<|im_end|>`` in a record must end no turn."""
    return _CONTROL_TOKEN.sub(r"<¦\1¦>", content)


def _status_failure(error: "openai.APIStatusError") -> ModelFailure:
    if _CONTEXT_EXCEEDED.search(f"{error.message} {error.body}"):
        return ModelFailure("too_long", "文本超出模型的上下文长度")
    if error.status_code in (400, 422):
        return ModelFailure("invalid", f"模型服务拒绝了请求（HTTP {error.status_code}）")
    return ModelFailure("unreachable", f"模型服务出错（HTTP {error.status_code}）")


def _conforming(text: str, schema: Schema) -> Any:  # noqa: ANN401  # any JSON value
    fenced = _CODE_FENCE.fullmatch(text)
    try:
        # strict=False: engines let raw control characters into bounded strings.
        data = json.loads(fenced[1] if fenced else text, strict=False)
    except (ValueError, RecursionError) as error:
        raise ModelFailure("invalid", "模型的答复不是有效的 JSON") from error
    if not jsonschema.Draft202012Validator(schema).is_valid(data):
        raise ModelFailure("invalid", "模型的答复不符合约定的格式")
    return data


def _usage(message: "AIMessage") -> Usage:
    usage = message.usage_metadata
    if not usage:
        return Usage(0, 0, 0)
    details = usage.get("input_token_details") or {}
    return Usage(usage["input_tokens"], usage["output_tokens"], details.get("cache_read") or 0)


def _token_chances(text: str, logprobs: object) -> Iterator[TokenChance]:
    """The tokens with their places in ``text``; none at all when they do not spell it."""
    try:
        entries = _Logprobs.model_validate(logprobs).content or []
    except ValidationError:
        return
    begun = 0
    for entry in _spelling(entries, text.encode("utf-8", "surrogatepass")):
        raw = entry.raw
        if raw:
            yield TokenChance(
                text=entry.text,
                start=begun - _is_inside_character(raw[0]),
                logprob=entry.logprob,
                alternatives=tuple(
                    Alternative(other.text, other.logprob) for other in entry.top_logprobs or ()
                ),
            )
        begun += sum(not _is_inside_character(byte) for byte in raw)


def _spelling(entries: Sequence[_LogprobEntry], whole: bytes) -> Sequence[_LogprobEntry]:
    """The entries that spell ``whole``, or none.

    vLLM appends the token that ends the turn, and shows nothing of one that is cut inside a character: what was
    chosen there, and hence its probability, cannot be told.
    """
    spelt = b"".join(entry.raw for entry in entries)
    if len(entries) > 1 and spelt == whole + entries[-1].raw:
        entries = entries[:-1]
    elif spelt != whole:
        return ()
    return () if any(not entry.raw for entry in entries[:-1]) else entries


def _is_inside_character(byte: int) -> bool:
    """Whether the byte continues a UTF-8 character that an earlier byte began."""
    return byte & 0xC0 == 0x80
