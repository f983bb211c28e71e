from hypothesis import given
from hypothesis import strategies as st

from evosync.domain.ids import ProductId, StoreId
from evosync.domain.mirror import Scope
from evosync.sync.mailbox import HINT, ROUTINE, Mailbox, Message, product_reason

A, B = StoreId("A"), StoreId("B")
TEA = ProductId("tea")


def hint(*reasons: str, store: StoreId = A) -> Message:
    return Message(Scope.HINT, frozenset(reasons), frozenset({store}))


messages = st.builds(
    Message,
    scope=st.sampled_from(Scope),
    reasons=st.frozensets(st.sampled_from(["button", "webhook", ROUTINE])),
    stores=st.frozensets(st.sampled_from([A, B])),
)


def test_an_empty_mailbox_gives_nothing() -> None:
    box = Mailbox()
    assert not box
    assert box.take() is None
    assert box.peek() is None
    assert box.take_hint() is None


def test_peeking_leaves_the_message_taking_does_not() -> None:
    box = Mailbox()
    box.put(hint("webhook"))
    assert box.peek() == hint("webhook")
    assert box.take() == hint("webhook")
    assert not box


def test_fifty_messages_make_one() -> None:
    box = Mailbox()
    for number in range(50):
        box.put(Message(Scope.DELTA, frozenset({f"toggle {number % 2}"})))
    assert box.take() == Message(Scope.DELTA, frozenset({"toggle 0", "toggle 1"}))
    assert box.take() is None


def test_the_wider_scope_wins_and_reasons_add_up() -> None:
    merged = hint("webhook").merge(Message(Scope.FULL, frozenset({"button"})))
    assert merged == Message(Scope.FULL, frozenset({"webhook", "button"}))


def test_hints_for_two_stores_name_both() -> None:
    both = hint("webhook").merge(hint("webhook", store=B))
    assert both == Message(Scope.HINT, frozenset({"webhook"}), frozenset({A, B}))


def test_a_message_for_all_stores_stays_one_for_all() -> None:
    assert hint().merge(Message(Scope.DELTA)).stores == frozenset()
    assert Message(Scope.HINT).merge(Message(Scope.DELTA, stores=frozenset({A}))).stores == frozenset()


@given(messages, messages, messages)
def test_merging_has_no_order(one: Message, two: Message, three: Message) -> None:
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(one) == one


def test_only_a_run_that_nobody_asked_for_is_routine() -> None:
    assert Message(Scope.FULL, frozenset({ROUTINE})).routine
    assert not Message(Scope.FULL, frozenset({ROUTINE, "button"})).routine


def test_a_hint_that_waits_can_be_taken_in_between() -> None:
    box = Mailbox()
    assert not box.hint_waiting.is_set()
    box.put(hint("webhook"))
    assert box.hint_waiting.is_set()
    assert box.take_hint() == hint("webhook")
    assert not box.hint_waiting.is_set()


def test_a_wider_message_waits_for_a_run_of_its_own() -> None:
    box = Mailbox()
    box.put(hint("webhook"))
    box.put(Message(Scope.FULL, frozenset({"button"})))
    assert not box.hint_waiting.is_set()
    assert box.take_hint() is None
    assert box


def test_a_hint_beside_something_wider_can_be_taken_and_the_wider_stays() -> None:
    box = Mailbox()
    box.put(Message(Scope.FULL, frozenset({"settings"})))
    assert not box.hint_waiting.is_set()
    box.put(Message.about(Scope.HINT, [HINT + A]))
    assert box.hint_waiting.is_set()
    assert box.take_hint() == Message.about(Scope.HINT, [HINT + A])
    assert box.take_hint() is None
    assert box.take() == Message(Scope.FULL, frozenset({"settings"}))


def test_so_many_hints_that_they_became_wider_are_not_taken_in_between() -> None:
    box = Mailbox()
    box.put(Message(Scope.DELTA, frozenset({HINT + A, HINT + B})))
    assert box.take_hint() is None
    assert box.peek() is not None


def test_a_product_that_a_till_named_is_read_alone_until_its_whole_store_is_named_too() -> None:
    named = Message.about(Scope.HINT, [product_reason(A, TEA)])
    assert (named.whole_stores, named.named) == (frozenset[StoreId](), frozenset({(A, TEA)}))
    both = named.merge(Message.about(Scope.HINT, [HINT + A]))
    assert (both.whole_stores, both.named) == (frozenset({A}), frozenset({(A, TEA)}))
