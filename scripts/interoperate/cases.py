"""The cases: what is compared, with which peer, and how a difference is reported."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class Differs(Exception):
    """A case found something else than it must."""


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    peer: str  # the package on the other side, as PyPI calls it
    dialect: str  # the wire format between the two
    name: str
    # Which of our sides must support the dialect: "client", "mock", or both.
    needs: tuple[str, ...]
    run: Callable[[Any], None]


CASES: list[Case] = []


def case(peer: str, dialect: str, name: str, needs: tuple[str, ...]):
    """Registers a function of the world (see __main__) as a case."""

    def register(run):
        CASES.append(Case(peer, dialect, name, needs, run))
        return run

    return register


def same(what: str, got, wanted):
    """Fails unless both are equal; numbers and truth values are not mixed up."""
    if got != wanted or isinstance(got, bool) != isinstance(wanted, bool):
        raise Differs(f"{what}: {shown(got)} instead of {shown(wanted)}")


def present(what: str, got):
    """Fails for nothing: two empty texts are equal, and prove nothing."""
    if not got:
        raise Differs(f"{what} is {shown(got)}")


def contains(what: str, got, part: str):
    if part not in str(got):
        raise Differs(f"{what}: {shown(got)} has no {shown(part)}")


class Caught:
    """What `raises` caught."""

    error: Any = None


@contextmanager
def raises(*kinds: type[BaseException]):
    """Fails unless the body raises exactly one of these kinds or something derived from it."""
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
    """The first reasons why pydantic refused a value: each kind of a union adds its own."""
    reasons = error.errors()
    told = "; ".join(f"{'.'.join(str(at) for at in each['loc'])}: {each['msg']}" for each in reasons[:4])
    return f"{what}: {told}" + (f"; and {len(reasons) - 4} more" if len(reasons) > 4 else "")


def shown(value) -> str:
    """A value on one line, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 160 else f"{text[:110]} ... {text[-40:]}"
