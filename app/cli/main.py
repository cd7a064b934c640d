"""The command line: ``bingli``."""

import sys

import typer
from typer.exceptions import Abort, TyperException

from app.cli.accounts import accounts_app
from app.cli.audit import audit
from app.cli.audit_log import audit_log_app
from app.cli.calibrate import calibrate
from app.cli.check import check
from app.cli.deid import deid
from app.cli.draft import draft
from app.cli.evaluate import eval_app
from app.cli.kb import kb_app
from app.cli.label import label_app
from app.cli.mcp import mcp
from app.cli.models import models_app
from app.cli.output import EXIT_FAILED, warn
from app.cli.rules import rules_app
from app.cli.serve import serve
from app.cli.terms import terms_app
from app.cli.usage import usage_sentence
from app.cli.verify import verify
from app.errors import UserError
from app.settings import go_offline

app = typer.Typer(
    help="bingli（病历）：本地、离线的住院病历质控与出院记录起草助手。",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(check)
app.command()(audit)
app.command()(draft)
app.command()(verify)
app.command()(calibrate)
app.command()(serve)
app.command()(mcp)
app.command()(deid)
app.add_typer(label_app, name="label")
app.add_typer(rules_app, name="rules")
app.add_typer(kb_app, name="kb")
app.add_typer(models_app, name="models")
app.add_typer(terms_app, name="terms")
app.add_typer(eval_app, name="eval")
app.add_typer(accounts_app, name="accounts")
app.add_typer(audit_log_app, name="audit-log")


def run() -> None:
    """Run the command line; every failure a user can meet is one sentence and status 2."""
    go_offline()
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    try:
        status = app(arguments, standalone_mode=False, prog_name="bingli")
    except UserError as error:
        warn(str(error))
        return EXIT_FAILED
    except TyperException as error:
        warn(usage_sentence(error))
        return EXIT_FAILED
    except (Abort, KeyboardInterrupt):
        warn("已中断。")
        return EXIT_FAILED
    except BrokenPipeError:
        return 0
    except MemoryError:
        warn("内存不足，请减少同时处理的病历。")
        return EXIT_FAILED
    return status if isinstance(status, int) else 0
