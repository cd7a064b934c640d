"""Errors as application/problem+json (RFC 9457), in Chinese; nothing of the inside is ever shown."""

import logging
import traceback
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.errors import Conflict, Denied, NotFound, UserError
from app.llm.engines import ModelUnavailable

logger = logging.getLogger(__name__)

TITLES: Mapping[int, str] = {
    400: "请求有误",
    401: "需要登录",
    403: "没有权限",
    404: "没有找到",
    405: "方法不可用",
    409: "状态冲突",
    413: "请求过大",
    422: "内容有误",
    429: "请求过于频繁",
    500: "程序内部出错",
    503: "暂时不可用",
}
_STATUS: tuple[tuple[type[UserError], int], ...] = (
    (Denied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (ModelUnavailable, 503),
    (UserError, 422),
)
_INSIDE = "程序内部出错，请求没有完成；请重试，仍不行请连同时间报告给管理员。"
_WORDS: Mapping[str, str] = {
    "missing": "缺少",
    "extra_forbidden": "是未知的字段",
    "string_too_long": "过长",
    "string_too_short": "过短",
    "json_invalid": "不是有效的 JSON",
    "literal_error": "的取值不在可用的范围内",
    "enum": "的取值不在可用的范围内",
}


class SignInNeeded(UserError):  # noqa: N818
    """Nobody is signed in, or the token is not known any more (401)."""


class TooOften(UserError):  # noqa: N818
    """Too many requests (429); ``wait_seconds`` is how long to wait."""

    def __init__(self, sentence: str, wait_seconds: float) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


def problem_response(status: int, detail: str, path: str) -> JSONResponse:
    """The answer to a request that came to nothing."""
    content = {
        "type": "about:blank",
        "title": TITLES.get(status, "请求没有完成"),
        "status": status,
        "detail": detail,
        "instance": path,
    }
    return JSONResponse(content, status, media_type="application/problem+json")


def status_of(error: UserError) -> int:
    """The HTTP status of an error that a user can mend."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` as a problem."""
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _inside)


async def _user_error(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, SignInNeeded):
        response = problem_response(401, str(error), request.url.path)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    if isinstance(error, TooOften):
        response = problem_response(429, str(error), request.url.path)
        response.headers["Retry-After"] = str(max(1, round(error.wait_seconds)))
        return response
    assert isinstance(error, UserError)  # noqa: S101
    return problem_response(status_of(error), str(error), request.url.path)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header"))
    message = str(first["msg"]).removeprefix("Value error, ")
    said = _WORDS.get(str(first["type"])) or (message if not message.isascii() else "的类型或取值不对")
    return problem_response(422, f"请求中的 {place or '内容'} {said}，请按接口说明更正。", request.url.path)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    said = str(error.detail)
    detail = (
        said if not said.isascii() else f"{TITLES.get(error.status_code, '请求没有完成')}，请核对地址和方法。"
    )
    response = problem_response(error.status_code, detail, request.url.path)
    response.headers.update(error.headers or {})
    return response


async def _inside(request: Request, error: Exception) -> JSONResponse:
    # The message of an exception may quote a record; only its kind and place are logged.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    logger.error(
        "%s failed: %s at %s:%s", request.url.path, type(error).__name__, frame.filename, frame.lineno
    )
    return problem_response(500, _INSIDE, request.url.path)
