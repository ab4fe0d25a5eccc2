"""Catching: which handler takes an exception, and what it gets."""

from __future__ import annotations

import pytest

from tests.wasm.engine import behaviour, main, result


def test_a_try_whose_body_does_not_throw_leaves_its_result() -> None:
    program = main("""
        try (result i32)
          local.get 0
        catch_all
          i32.const 99
        end
    """)
    assert result(program, 5) == 5


def test_a_catch_gets_the_values_of_the_exception_in_order() -> None:
    program = main(
        """
        try (result i32 i64)
          local.get 0
          i64.const 70
          throw $two
        catch $two
        end
        """,
        "(param i32) (result i32 i64)",
    )
    assert behaviour(program, 5)[0] == [5, 70]


def test_an_exception_thrown_by_a_called_function_is_caught() -> None:
    program = main("""
        try (result i32)
          local.get 0
          call $thrower
          i32.const 1
        catch $one
          i32.const 10
          i32.add
        end
    """)
    assert result(program, 5) == 15


def test_an_exception_of_another_tag_passes_by_a_catch() -> None:
    program = main("""
        try (result i32)
          try (result i32)
            local.get 0
            throw $one
          catch $empty
            i32.const 1
          end
          drop
          i32.const 2
        catch $one
          i32.const 10
          i32.add
        end
    """)
    assert result(program, 5) == 15


@pytest.mark.parametrize(("argument", "expected"), [(0, 100), (1, 300), (2, 207), (3, 300), (4, 1)])
def test_the_catch_is_chosen_by_the_tag(argument: int, expected: int) -> None:
    program = main("""
        try $t (result i32)
          block $two
            block $one
              block $empty
                block $none
                  local.get 0
                  br_table $empty $one $two $one $none
                end
                i32.const 1
                br $t
              end
              throw $empty
            end
            i32.const 6
            throw $one
          end
          i32.const 7
          i64.const 8
          throw $two
        catch $empty
          i32.const 100
        catch $two
          drop
          i32.const 200
          i32.add
        catch_all
          i32.const 300
        end
    """)
    assert result(program, argument) == expected


def test_the_first_of_two_catches_of_one_tag_is_taken() -> None:
    program = main("""
        try (result i32)
          throw $empty
        catch $empty
          i32.const 1
        catch $empty
          i32.const 2
        end
    """)
    assert result(program, 0) == 1


def test_what_a_handler_throws_is_not_caught_by_its_own_try() -> None:
    program = main("""
        try (result i32)
          try (result i32)
            throw $empty
          catch $empty
            i32.const 3
            throw $one
          catch $one
            unreachable
          catch_all
            unreachable
          end
        catch $one
        end
    """)
    assert result(program, 0) == 3


def test_a_try_without_catches_lets_exceptions_through() -> None:
    program = main("""
        try (result i32)
          try (result i32)
            local.get 0
            throw $one
          end
        catch $one
        end
    """)
    assert result(program, 4) == 4
