"""What PostgreSQL itself said of an error, as far as it never quotes a value of a row: for logs."""

# SQLSTATE classes whose messages name tables, files, settings and accounts. Others may quote what was sent: bad values
# (22), what a function raised (P0), what a language other than SQL said (38).
_QUOTES_NO_VALUE = ("08", "0A", "21", "23", "25", "28", "3D", "40", "42", "53", "54", "55", "57", "58", "XX")
_RAISED = "exec_stmt_raise"  # in PostgreSQL's source: a function raised it, with whatever message and SQLSTATE
_LONGEST = 300  # characters


def server_message(error: BaseException) -> str | None:
    """The primary message of an error of the driver; None where it may quote a value, and for other exceptions.

    Details, hints and contexts are never in it: they quote rows. Of an error that was raised anew, to leave them out,
    it is the message of the first one.
    """
    said = getattr(error, "diag", None)
    if getattr(said, "message_primary", None) is None and type(error.__context__) is type(error):
        said = getattr(error.__context__, "diag", None)
    message: str | None = getattr(said, "message_primary", None)
    state: str = getattr(said, "sqlstate", None) or ""
    if message is None or not state.startswith(_QUOTES_NO_VALUE) or getattr(said, "source_function", None) == _RAISED:
        return None
    return message.partition("\n")[0][:_LONGEST]
