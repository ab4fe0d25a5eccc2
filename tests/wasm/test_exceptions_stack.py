"""What surrounds the tries: operands, block parameters, locals, dead code."""

from __future__ import annotations

import pytest

from tests.wasm.engine import Machine, behaviour, main, result


def test_values_below_a_try_stay_on_the_stack() -> None:
    program = main("""
        i32.const 100
        local.get 0
        try (result i32)
          i32.const 5
          throw $one
        catch $one
        catch_all
          i32.const 1
        end
        i32.add
        i32.add
    """)
    assert result(program, 30) == 135


@pytest.mark.parametrize("throws", [False, True])
def test_a_try_takes_parameters_and_its_handlers_do_not_see_them(throws: bool) -> None:
    program = main(
        f"""
        i32.const 100
        local.get 0
        i64.const 6
        try (param i32 i64) (result i64 i32)
          i64.const 1
          i64.add
          {"throw $two" if throws else ""}
          drop
          drop
          i64.const 3
          i32.const 4
          br 0
        catch $two
          i32.wrap_i64
          local.set 0
          i64.extend_i32_s
          local.get 0
        catch_all
          rethrow 0
        end
        """,
        "(param i32) (result i32 i64 i32)",
    )
    assert behaviour(program, 5)[0] == [100, *((5, 7) if throws else (3, 4))]


@pytest.mark.parametrize("ending", ["br $t", "throw $one", "return", "unreachable"])
def test_code_that_cannot_be_reached_is_translated_too(ending: str) -> None:
    program = main(f"""
        try $t (result i32)
          local.get 0
          {ending}
          try (param i32) (result i32 i32)
            throw $one
            i32.add
            drop
          catch_all
            rethrow 0
            i32.add
          end
          i32.add
          try
            local.get 0
            br $t
          delegate 1
          br_if $t
          br_table $t $t
        catch $one
          br 0
          drop
        catch_all
          rethrow $t
          try (result i32)
            unreachable
          catch $one
          end
        end
    """)
    if ending == "unreachable":
        with pytest.raises(Exception, match="unreachable"):
            Machine(program).call("main", 5)
    else:
        assert result(program, 5) == 5


def test_the_locals_of_a_function_keep_their_numbers_and_values() -> None:
    program = main(
        """
        i32.const 3
        local.set 2
        i64.const 4
        local.set 3
        try
          try
            try
              throw $empty
            catch_all
              try
                local.get 0
                throw $one
              catch_all
                rethrow 1
              end
            end
          catch_all
            rethrow 0
          end
        catch $empty
        end
        local.get 0
        call $log
        local.get 1
        call $log
        local.get 2
        call $log
        local.get 3
        i32.wrap_i64
        call $log
        local.get 4
        """,
        "(param i32 i32) (result i32)",
        "i32 i64 i32",
    )
    assert behaviour(program, 1, 2) == ([0], [1, 2, 3, 4])


def test_an_if_with_tries_in_both_arms_runs_the_right_one() -> None:
    program = main("""
        local.get 0
        if (result i32)
          try (result i32)
            i32.const 1
            throw $one
          catch $one
          end
        else
          try (result i32)
            throw $empty
          catch_all
            i32.const 2
            br 1
          end
        end
    """)
    assert [result(program, 1), result(program, 0)] == [1, 2]
