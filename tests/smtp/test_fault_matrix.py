"""Each fault at each command has the outcome that the table in fault_matrix.py says."""

from __future__ import annotations

import pytest

from tests.certificates import Certificate
from tests.smtp.fault_matrix import LOCK_STEP, PIPELINED, Cell, cells, outcome

COMMANDS = {"greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "text-and-dot"}
COMMANDS |= {"RSET", "QUIT"}
LETTERS = COMMANDS - {"greeting", "EHLO", "STARTTLS", "AUTH"}
FAULTS = {"4xx", "5xx", "421", "drop", "stall", "garbage", "multi-line", "over-long", "early"}
FAULTS |= {"cut"}


@pytest.mark.parametrize("cell", list(cells()), ids=lambda cell: cell.name)
def test_what_comes_of_it(cell: Cell, certificate: Certificate) -> None:
    assert outcome(cell, certificate) == cell.expected


@pytest.mark.parametrize(
    "cell", [cell for cell in cells() if cell.command in LETTERS], ids=lambda cell: cell.name
)
def test_what_comes_of_it_in_the_clear(cell: Cell) -> None:
    """There, reads come another way (``Ears``)."""
    assert outcome(cell, None) == cell.expected


def test_the_table_has_every_command_and_every_fault() -> None:
    """Before MAIL, PIPELINING has no part in it; a greeting has nothing to come early with."""
    found = {(cell.command, cell.fault) for cell in cells() if cell.pipelining}
    expected = {(command, fault) for command in COMMANDS for fault in FAULTS}

    assert expected - found == {("greeting", "early")}
    rows = {cell.command for cell in cells() if not cell.pipelining}
    assert rows == COMMANDS - {"greeting", "EHLO", "STARTTLS", "AUTH"}
    assert PIPELINED.splitlines()[0] == LOCK_STEP.splitlines()[0]
