"""Where a process may die: the stages of a request, and what stands in the books when one is its last."""

from __future__ import annotations

import threading

import pytest
from world import World, error_type


class Crash(BaseException):
    pass


def test_the_hook_sees_each_stage(world: World) -> None:
    stages: list[str] = []
    answered = threading.Event()  # a server gets there after its client has the answer

    def hook(reached: str) -> None:
        stages.append(reached)
        if reached.startswith("answered"):
            answered.set()

    world.sandbox.faults["kashoo"].hook = hook
    path = f"POST /api/businesses/{world.sandbox.books.main()}/contacts/customers"
    for kind, reached in (("drop_before", 1), ("drop_after", 2), ("duplicate", 3), ("too_many", 3)):
        stages.clear()
        world.fail(kind)
        if reached < 3:
            error_type(world.create)
        else:
            world.create()
            assert answered.wait(5)
        answered.clear()
        wanted = ("received", "answered") if kind == "too_many" else ("received", "processed", "answered")[:reached]
        assert stages == [f"{stage} {path}" for stage in wanted], kind


@pytest.mark.parametrize(("stage", "written"), [("received", []), ("processed", ["Acme"]), ("answered", ["Acme"])])
@pytest.mark.parametrize("world", ["in process"], indirect=True)
def test_what_the_hook_raises_reaches_a_client_in_process_as_it_is(
    world: World, stage: str, written: list[str]
) -> None:
    crash = Crash(stage)

    def hook(reached: str) -> None:
        if reached.startswith(stage):
            raise crash

    world.sandbox.faults["kashoo"].hook = hook
    with pytest.raises(Crash) as caught:
        world.create()
    assert caught.value is crash
    assert world.customers() == written
    world.sandbox.faults["kashoo"].hook = None
    assert world.create("Next").status_code == 201
    assert world.customers() == [*written, "Next"]
