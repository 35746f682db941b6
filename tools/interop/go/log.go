// A log's public folder, read as a client of x/mod reads it.

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles by their paths in C2SP tlog-tiles: those of x/mod without the height.
func c2sp(t tlog.Tile) string { return strings.Replace(t.Path(), "tile/8/", "tile/", 1) }

type folderOfTiles struct {
	log    string
	target string // one file that is spoilt while it is read
	read   map[string]bool
}

func (f folderOfTiles) Height() int                                { return 8 }
func (f folderOfTiles) SaveTiles(tiles []tlog.Tile, data [][]byte) {}
func (f folderOfTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := f.file(c2sp(t))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folderOfTiles) file(path string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(f.log, path))
	f.read[path] = true
	if err == nil && path == f.target {
		data[len(data)/3] ^= 4
	}
	return data, err
}

// Root, proofs, and every entry against its leaf.
func (f folderOfTiles) check(tree tlog.Tree, proofs int64) error {
	reader := tlog.TileHashReader(tree, f)
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil || root != tree.Hash {
		return fmt.Errorf("root %v, not %v: %v", root, tree.Hash, err)
	}
	for n := int64(0); n < proofs; n++ {
		index := n * 7919 * 31 % tree.N
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0]); err != nil {
			return err
		}
		old, err := tlog.TreeHash(index+1, reader)
		if err != nil {
			return err
		}
		ofTree, err := tlog.ProveTree(tree.N, index+1, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(ofTree, tree.N, tree.Hash, index+1, old); err != nil {
			return err
		}
	}
	for start := int64(0); start < tree.N; start += 256 {
		t := tlog.Tile{H: 8, L: 0, N: start / 256, W: int(min(256, tree.N-start))}
		bundle, err := f.file(strings.Replace(c2sp(t), "tile/0/", "tile/entries/", 1))
		if err != nil {
			return err
		}
		var indexes []int64
		for i := range int64(t.W) {
			indexes = append(indexes, tlog.StoredHashIndex(0, start+i))
		}
		leaves, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("entry %d is cut off", start+int64(i))
			}
			length := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:length]) != leaf {
				return fmt.Errorf("entry %d is not its leaf", start+int64(i))
			}
			bundle = bundle[length:]
		}
		if len(bundle) != 0 {
			return fmt.Errorf("bundle %d is too long", t.N)
		}
	}
	return nil
}

func judgeTiles(folder string) (string, error) {
	keys, err := verifiers(folder)
	if err != nil {
		return "", err
	}
	log := filepath.Join(folder, "log")
	data, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil {
		return "", err
	}
	tree, err := checkpoint(data, keys[:1])
	if err != nil {
		return "", err
	}
	whole := folderOfTiles{log, "", map[string]bool{}}
	if err := whole.check(tree, 300); err != nil {
		return "", err
	}
	var files []string
	for file := range whole.read {
		files = append(files, file)
	}
	sort.Strings(files)
	const spoilt = 24
	for n := range spoilt {
		target := files[n*(len(files)-1)/(spoilt-1)]
		if err := (folderOfTiles{log, target, map[string]bool{}}).check(tree, 1); err == nil {
			return "", fmt.Errorf("the log holds with %s spoilt", target)
		}
	}
	return fmt.Sprintf("%d files, %d entries, 600 proofs; %d spoilt refused", len(files), tree.N, spoilt), nil
}
