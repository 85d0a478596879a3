"""How many requests of an application may be under way at once."""

import pytest

from services.senders import connections_for
from tests.services.fakes import FakeCarrier


@pytest.mark.parametrize(
    ("max_numbers", "per_second", "connections"),
    [
        pytest.param(500, 50, 32, id="the usual rate"),
        pytest.param(500, 1000, 32, id="no more than a stop can bear"),
        pytest.param(500, 12.5, 13, id="as the rate needs"),
        pytest.param(500, 0.5, 4, id="a slow carrier is not waited for"),
        pytest.param(50, 50, 5, id="one number a request"),
        pytest.param(50, 1000, 8, id="one number a request, fast"),
        pytest.param(50, 1, 1, id="one number a request, slowly"),
    ],
)
def test_connections_follow_the_rate(max_numbers: int, per_second: float, connections: int) -> None:
    assert connections_for(FakeCarrier(max_numbers), per_second) == connections
