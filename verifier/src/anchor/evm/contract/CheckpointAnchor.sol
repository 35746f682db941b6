// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.35;

/// Newest checkpoints of transparency logs, each of which has been shown to be a continuation of the one before it.
///
/// A consistency proof shows that one tree continues another. It does not show that the log signed the new tree: everybody
/// can add an entry to a public tree and prove it. So nobody anchors for others: heads stand under the address that sent
/// them, and a reader names the address that he means. There is no owner, no upgrade, no constructor argument: the code
/// is the same wherever it is deployed, and its hash stands in the account.
///
/// Does not prove: that the log signed the head (compare with a signed checkpoint), or that what is in the log is true.
contract CheckpointAnchor {
    /// Two words of storage: `size | time << 64`, then `root`. The offline check depends on this layout.
    struct Head {
        uint64 size;
        uint64 time; // of the block in which it was anchored, seconds since 1970
        bytes32 root;
    }

    /// publisher => keccak256(origin line of the checkpoint, without its line end) => head
    mapping(address => mapping(bytes32 => Head)) public heads;

    event Anchored(address indexed publisher, bytes32 indexed origin, uint64 size, bytes32 root);

    /// The head that the sender has anchored is of another size than the call continues.
    error OtherHead(uint64 size);
    /// A smaller tree than the one that is anchored.
    error Rollback(uint64 size);
    /// Another tree of the same size than the one that is anchored.
    error Split(uint64 size);
    /// This head is anchored already, or is an empty tree.
    error NothingNew(uint64 size);
    /// The proof does not lead from the anchored head to the new one.
    error Inconsistent();

    /// Moves the sender's head of a log. The first one (`oldSize` 0) has nothing to be consistent with and takes no proof.
    function anchor(bytes32 origin, uint64 oldSize, uint64 newSize, bytes32 newRoot, bytes32[] calldata proof) external {
        Head storage head = heads[msg.sender][origin];
        uint64 size = head.size;
        bytes32 root = head.root;
        if (newSize < size) revert Rollback(size);
        if (newSize == size) {
            if (size != 0 && newRoot != root) revert Split(size);
            revert NothingNew(size);
        }
        if (oldSize != size) revert OtherHead(size);
        if (!consistent(size, root, newSize, newRoot, proof)) revert Inconsistent();
        head.size = newSize;
        head.time = uint64(block.timestamp);
        head.root = newRoot;
        emit Anchored(msg.sender, origin, newSize, newRoot);
    }

    /// RFC 9162, 2.1.4.2, for first < second; the numbers are the steps there.
    function consistent(uint64 first, bytes32 oldRoot, uint64 second, bytes32 newRoot, bytes32[] calldata proof)
        private
        view
        returns (bool)
    {
        if (first == 0) return proof.length == 0;
        uint256 next;
        bytes32 fr;
        // 1, 2: a whole subtree is its own first hash
        if (first & (first - 1) == 0) {
            fr = oldRoot;
        } else {
            if (proof.length == 0) return false;
            fr = proof[0];
            next = 1;
        }
        bytes32 sr = fr; // 5
        uint64 fn = first - 1; // 3
        uint64 sn = second - 1;
        while (fn & 1 == 1) (fn, sn) = (fn >> 1, sn >> 1); // 4
        for (; next < proof.length; next++) {
            // 6
            bytes32 c = proof[next];
            if (sn == 0) return false;
            if (fn & 1 == 1 || fn == sn) {
                fr = node(c, fr);
                sr = node(c, sr);
                while (fn & 1 == 0 && fn != 0) (fn, sn) = (fn >> 1, sn >> 1);
            } else {
                sr = node(sr, c);
            }
            (fn, sn) = (fn >> 1, sn >> 1);
        }
        return sn == 0 && fr == oldRoot && sr == newRoot; // 7
    }

    /// SHA-256(01 || left || right) by the precompile at address 2, in memory that nothing else uses: `sha256(bytes)`
    /// would take new memory for each node.
    function node(bytes32 left, bytes32 right) private view returns (bytes32 hash) {
        bool done;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 1)
            mstore(add(at, 1), left)
            mstore(add(at, 33), right)
            done := staticcall(gas(), 2, at, 65, 0, 32)
            hash := mload(0)
        }
        require(done); // false when the precompile ran out of gas: then there is no hash
    }
}
