import pytest

from emotion_pipeline.components.class_balancer.plan import (
    METHODS,
    ClassPlan,
    image_key,
    plan_class,
    shift_of_copy,
)


def test_plans_exact_counts():
    # 8 wanted of 3: one copy each, and one more for the two smallest keys.
    plan = plan_class([b"c", b"a", b"b"], count=3, target=8)
    assert plan == ClassPlan(count=3, copies_per_image=1, target=8, last_extra_key=b"b")
    assert [plan.copies_of(key) for key in (b"a", b"b", b"c")] == [2, 2, 1]


@pytest.mark.parametrize(("count", "target"), [(1, 1), (1, 9), (5, 5), (5, 7), (5, 10), (7, 100)])
def test_counts_add_up_to_the_target(count, target):
    keys = [image_key(b"image %d" % index, b"path") for index in range(count)]
    plan = plan_class(reversed(keys), count, target)
    copies = [plan.copies_of(key) for key in keys]
    assert count + sum(copies) == target
    assert max(copies) - min(copies) <= 1


def test_the_largest_class_gets_no_copies():
    plan = plan_class([b"a", b"b"], count=2, target=2)
    assert plan == ClassPlan(2, 0, 2) == ClassPlan(2, 0, 2, last_extra_key=b"")
    assert [plan.copies_of(key) for key in (b"a", b"b")] == [0, 0]


def test_exact_copies_are_told_apart_by_path():
    first, second = image_key(b"same", b"a.jpg"), image_key(b"same", b"b.jpg")
    plan = plan_class([second, first], count=2, target=3)
    assert (plan.copies_of(first), plan.copies_of(second)) == (1, 0)


@pytest.mark.parametrize("max_shift_px", [1, 2, 4])
def test_shifts_visit_all_but_the_middle_before_one_comes_again(max_shift_px):
    span = range(-max_shift_px, max_shift_px + 1)
    square = {(x, y) for x in span for y in span} - {(0, 0)}
    for name in (b"one", b"two", b"three"):
        key = image_key(name, b"")
        shifts = [
            shift_of_copy(key, index + 1, max_shift_px, seed=1) for index in range(2 * len(square))
        ]
        assert set(shifts[: len(square)]) == square
        assert shifts[: len(square)] == shifts[len(square) :]


def test_shifts_depend_on_key_and_seed_alone():
    def shifts(key, seed):
        return [shift_of_copy(key, index, 4, seed) for index in range(1, 10)]

    assert shifts(b"a", 1) == shifts(b"a", 1)
    assert shifts(b"a", 1) != shifts(b"b", 1)
    assert shifts(b"a", 1) != shifts(b"a", 2)


@pytest.mark.parametrize(
    ("max_shift_px", "key", "shifts"),
    [
        (1, b"a", [(-1, 0), (1, -1), (0, -1)]),
        (1, b"b", [(1, -1), (-1, 1), (-1, -1)]),
        (2, b"a", [(-2, 2), (1, 0), (-2, -1)]),
        (2, b"c", [(2, 2), (-2, 0), (0, 2)]),
        (4, b"a", [(-2, -3), (-3, -3), (-4, -3)]),
        (4, b"b", [(-3, -3), (1, -2), (-4, 0)]),
    ],
)
def test_a_data_set_that_is_balanced_again_gets_the_same_shifts(max_shift_px, key, shifts):
    assert [shift_of_copy(key, index, max_shift_px, seed=1) for index in (1, 2, 3)] == shifts


def test_the_key_is_the_contents_hash_and_then_the_path():
    digest = "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
    assert image_key(b"image", b"path") == bytes.fromhex(digest) + b"path"


def test_the_methods_are_those_of_the_setting():
    assert METHODS == ("translate", "none")
