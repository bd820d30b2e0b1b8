"""The page of the state table for `docs/`, made from the table itself so that it cannot drift."""

from . import states
from .states import TABLE, Event, State

_HEAD = """# States of a certificate

Made from `src/certdesk/lifecycle/certificates/states.py` by the docs command; edit the table, not this
page. The API's `status` is the code in the first column. Expired is computed from the clock and never
stored.
"""


def states_page() -> str:
    """Markdown: states with API code, progress, who acts next and operations; then every transition."""
    return "\n".join((_HEAD, *_states(), "", *_transitions(), ""))


def _states() -> list[str]:
    lines = [
        "## States",
        "",
        "| API status | console | progress | next to act | next step | operations |",
        "|---|---|---|---|---|---|",
    ]
    for state in State:
        row = states.ROWS[state]
        progress = "–" if row.progress is None else f"{row.progress} %"
        cells = (state.value, row.title, progress, row.next_actor, row.next_step, _operations(state))
        lines.append(_line(cells))
    return lines


def _operations(state: State) -> str:
    return ", ".join(states.ROWS[state].operations)


def _transitions() -> list[str]:
    lines = ["## Transitions", "", "| from | event | by way of | to |", "|---|---|---|---|"]
    order = sorted(TABLE, key=lambda key: (list(State).index(key[0]), list(Event).index(key[1]), key[2]))
    for state, event, via in order:
        lines.append(_line((state.value, event.value, via.value, TABLE[state, event, via].value)))
    return lines


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell or "–" for cell in cells) + " |"
