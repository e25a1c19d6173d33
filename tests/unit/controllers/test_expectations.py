"""Does a controller wait for the cache, and not for ever?"""

from mesh.controllers.expectations import Expectations

OWNER, A, B = ("default", "web"), ("default", "a"), ("default", "b")


def test_it_waits_for_every_pod() -> None:
    expected = Expectations(10)
    assert expected.wait_s(OWNER, 0) is None
    expected.creating(OWNER, A, 0)
    expected.deleting(OWNER, "uid", 2)
    assert expected.wait_s(OWNER, 4) == 8
    assert (expected.coming(OWNER), expected.leaving(OWNER)) == (1, frozenset({"uid"}))
    assert not expected.created(OWNER, A)
    assert expected.deleted(OWNER, "uid")
    assert expected.wait_s(OWNER, 4) is None


def test_other_pods_settle_nothing() -> None:
    expected = Expectations(10)
    expected.creating(OWNER, A, 0)
    assert not expected.created(OWNER, B)
    assert not expected.deleted(OWNER, "uid")
    assert not expected.created(("default", "other"), A)
    assert expected.wait_s(OWNER, 0) == 10


def test_patience_ends() -> None:
    expected = Expectations(10)
    expected.creating(OWNER, A, 0)
    assert expected.wait_s(OWNER, 10) is None
    assert expected.coming(OWNER) == 0


def test_an_owner_that_is_gone_is_forgotten() -> None:
    expected = Expectations(10)
    expected.deleting(OWNER, "uid", 0)
    expected.forget(OWNER)
    assert expected.wait_s(OWNER, 0) is None
    assert expected.leaving(OWNER) == frozenset()
