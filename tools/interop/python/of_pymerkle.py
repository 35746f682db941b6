"""Driver of pymerkle. Its proofs of consistency are not those of RFC 6962 (they go down to a leaf, and have the base in
them), so it is asked for roots and inclusion."""

import common
from pymerkle import InclusionProof, InmemoryTree
from pymerkle.core import _inclusion_path_layout
from pymerkle.hasher import MerkleHasher


def tree(folder):
    return InmemoryTree.init_from_entries(common.entries(folder))


def judge_roots(folder):
    ours, roots = tree(folder), common.roots(folder)
    for size, root in enumerate(roots):
        if ours.get_root(size) != root:
            raise ValueError(f"the root of {size} entries is {ours.get_root(size).hex()}")
    if len(roots) != ours.get_size() + 1:
        raise ValueError(f"{len(roots)} roots")
    return f"{len(roots)} roots"


def judge_proofs(folder):
    roots, hasher = common.roots(folder), MerkleHasher("sha256")
    leaves = [hasher.hash_buff(entry) for entry in common.entries(folder)]

    def holds(_kind, index, size, hashes):
        # which sides the hashes stand on is not in the standard's proof; pymerkle tells it from index and size
        rule, _ = _inclusion_path_layout(index + 1, size)
        proof = InclusionProof("sha256", True, size, index + 1, rule, [leaves[index], *hashes])
        try:
            proof.verify(leaves[index], roots[size], index=index + 1, size=size)
        except Exception:
            return False
        return True

    return common.judge_stream(holds, [b"i"])


def write(folder):
    ours = tree(folder)
    lines = [f"{size} {common.b64(ours.get_root(size))}\n" for size in range(ours.get_size() + 1)]
    common.put(folder, "roots", "".join(lines))
    return f"{len(lines)} roots"


def proofs(folder):
    ours = tree(folder)
    for size in sorted(common.SIZES):
        for index in range(size):
            common.record(b"i", index, size, ours.prove_inclusion(index + 1, size).path[1:])
    return "end"


common.main({"judge roots": judge_roots, "judge proofs": judge_proofs, "write": write, "proofs": proofs})
