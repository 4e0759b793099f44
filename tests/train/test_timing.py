"""The speed of a training and the estimate of its remaining time."""

from __future__ import annotations

import pytest

from fcnlite.ranks.team import Team
from fcnlite.train.timing import RemainingTime, Speed, Stopwatch, duration


def test_speed_leaves_checks_out_and_tells_the_share_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loading:
        waited = 1.0

    class Together:
        waited = 5.0
        team = Team()

    now, loader, teamwork = [100.0], Loading(), Together()
    monkeypatch.setattr("fcnlite.train.timing.time.perf_counter", lambda: now[0])
    watch = Stopwatch(loader, teamwork, 10)  # type: ignore[arg-type]
    now[0], loader.waited = 108.0, 3.0
    with watch.checking():
        now[0] = 118.0
    assert watch.lap(30) == Speed(30, 20, 18.0, 10.0, 2.0)
    assert str(Speed(30, 20, 18.0, 10.0, 2.0)) == "2.5 iterations/s, 25.0% of it waiting for data"
    now[0] = 119.0
    assert watch.lap(31) == Speed(31, 1, 1.0, 0.0, 0.0)


def test_the_speed_of_several_ranks_tells_which_is_the_slowest() -> None:
    two = Speed(30, 20, 18.0, 8.0, 0.0, [1.0, 4.0])
    assert str(two) == "2 iterations/s, 0.0% of it waiting for data, for other ranks 10%, 40%"
    assert two.to_json()["together"] == [1.0, 4.0]
    many = Speed(30, 20, 18.0, 8.0, 0.0, [4.0, 1.0, *[3.0] * 10, 5.0])
    assert str(many).endswith("for other ranks 10% (rank 1, the slowest) to 50% (rank 12)")


def test_the_remaining_time_is_printed_once_when_known(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    remaining, estimates = RemainingTime(), []
    for done in range(1, 40):
        now[0] += 20 if done == 1 else 0.5  # plans are made in the first
        remaining.step()
        now[0] += 7  # a check
        estimates.append(remaining.estimate(done, 1000))
    assert [each for each in estimates if each] == ["about 8 minutes to go: 0.5 s per iteration, without validation"]
    assert estimates[5] is not None
    assert [duration(each) for each in (31, 7199, 3600 * 5 + 60)] == ["1 minute", "2 h 00 min", "5 h 01 min"]
