// What x/mod writes for us.

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func put(folder, name string, data []byte) error {
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

const origin = "go.example/log"

// Roots and notes over the entries that lie there, and a log in tiles.
func write(folder string) (string, error) {
	entries, err := entries(folder)
	if err != nil {
		return "", err
	}
	m, err := tree(entries)
	if err != nil {
		return "", err
	}
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return "", err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return "", err
	}
	if err := put(folder, "keys", []byte(public+"\n")); err != nil {
		return "", err
	}
	var roots bytes.Buffer
	for size := range len(entries) + 1 {
		root, err := tlog.TreeHash(int64(size), m)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&roots, "%d %s\n", size, root)
		if size%100 == 0 || size%256 == 0 {
			signed, err := signedTree(int64(size), root, signer)
			if err != nil {
				return "", err
			}
			if err := put(folder, fmt.Sprintf("notes/%d", size), signed); err != nil {
				return "", err
			}
		}
	}
	if err := put(folder, "roots", roots.Bytes()); err != nil {
		return "", err
	}
	return "written", writeLog(folder, signer)
}

func signedTree(size int64, root tlog.Hash, signer note.Signer) ([]byte, error) {
	text := string(tlog.FormatTree(tlog.Tree{N: size, Hash: root}))
	return note.Sign(&note.Note{Text: strings.Replace(text, "go.sum database tree", origin, 1)}, signer)
}

func writeLog(folder string, signer note.Signer) error {
	const size = 256_300
	var all [][]byte
	for n := range size {
		all = append(all, fmt.Appendf(nil, "entry %d of another program", n))
	}
	m, err := tree(all)
	if err != nil {
		return err
	}
	for _, t := range tlog.NewTiles(8, 0, size) {
		data, err := tlog.ReadTileData(t, m)
		if err != nil {
			return err
		}
		if err := put(folder, "log/"+c2sp(t), data); err != nil {
			return err
		}
		if t.L != 0 {
			continue
		}
		var bundle []byte
		for _, entry := range all[t.N*256 : t.N*256+int64(t.W)] {
			bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(entry))), entry...)
		}
		if err := put(folder, "log/"+strings.Replace(c2sp(t), "tile/0/", "tile/entries/", 1), bundle); err != nil {
			return err
		}
	}
	root, err := tlog.TreeHash(size, m)
	if err != nil {
		return err
	}
	signed, err := signedTree(size, root, signer)
	if err != nil {
		return err
	}
	return put(folder, "log/checkpoint", signed)
}

func writeProofs(folder string) (string, error) {
	entries, err := entries(folder)
	if err != nil {
		return "", err
	}
	m, err := tree(entries)
	if err != nil {
		return "", err
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	record := func(kind byte, first, size int64, hashes []tlog.Hash) {
		out.WriteByte(kind)
		out.Write(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, uint16(first)), uint16(size)))
		out.WriteByte(byte(len(hashes)))
		for _, hash := range hashes {
			out.Write(hash[:])
		}
	}
	for size := int64(1); size <= int64(len(entries)); size++ {
		for n := range size {
			inclusion, err := tlog.ProveRecord(size, n, m)
			if err != nil {
				return "", err
			}
			record('i', n, size, inclusion)
			consistency, err := tlog.ProveTree(size, n+1, m)
			if err != nil {
				return "", err
			}
			record('c', n+1, size, consistency)
		}
	}
	return "end", out.Flush()
}
