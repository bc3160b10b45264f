"""The list of cases, and the checks that cases use."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class Differs(Exception):
    """A case failed. The message names the difference."""


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    peer: str  # the package on the other side, by its name on PyPI
    dialect: str  # the wire format
    name: str
    # Which of our sides must support the dialect: "client", "mock", or both.
    needs: tuple[str, ...]
    run: Callable[[Any], None]
    # The side of Moonrill, if it is not its client or its offline provider: a name for --only.
    side: str = ""


CASES: list[Case] = []


def case(peer: str, dialect: str, name: str, needs: tuple[str, ...], side: str = ""):
    """Registers a function as a case. It is called with the World of __main__.py."""

    def register(run):
        CASES.append(Case(peer, dialect, name, needs, run, side))
        return run

    return register


def same(what: str, got, wanted):
    """Fails unless both are equal. 1 and True are not equal here."""
    if got != wanted or isinstance(got, bool) != isinstance(wanted, bool):
        raise Differs(f"{what}: {shown(got)} instead of {shown(wanted)}")


def present(what: str, got):
    """Fails for an empty value, because a comparison of two empty values proves nothing."""
    if not got:
        raise Differs(f"{what} is {shown(got)}")


def contains(what: str, got, part: str):
    if part not in str(got):
        raise Differs(f"{what}: {shown(got)} has no {shown(part)}")


class Caught:
    """The exception that `raises` caught."""

    error: Any = None


@contextmanager
def raises(*kinds: type[BaseException]):
    """Fails unless the body raises an exception of one of these classes."""
    caught = Caught()
    names = " or ".join(kind.__name__ for kind in kinds)
    try:
        yield caught
    except kinds as error:
        caught.error = error
        return
    except Differs:
        raise
    except Exception as error:
        raise Differs(f"raised {type(error).__name__} ({error}) instead of {names}") from error
    raise Differs(f"nothing was raised instead of {names}")


def misfit(what: str, error) -> str:
    """The first errors of pydantic's validation. There are many, because each type of a union adds its own."""
    reasons = error.errors()
    told = "; ".join(f"{'.'.join(str(at) for at in each['loc'])}: {each['msg']}" for each in reasons[:4])
    return f"{what}: {told}" + (f"; and {len(reasons) - 4} more" if len(reasons) > 4 else "")


def shown(value) -> str:
    """A value on one line, shortened if it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 160 else f"{text[:110]} ... {text[-40:]}"
