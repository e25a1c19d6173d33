from mesh.proxy.http1.memory import Memory


def test_a_head_is_remembered_at_its_second_coming() -> None:
    memory: Memory[int] = Memory(4)
    memory.consider(b"a", 1)
    assert memory.known == {}
    memory.consider(b"a", 1)
    assert memory.known == {b"a": 1}


def test_the_oldest_leaves_first() -> None:
    memory: Memory[int] = Memory(2)
    for text in (b"a", b"b", b"c"):
        memory.consider(text, 1)
        memory.consider(text, 1)
    assert list(memory.known) == [b"b", b"c"]
