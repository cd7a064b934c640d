"""Accounts, tokens and the audit log."""

from datetime import timedelta

from app.errors import NotFound
from app.privacy.audit_log import AuditEntry, AuditFilter, Broken
from app.privacy.passwords import one_time_password
from app.privacy.rights import Account, Action
from app.service.desk.base import PAGE, Base
from app.storage.accounts import TokenInfo, TokenKind
from app.storage.paging import Page

_API_TOKEN_DAYS = 365


class Administration(Base):
    """Accounts, their tokens, and what was done."""

    def accounts(self) -> tuple[Account, ...]:
        """Every account.

        Raises:
            Denied: the account may not manage accounts.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        return self._parts.accounts.all()

    def save_account(self, account: Account, password: str | None = None) -> Account:
        """Keep a new or changed account; a password given here has to be changed at the next sign-in.

        Raises:
            Denied: the account may not manage accounts.
            Conflict: somebody else changed it meanwhile, or the name is taken.
            UserError: the password is too short, or nobody could manage accounts any more.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        saved = self._parts.accounts.save(account, password=password, must_change=password is not None)
        roles = " ".join(f"{g.role}{f'<{g.until:%Y-%m-%d}' if g.until else ''}" for g in saved.grants)
        self._log("save_account", "account", saved.name, roles)
        return saved

    def new_account(self, account: Account) -> str:
        """Keep a new account; gives its password for the first sign-in, which has to be changed there.

        Raises:
            Denied: the account may not manage accounts.
            Conflict: the name is taken.
        """
        password = one_time_password()
        self.save_account(account.model_copy(update={"version": 0}), password)
        return password

    def reset_password(self, name: str) -> str:
        """Give an account a password for one sign-in, and sign it out everywhere.

        Raises:
            Denied, NotFound: the account may not manage accounts, or there is none of that name.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        password = one_time_password()
        self.save_account(self._parts.accounts.get(name), password)
        return password

    def tokens(self, name: str) -> tuple[TokenInfo, ...]:
        """The sessions and API tokens of an account.

        Raises:
            Denied: the account may not manage accounts.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        return self._parts.accounts.tokens(name)

    def open_token(self, name: str, title: str, days: int = _API_TOKEN_DAYS) -> str:
        """A new API token for an account; it is shown this once.

        Raises:
            Denied, NotFound: the account may not manage accounts, or there is no such account.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        token = self._parts.accounts.open_token(name, TokenKind.API, timedelta(days=days), title)
        self._log("open_token", "account", name, title)
        return token

    def revoke_token(self, name: str, digest: str) -> None:
        """Take a token or session of an account back.

        Raises:
            Denied, NotFound: the account may not manage accounts, or has no such token.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        if all(token.digest != digest for token in self._parts.accounts.tokens(name)):
            raise NotFound(f"账号 {name} 没有这个令牌，请刷新。")
        self._parts.accounts.revoke(digest)
        self._log("revoke_token", "account", name)

    def audit_log(
        self, wanted: AuditFilter | None = None, cursor: str | None = None, limit: int = PAGE
    ) -> Page[AuditEntry]:
        """What was done, the newest first.

        Raises:
            Denied: the account may not read the log.
        """
        self.require(Action.READ_AUDIT_LOG)
        return self._parts.log.page(wanted or AuditFilter(), cursor, limit)

    def verify_audit_log(self) -> Broken | None:
        """The first place where the audit log was tampered with; ``None`` if it is whole.

        Raises:
            Denied: the account may not read the log.
        """
        self.require(Action.READ_AUDIT_LOG)
        return self._parts.log.verify()
