"""Reports what an import did, or would do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailer.contacts.flags import Flag
from mailer.contacts.mapping import IgnoredColumn
from mailer.contacts.table import DELIMITER_NAMES
from mailer.model.shown import counted
from mailer.store.arrivals import Fates
from mailer.store.doubles import Folded
from mailer.usecases.read_contacts import ImportOrder, Reject, Tally


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. The six counts from ``added`` to ``duplicates`` add up to ``rows``."""

    batch: int | None  # None for a dry run
    rows: int
    added: int
    updated: int
    unchanged: int
    rejected: int
    suppressed: int
    duplicates: int
    dry_run: bool
    rejects_file: str | None
    list: str
    file: str
    fields: tuple[str, ...]  # what was kept beside the address
    ignored: tuple[IgnoredColumn, ...]
    rejects: tuple[Reject, ...]  # the first few
    flags: tuple[Flag, ...]  # what is odd about addresses that were taken all the same
    form: str  # csv, workbook, vcard, jsonl, lines
    delimiter: str | None  # by name; of CSV alone
    encoding: str | None
    warnings: tuple[str, ...]


def report_import(
    order: ImportOrder,
    tally: Tally,
    fates: Fates,
    respelt: Folded,
    *,
    batch: int | None,
    rejects_file: str | None,
    warnings: tuple[str, ...] = (),
) -> ImportReport:
    source = order.source
    delimiter = source.delimiter
    return ImportReport(
        batch=batch,
        rows=tally.rows,
        added=fates.added,
        updated=fates.updated,
        unchanged=fates.unchanged,
        rejected=tally.rejected,
        suppressed=fates.suppressed,
        duplicates=tally.folded.rows,
        dry_run=batch is None,
        rejects_file=rejects_file,
        list=order.list_name,
        file=source.file,
        fields=tuple(name for name, _ in order.mapping.fields),
        ignored=order.mapping.ignored,
        rejects=tally.examples,
        flags=tally.flags.flags(),
        form=source.form,
        delimiter=None if delimiter is None else DELIMITER_NAMES.get(delimiter, delimiter),
        encoding=source.encoding,
        warnings=(*source.warnings, *_spellings(tally.folded, respelt), *warnings),
    )


def _spellings(folded: Folded, respelt: Folded) -> Iterator[str]:
    """Warnings of addresses that differ in capitals alone, in the file and from who is known."""
    if folded.variants:
        rows = counted(folded.variants, "row spells", "rows spell")
        yield (
            f"{rows} an address that is there already with other capitals; taken as the same"
            f" person: {', '.join(folded.examples)}."
        )
    if respelt.variants:
        kept = counted(
            respelt.variants,
            "person is known with other capitals and keeps that spelling",
            "people are known with other capitals and keep that spelling",
        )
        yield f"{kept}: {', '.join(respelt.examples)}."
