"""Branches and returns out of bodies and handlers."""

from __future__ import annotations

import pytest

from tests.wasm.engine import Machine, behaviour, main, result


@pytest.mark.parametrize(
    ("argument", "expected"), [(0, [0, 50]), (1, [1, 60]), (2, [70]), (3, [70])]
)
def test_branches_leave_a_body_for_the_label_they_name(argument: int, expected: list[int]) -> None:
    program = main(
        """
        block $far
          block $near
            try $self
              local.get 0
              br_table $self $near $far
            catch_all
              unreachable
            end
            local.get 0
            call $log
            i32.const 50
            call $log
            return
          end
          local.get 0
          call $log
          i32.const 60
          call $log
          return
        end
        i32.const 70
        call $log
        """,
        "(param i32)",
    )
    assert behaviour(program, argument)[1] == expected


@pytest.mark.parametrize(("argument", "expected"), [(0, 15), (1, 16), (2, 17), (9, 17)])
def test_branches_leave_the_first_of_several_handlers_with_their_values(
    argument: int, expected: int
) -> None:
    program = main("""
        block $far (result i32)
          block $near (result i32)
            try $self (result i32)
              i32.const 5
              throw $one
            catch $one
              local.get 0
              br_table $self $near $far
            catch $empty
              unreachable
            catch_all
              unreachable
            end
            i32.const 10
            i32.add
            return
          end
          i32.const 11
          i32.add
          return
        end
        i32.const 12
        i32.add
    """)
    assert result(program, argument) == expected


@pytest.mark.parametrize("clause", ["catch $one\n drop", "catch_all"])
def test_a_conditional_branch_leaves_the_last_handler_or_falls_through(clause: str) -> None:
    program = main(f"""
        block $out
          try
            i32.const 5
            throw $one
          {clause}
            local.get 0
            br_if $out
            i32.const 1
            call $log
          end
          i32.const 2
          return
        end
        i32.const 3
    """)
    assert behaviour(program, 0) == ([2], [1])
    assert behaviour(program, 7) == ([3], [])


def test_a_branch_to_the_function_returns_from_a_body_and_from_a_handler() -> None:
    program = main("""
        try
          block
            local.get 0
            br_if 0
            i32.const 1
            br 2
          end
          throw $empty
        catch_all
          i32.const 2
          br 1
        end
        unreachable
    """)
    assert [result(program, 0), result(program, 1)] == [1, 2]


def test_return_leaves_a_body_and_a_handler() -> None:
    program = main("""
        try
          block
            local.get 0
            br_if 0
            i32.const 1
            return
          end
          throw $empty
        catch_all
          i32.const 2
          return
        end
        unreachable
    """)
    assert [result(program, 0), result(program, 1)] == [1, 2]


def test_a_branch_on_null_leaves_a_handler() -> None:
    program = main("""
        block $out
          try
            throw $empty
          catch $empty
            ref.null extern
            br_on_null $out
            drop
            unreachable
          catch_all
            unreachable
          end
          unreachable
        end
        block $other (result externref)
          try
            throw $empty
          catch $empty
            ref.null extern
            br_on_non_null $other
            i32.const 7
            return
          end
          unreachable
        end
        drop
        unreachable
    """)
    assert Machine(program).call("main", 0) == [7]


def test_a_loop_goes_on_from_a_handler_and_ends_from_a_body() -> None:
    program = main("""
        block $done
          loop $next
            try
              local.get 0
              i32.eqz
              br_if $done
              local.get 0
              call $thrower
            catch $one
              call $log
              local.get 0
              i32.const 1
              i32.sub
              local.set 0
              br $next
            end
            unreachable
          end
        end
        i32.const 77
    """)
    assert behaviour(program, 3) == ([77], [3, 2, 1])


def test_a_loop_in_a_handler_keeps_the_exception_while_others_come_and_go() -> None:
    program = main("""
        try (result i32)
          try $kept
            i32.const 42
            throw $one
          catch_all
            loop $next
              try
                local.get 0
                call $thrower
              catch $one
                call $log
              end
              local.get 0
              i32.const 1
              i32.sub
              local.set 0
              local.get 0
              br_if $next
            end
            rethrow $kept
          end
          unreachable
        catch $one
        end
    """)
    assert behaviour(program, 3) == ([42], [3, 2, 1])
