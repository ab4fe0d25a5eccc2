"""Delegating: past the handlers between, to another try or to the caller."""

from __future__ import annotations

import pytest

from tests.wasm.assembler import assemble
from tests.wasm.engine import TAGS, main, result


def test_a_delegate_to_the_caller_passes_by_every_handler_of_the_function() -> None:
    program = assemble(
        TAGS,
        {
            "inner": (
                "(param i32) (result i32)",
                "",
                """
                try (result i32)
                  try (result i32)
                    try (result i32)
                      i32.const 6
                      throw $one
                    delegate 2
                  catch_all
                    unreachable
                  end
                catch_all
                  unreachable
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
                catch $one
                  i32.const 10
                  i32.add
                end
                """,
            ),
        },
    )
    assert result(program, 0) == 16


def test_a_function_that_delegates_to_its_caller_still_returns_and_branches() -> None:
    program = main("""
        try (result i32)
          block $b
            local.get 0
            i32.const 1
            i32.eq
            br_if $b
            local.get 0
            i32.const 2
            i32.eq
            i32.eqz
            br_if $b
            i32.const 20
            return
          end
          try (result i32)
            i32.const 30
            local.get 0
            i32.const 3
            i32.eq
            br_if 2
          delegate 1
          i32.const 1
          i32.add
        catch_all
          i32.const -1
        end
    """)
    assert [result(program, argument) for argument in (1, 2, 3)] == [31, 20, 30]


DELEGATION = """
    try $outer (result i32)
      block $plain (result i32)
        loop $again (result i32)
          try $middle (result i32)
            try (result i32)
              local.get 0
              throw $one
            delegate {target}
          catch $one
            i32.const 200
            i32.add
          end
        end
      end
    catch $one
      i32.const 100
      i32.add
    end
"""


@pytest.mark.parametrize(
    ("target", "expected"), [("$middle", 205), ("$again", 105), ("$plain", 105), ("$outer", 105)]
)
def test_a_delegate_goes_to_the_try_it_names_or_to_the_one_around_the_block(
    target: str, expected: int
) -> None:
    assert result(main(DELEGATION.format(target=target)), 5) == expected


def test_a_delegate_to_a_try_from_its_own_handler_passes_by_that_try() -> None:
    program = main("""
        try (result i32)
          try $named (result i32)
            throw $empty
          catch_all
            try (result i32)
              try (result i32)
                i32.const 5
                throw $one
              delegate $named
            catch_all
              unreachable
            end
          end
        catch $one
        end
    """)
    assert result(program, 0) == 5


def test_a_delegate_to_a_delegating_try_goes_where_that_one_goes() -> None:
    program = main("""
        try $outer (result i32)
          try $skipped (result i32)
            try $first (result i32)
              try (result i32)
                try (result i32)
                  local.get 0
                  throw $one
                delegate $first
              catch_all
                unreachable
              end
            delegate $outer
          catch_all
            unreachable
          end
        catch $one
        end
    """)
    assert result(program, 9) == 9


def test_a_delegate_to_a_try_without_catches_goes_on_outwards() -> None:
    program = main("""
        try (result i32)
          try $empty (result i32)
            try (result i32)
              try (result i32)
                local.get 0
                throw $one
              delegate $empty
            catch_all
              unreachable
            end
          end
        catch $one
        end
    """)
    assert result(program, 9) == 9


def test_a_delegated_exception_is_offered_to_every_catch_of_its_target() -> None:
    program = main("""
        try (result i32)
          try $target (result i32)
            try (result i32)
              try (result i32)
                local.get 0
                throw $one
              delegate $target
            catch_all
              unreachable
            end
          catch $empty
            unreachable
          catch $two
            unreachable
          end
          unreachable
        catch $empty
          unreachable
        catch $one
        end
    """)
    assert result(program, 9) == 9


def test_a_rethrow_of_a_delegated_exception_keeps_its_values() -> None:
    program = main("""
        try (result i32)
          try $target (result i32)
            try (result i32)
              try (result i32)
                local.get 0
                throw $one
              delegate $target
            catch_all
              unreachable
            end
          catch_all
            rethrow $target
          end
        catch $one
        end
    """)
    assert result(program, 9) == 9


@pytest.mark.parametrize("throws", [False, True])
def test_delegating_and_receiving_tries_take_parameters(throws: bool) -> None:
    program = main(f"""
        i32.const 50
        local.get 0
        try $target (param i32) (result i32)
          try (param i32) (result i32)
            try (param i32) (result i32)
              {"throw $one" if throws else ""}
              i32.const 1
              i32.add
            delegate $target
          catch_all
            unreachable
          end
        catch $one
          i32.const 10
          i32.add
        end
        i32.add
    """)
    assert result(program, 5) == (65 if throws else 56)
