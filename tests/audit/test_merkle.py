"""The Merkle tree against the reference tree of Certificate Transparency, and against RFC 6962's own definition."""

from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.merkle import (
    EMPTY_ROOT,
    KEPT_HEIGHTS,
    Tree,
    consistency_ranges,
    folded,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    node_hash,
    perfect_nodes,
    root_from_inclusion,
)

# The inputs and outputs of certificate-transparency's own test of its Merkle tree (merkle_tree_test.cc), hex.
INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",  # pragma: allowlist secret
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",  # pragma: allowlist secret
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",  # pragma: allowlist secret
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",  # pragma: allowlist secret
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",  # pragma: allowlist secret
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",  # pragma: allowlist secret
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",  # pragma: allowlist secret
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",  # pragma: allowlist secret
)
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"  # pragma: allowlist secret
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"  # pragma: allowlist secret
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"  # pragma: allowlist secret
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"  # pragma: allowlist secret
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"  # pragma: allowlist secret
# Leaf as the reference counts it, from 1; size of the tree; path.
INCLUSION: tuple[tuple[int, int, list[str]], ...] = (
    (1, 1, []),
    (1, 8, [A, B, C]),
    (6, 8, [D, E, ROOTS[3]]),
    (3, 3, [ROOTS[1]]),
    (2, 5, [ROOTS[0], B, D]),
)
CONSISTENCY: tuple[tuple[int, int, list[str]], ...] = (
    (1, 1, []),
    (1, 8, [A, B, C]),
    (
        6,
        8,
        ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a", E, ROOTS[3]],  # pragma: allowlist secret
    ),
    (2, 5, [B, D]),
)
LEAVES = [leaf_hash(bytes.fromhex(data)) for data in INPUTS]


def plain_root(leaves: Sequence[bytes]) -> bytes:
    """The tree hash as RFC 6962, section 2.1, writes it down."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(plain_root(leaves[:split]), plain_root(leaves[split:]))


def tree_of(leaves: Sequence[bytes], pieces: Callable[[int], int] = lambda left: left) -> Tree:
    tree, rest = Tree(), list(leaves)
    while rest:
        size = pieces(len(rest))
        tree.extend(rest[:size])
        rest = rest[size:]
    return tree


def hashes(leaves: Sequence[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    return [plain_root(leaves[start:end]) for start, end in ranges]


def test_the_root_of_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert (
        EMPTY_ROOT.hex()
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # pragma: allowlist secret
    )
    assert Tree().root() == EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_the_reference(size: int) -> None:
    assert tree_of(LEAVES[:size]).root().hex() == ROOTS[size - 1]
    assert tree_of(LEAVES[:size], lambda _: 1).root().hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("leaf", "size", "path"), INCLUSION)
def test_the_audit_paths_are_those_of_the_reference(leaf: int, size: int, path: list[str]) -> None:
    ours = hashes(LEAVES, inclusion_ranges(leaf - 1, size))
    assert [one.hex() for one in ours] == path
    root = root_from_inclusion(LEAVES[leaf - 1], leaf - 1, size, ours)
    assert root is not None
    assert root.hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_the_consistency_proofs_are_those_of_the_reference(old: int, new: int, path: list[str]) -> None:
    ours = hashes(LEAVES, consistency_ranges(old, new))
    assert [one.hex() for one in ours] == path
    assert is_consistent(old, bytes.fromhex(ROOTS[old - 1]), new, bytes.fromhex(ROOTS[new - 1]), ours)


SIZES = st.integers(0, 700)


def some_leaves(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


@given(SIZES, st.integers(1, 300))
def test_a_tree_is_the_same_however_it_grew(size: int, piece: int) -> None:
    leaves = some_leaves(size)
    assert tree_of(leaves, lambda left: min(left, piece)).root() == plain_root(leaves)


@given(SIZES, SIZES)
def test_a_tree_goes_on_from_the_nodes_that_are_kept(size: int, more: int) -> None:
    leaves = some_leaves(size + more)
    first = Tree()
    kept = first.extend(leaves[:size])
    assert all(height % KEPT_HEIGHTS == 0 for height, _ in kept)
    whole = size >> KEPT_HEIGHTS
    again = Tree()
    again.extend([kept[KEPT_HEIGHTS, number] for number in range(whole)], KEPT_HEIGHTS)
    again.extend(leaves[whole << KEPT_HEIGHTS : size])
    assert (again.size, again.root()) == (size, first.root())
    new = again.extend(leaves[size:])
    everything = Tree().extend(leaves)
    assert {**kept, **new} == everything


@given(st.integers(0, 2**40), st.integers(0, 5000))
def test_a_range_falls_into_perfect_subtrees(start: int, length: int) -> None:
    # Proofs need only ranges that begin where a subtree of at least their size does.
    start = start >> length.bit_length() << length.bit_length()
    at = start
    for height, number in perfect_nodes(start, start + length):
        assert number << height == at
        at += 1 << height
    assert at == start + length


@given(st.data(), st.integers(1, 300))
def test_every_entry_is_proven_in_its_place_alone(data: st.DataObject, size: int) -> None:
    leaves = some_leaves(size)
    index = data.draw(st.integers(0, size - 1))
    path, root = hashes(leaves, inclusion_ranges(index, size)), plain_root(leaves)
    assert root_from_inclusion(leaves[index], index, size, path) == root
    assert root_from_inclusion(leaf_hash(b"forged"), index, size, path) != root
    assert root_from_inclusion(leaves[index], index, size, [*path, root]) is None
    if size > 1:
        assert root_from_inclusion(leaves[index], index, size, path[1:]) is None
        other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index))
        assert root_from_inclusion(leaves[index], other, size, path) != root
    assert root_from_inclusion(leaves[index], size, size, path) is None


@given(st.data(), st.integers(1, 300))
def test_a_tree_is_consistent_with_what_it_began_as_and_with_nothing_else(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new))
    leaves = some_leaves(new)
    proof = hashes(leaves, consistency_ranges(old, new))
    old_root, new_root = plain_root(leaves[:old]), plain_root(leaves)
    assert is_consistent(old, old_root, new, new_root, proof)
    assert folded([]) == EMPTY_ROOT
    edited = [leaf_hash(b"edited"), *leaves[1:]]
    assert not is_consistent(old, plain_root(edited[:old]), new, new_root, proof)
    assert not is_consistent(old, old_root, new, plain_root(edited), proof)
    if old < new:
        assert not is_consistent(old, old_root, new, new_root, proof[:-1])
        assert not is_consistent(old, old_root, new, new_root, [*proof, new_root])
        assert not is_consistent(new, new_root, old, old_root, proof)
