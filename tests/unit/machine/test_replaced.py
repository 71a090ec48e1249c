"""Functions that are replaced for some time."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest

from pytest_concurrency.machine.replaced import Replaced


class Base:
    def name(self) -> str:
        return "base"


class Derived(Base):
    pass


def louder(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: original(*args).upper()


def module() -> types.ModuleType:
    found = types.ModuleType("module")
    found.name = lambda: "module"  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("owner", [Base, Derived, Base(), module()], ids=["class", "inherited", "object", "module"])
def test_an_attribute_is_replaced_and_put_back(owner: Any) -> None:
    call = owner.name if not isinstance(owner, type) else lambda: owner().name()
    before, own = call(), dict(vars(owner))
    replaced = Replaced(owner, "name", louder)
    replaced.install()
    assert (owner().name() if isinstance(owner, type) else owner.name()) == before.upper()
    replaced.restore()
    assert dict(vars(owner)) == own
    replaced.restore()  # a second time changes nothing
    assert dict(vars(owner)) == own


def test_what_another_library_has_put_there_since_stays() -> None:
    owner = module()
    replaced = Replaced(owner, "name", louder)
    replaced.install()
    theirs = owner.name = lambda: "theirs"  # type: ignore[attr-defined]
    replaced.restore()
    assert owner.name is theirs


def test_what_cannot_be_replaced_needs_no_restoring() -> None:
    replaced = Replaced([], "append", louder)
    with pytest.raises(AttributeError):
        replaced.install()
    replaced.restore()
