"""Lists of a race for paper: which columns and order each has, and the address that leads to it."""

from collections.abc import Mapping
from urllib.parse import urlencode

from projections.web.pages.choices import Chosen
from projections.web.parameters import LARGEST_PAGE

SHEETS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "start-list": ("Start list", {"columns": "bib,last_name,first_name,sub_event_name,wave,team", "sort": "bib"}),
    "check-in": ("Check-in list", {"columns": "last_name,first_name,bib,sub_event_name,wave", "sort": "last_name"}),
}
"""By the value of the parameter: the name, and the parameters that its link has."""


def sheet_links(chosen: Chosen) -> dict[str, str]:
    """The address of each list, of the people who are chosen, by its name."""
    return {
        title: "?" + urlencode({**chosen, **parameters, "limit": LARGEST_PAGE, "sheet": name})
        for name, (title, parameters) in SHEETS.items()
    }
