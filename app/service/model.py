"""The language model as the service uses it: opened when first needed, shared, and allowed to be missing."""

import threading
import time
from contextlib import ExitStack

from app.llm.client import LanguageModel
from app.llm.engines import ModelUnavailable, open_model
from app.settings import Settings

_TRY_AGAIN_SECONDS = 30.0


class SharedModel:
    """One model for all that ask; safe for several threads."""

    def __init__(self, settings: Settings, *, is_used: bool) -> None:
        """Open the model of ``settings`` at the first call; ``is_used`` is false where nobody wants one."""
        self._settings = settings
        self._is_used = is_used
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._model: LanguageModel | None = None
        self._failed_at: float | None = None
        self._reason = "" if is_used else "服务以不使用语言模型的方式启动"

    def get(self) -> LanguageModel | None:
        """The model; ``None`` without one. A missing one is looked for again after a while."""
        with self._lock:
            if self._model is None and self._is_used and self._is_time_to_try():
                self._open()
            return self._model

    @property
    def is_open(self) -> bool:
        """Whether a model is open now."""
        return self._model is not None

    @property
    def reason(self) -> str:
        """Why there is no model, in Chinese; empty with one, or before it was asked for."""
        return self._reason

    def close(self) -> None:
        """Stop the model."""
        with self._lock:
            self._model = None
            self._is_used = False
            self._stack.close()

    def _is_time_to_try(self) -> bool:
        return self._failed_at is None or time.monotonic() - self._failed_at > _TRY_AGAIN_SECONDS

    def _open(self) -> None:
        try:
            self._model = self._stack.enter_context(open_model(self._settings))
            self._reason = ""
        except ModelUnavailable as error:
            self._failed_at, self._reason = time.monotonic(), str(error)
