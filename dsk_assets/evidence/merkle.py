"""The Merkle tree of RFC 9162, section 2.1: hashes, proofs, and their verification.

Needs the standard library alone. A tree is known by ``subtree(start, end)``, which gives the hash
of the entries from *start* to before *end* wherever that range is one that a proof speaks of.
"""

import hashlib
from collections.abc import Callable, Sequence

Subtree = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Root of the tree over the leaf *hashes* (or over the roots of equal, full subtrees)."""
    stack: list[bytes] = []
    for number, one in enumerate(hashes):
        stack.append(one)
        while number & 1:
            right = stack.pop()
            stack[-1] = node_hash(stack[-1], right)
            number >>= 1
    if not stack:
        return EMPTY_ROOT
    while len(stack) > 1:
        right = stack.pop()
        stack[-1] = node_hash(stack[-1], right)
    return stack[0]


def split(size: int) -> int:
    """The largest power of two below *size*: how many entries lie in the left subtree."""
    return 1 << (size - 1).bit_length() - 1


def subtree_by_halves(full: Subtree, start: int, end: int) -> bytes:
    """Hash of the entries from *start* to before *end*; *full* gives that of full subtrees."""
    size = end - start
    if size == 0:
        return EMPTY_ROOT
    if size & (size - 1) == 0:
        return full(start, end)
    middle = start + split(size)
    return node_hash(full(start, middle), subtree_by_halves(full, middle, end))


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Hashes from the leaf's sibling up to the root's child (section 2.1.3.1)."""
    proof = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            proof.append(subtree(middle, end))
            end = middle
        else:
            proof.append(subtree(start, middle))
            start = middle
    return proof[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether *proof* shows the leaf hash at *index* in the tree with *root* (2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(one, found)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, one)
        node >>= 1
        last >>= 1
    return last == 0 and found == root


def consistency_proof(size1: int, size2: int, subtree: Subtree) -> list[bytes]:
    """Hashes that show the tree of *size1* to be the beginning of that of *size2* (2.1.4.1)."""
    if size1 in (0, size2):
        return []
    proof = []
    start, end = 0, size2
    whole = True
    while size1 != end:
        middle = start + split(end - start)
        if size1 <= middle:
            proof.append(subtree(middle, end))
            end = middle
        else:
            proof.append(subtree(start, middle))
            start = middle
            whole = False
    if not whole:
        proof.append(subtree(start, end))
    return proof[::-1]


def verify_consistency(
    size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether *proof* shows the tree (*size1*, *root1*) to be the beginning of the other (2.1.4.2).

    An empty tree is the beginning of every tree; its proof is empty.
    """
    if not 0 <= size1 <= size2:
        return False
    if size1 == 0:
        return not proof and root1 == EMPTY_ROOT
    if size1 == size2:
        return not proof and root1 == root2
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node >>= 1
        last >>= 1
    found1 = found2 = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            found1, found2 = node_hash(one, found1), node_hash(one, found2)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            found2 = node_hash(found2, one)
        node >>= 1
        last >>= 1
    return last == 0 and found1 == root1 and found2 == root2
