"""The events of a run, in constant memory: lesions, growth, resets, divergence."""

from __future__ import annotations

from collections import Counter
from typing import Any

#: Events kept at most; beyond, the older half of the commonest kind is merged into one.
MAX_EVENTS = 4096

Event = dict[str, Any]


def add_event(events: list[Event], tick: int, what: str, where: str, detail: str) -> None:
    """Append an event to the list, in place.

    Parameters
    ----------
    events : list of dict
        ``{"tick", "what", "where", "detail", "count"}``, oldest first; `count` is how many events an entry
        stands for.
    tick : int
        When.
    what : str
        One word for the kind of event.
    where : str
        The region or edge; "" for the whole graph.
    detail : str
        Anything more.
    """
    if len(events) >= MAX_EVENTS:
        events[:] = _merged(events)
    events.append({"tick": int(tick), "what": str(what), "where": str(where), "detail": str(detail),
                   "count": 1})


def _merged(events: list[Event]) -> list[Event]:
    # half of a kind at once, so that a flood of events costs little each
    commonest, count = Counter(event["what"] for event in events).most_common(1)[0]
    alone = count < 4  # thousands of kinds: then they are merged as if they were one
    same = [event for event in events if alone or event["what"] == commonest]
    old = same[:len(same) // 2]
    total = sum(event["count"] for event in old)
    places = {event["where"] for event in old}
    entry = {"tick": old[0]["tick"], "what": "several" if alone else commonest,
             "where": places.pop() if len(places) == 1 else "",
             "detail": f"{total} events merged, the last at tick {old[-1]['tick']}", "count": total}
    gone = {id(event) for event in old[1:]}
    return [entry if event is old[0] else event for event in events if id(event) not in gone]
