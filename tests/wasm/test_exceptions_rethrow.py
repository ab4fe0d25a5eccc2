"""Rethrowing: the exception is the one its label names, however handlers nest."""

from __future__ import annotations

import pytest

from tests.wasm.assembler import assemble
from tests.wasm.engine import TAGS, Machine, main, result


@pytest.mark.parametrize("handler", ["catch $one\n drop", "catch_all"])
def test_a_rethrown_exception_keeps_its_values(handler: str) -> None:
    program = main(f"""
        try (result i32)
          try (result i32)
            local.get 0
            throw $one
          {handler}
            rethrow 0
          end
        catch $one
          i32.const 10
          i32.add
        end
    """)
    assert result(program, 5) == 15


def test_an_uncaught_rethrow_leaves_the_function() -> None:
    program = assemble(
        TAGS,
        {
            "inner": (
                "(param i32)",
                "",
                """
                try
                  local.get 0
                  throw $one
                catch_all
                  rethrow 0
                end
                """,
            ),
            "main": (
                "(param i32) (result i32)",
                "",
                """
                try (result i32)
                  local.get 0
                  call $inner
                  unreachable
                catch $one
                end
                """,
            ),
        },
    )
    assert result(program, 8) == 8


TWO_EXCEPTIONS = """
    try (result i32)
      try $outer (result i32)
        i32.const 1
        throw $one
      catch $one
        drop
        try $inner (result i32)
          i32.const 2
          throw $one
        catch_all
          {inside}
        end
        drop
        {after}
      end
    catch $one
    end
"""


@pytest.mark.parametrize(
    ("inside", "after", "expected"),
    [
        pytest.param("rethrow $outer", "unreachable", 1, id="outer from inner handler"),
        pytest.param("rethrow $inner", "unreachable", 2, id="inner from inner handler"),
        pytest.param("i32.const 0", "rethrow $outer", 1, id="outer after inner handler"),
        pytest.param("block\n rethrow $outer\n end\n i32.const 0", "unreachable", 1, id="block"),
        pytest.param("loop\n rethrow $inner\n end\n i32.const 0", "unreachable", 2, id="loop"),
    ],
)
def test_a_rethrow_names_the_handler_whose_exception_it_throws(
    inside: str, after: str, expected: int
) -> None:
    assert result(main(TWO_EXCEPTIONS.format(inside=inside, after=after)), 0) == expected


def test_an_inner_try_in_the_body_does_not_disturb_the_exception_of_the_outer_handler() -> None:
    program = main("""
        try (result i32)
          try $outer
            try $inner
              i32.const 1
              throw $one
            catch_all
              local.get 0
              i32.eqz
              br_if $inner
              rethrow $inner
            end
            i32.const 2
            throw $one
          catch_all
            try
              i32.const 3
              throw $one
            catch_all
            end
            rethrow $outer
          end
          unreachable
        catch $one
        end
    """)
    assert result(program, 0) == 2


def test_a_recursive_function_keeps_one_exception_per_call() -> None:
    program = assemble(
        TAGS,
        {
            "down": (
                "(param i32)",
                "",
                """
                try
                  local.get 0
                  throw $one
                catch $one
                  call $log
                  local.get 0
                  i32.eqz
                  br_if 0
                  try
                    local.get 0
                    i32.const 1
                    i32.sub
                    call $down
                  catch $one
                    call $log
                  end
                  rethrow 0
                end
                """,
            ),
            "main": (
                "(param i32)",
                "",
                "try\n local.get 0\n call $down\n catch $one\n call $log\n end",
            ),
        },
    )
    machine = Machine(program)
    machine.call("main", 3)
    assert machine.logged == [3, 2, 1, 0, 1, 2, 3]
