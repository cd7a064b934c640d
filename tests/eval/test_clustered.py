import pytest

from eval.clustered import Count, share
from eval.intervals import wilson


def test_the_share_counts_observations_and_leaves_the_unscored_outside():
    told = share([Count(1, 4), Count(3, 4), Count(0, 0)], unscored=5)
    assert told.value == 0.5
    assert (told.n, told.clusters, told.unscored) == (8, 2, 5)
    assert told.interval.low <= 0.5 <= told.interval.high
    assert told.as_json()["n"] == 8
    assert "未评 5" in told.as_text()


@pytest.mark.parametrize(("hits", "successes"), [(0, 0), (10, 3)])
def test_unanimous_clusters_are_as_sure_as_their_number(hits, successes):
    told = share([Count(hits, 10)] * 3)
    assert told.interval == wilson(successes, 3)


def test_clusters_that_differ_make_a_wider_interval_than_clusters_that_agree():
    apart, alike = share([Count(0, 10), Count(10, 10)] * 5), share([Count(5, 10)] * 10)
    assert apart.interval.low < alike.interval.low == 0.5 == alike.interval.high


def test_nothing_observed_is_no_share():
    told = share([], unscored=2)
    assert told.value is None
    assert told.as_text() == "—（未评 2）"


def test_one_record_says_nothing_of_others():
    assert share([Count(3, 13)]).interval == (0.0, 1.0)
