from mesh.translate.memo import Memo


def test_the_same_inputs_give_the_remembered_result() -> None:
    memo, view = Memo(), {"a": 1}
    first = memo.get("k", (view, "text", 5), list)
    assert memo.get("k", (view, "text", 5), list) is first


def test_equal_is_not_the_same() -> None:
    memo = Memo()
    first = memo.get("k", ({"a": 1},), list)
    assert memo.get("k", ({"a": 1},), list) is not first


def test_fewer_inputs_are_other_inputs() -> None:
    memo, view = Memo(), object()
    first = memo.get("k", (view, view), list)
    assert memo.get("k", (view,), list) is not first


def test_a_sweep_forgets_what_nobody_asked_for() -> None:
    memo, view = Memo(), object()
    kept, dropped = memo.get("kept", (view,), list), memo.get("dropped", (view,), list)
    for _ in range(2):
        memo.sweep()
        assert memo.get("kept", (view,), list) is kept
    assert memo.get("dropped", (view,), list) is not dropped
