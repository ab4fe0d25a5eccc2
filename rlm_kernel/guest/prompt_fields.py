"""Fields by which a session and its owner agree on the number of a cell."""

NEXT_COUNT = "next_execution_count"
"""In the reply to a cell: what the next one will have."""

TOLD_COUNT = "told_execution_count"
"""In the request of a cell: what its `execute_input` said, which the owner has told of already."""
