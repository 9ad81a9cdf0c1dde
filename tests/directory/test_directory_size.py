"""Work grows with the numbers of an account in proportion, and never faster."""

from __future__ import annotations

from relay.directory import Contact, Evidence, Fact, Facts, complete, facts_of
from relay.directory.twins import happening
from tests.counting import calls
from tests.directory_cases import CLIENT, NOW, WABA, waba


def known(numbers: int) -> Facts:
    """What is known of one account of one client with so many numbers."""
    facts: list[Fact] = []
    for index in range(numbers):
        said = Contact(
            phone=f"+4915{100_000_000 + index}",
            name=f"Laden {index}",
            waba=WABA,
            client_id=CLIENT,
            client_name="Musterladen GmbH",
            channel=f"n{index}CH",
        )
        facts += facts_of(said, Evidence(NOW, "imported", ""))
    return Facts(facts)


def test_an_event_of_an_account_with_ten_times_the_numbers_costs_at_most_ten_times_as_much() -> (
    None
):
    event = waba("account_update", {"event": "DISABLED_UPDATE"})
    few, many = known(100), known(1_000)
    assert len(complete(event, many).event.phones) == 1_000
    once = calls(lambda: happening(complete(event, few)))
    assert calls(lambda: happening(complete(event, many))) < 11 * once
