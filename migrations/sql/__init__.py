"""The SQL of functions, as the migrations that made them left it. A file here never changes once it was released."""

from importlib.resources import files


def sql_file(name: str) -> str:
    """The text of one `.sql` file of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
