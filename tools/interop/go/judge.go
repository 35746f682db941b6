// Roots, notes and the stream of proofs.

package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func judgeRoots(folder string) (string, error) {
	entries, err := entries(folder)
	if err != nil {
		return "", err
	}
	theirs, err := roots(folder)
	if err != nil {
		return "", err
	}
	m, err := tree(entries)
	if err != nil {
		return "", err
	}
	if len(theirs) != len(entries)+1 {
		return "", fmt.Errorf("%d roots, not %d", len(theirs), len(entries)+1)
	}
	for size, root := range theirs {
		if hash, err := tlog.TreeHash(int64(size), m); err != nil || hash != root {
			return "", fmt.Errorf("the root of %d entries is %v, not %v: %v", size, hash, root, err)
		}
	}
	return fmt.Sprintf("%d roots", len(theirs)), nil
}

// Key texts of type 4: x/mod has the interface, crypto/ed25519 the signature; what lies between is here.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.hash }
func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != 72 {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	return ed25519.Verify(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", time, text), signature[8:])
}

func verifiers(folder string) ([]note.Verifier, error) {
	texts, err := lines(filepath.Join(folder, "keys"))
	if err != nil {
		return nil, err
	}
	var all []note.Verifier
	for _, text := range texts {
		fields := strings.SplitN(text, "+", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("no key text: %s", text)
		}
		key, err := base.DecodeString(fields[2])
		if err == nil && len(key) == 33 && key[0] == 4 {
			hash, err := strconv.ParseUint(fields[1], 16, 32)
			if err != nil {
				return nil, err
			}
			all = append(all, witness{fields[0], uint32(hash), key[1:]})
			continue
		}
		verifier, err := note.NewVerifier(text)
		if err != nil {
			return nil, err
		}
		all = append(all, verifier)
	}
	return all, nil
}

// The checkpoint of a note that all of these have signed. x/mod's ParseTree knows the form of one log only, so that its
// second and third line are read by it under that log's name.
func checkpoint(data []byte, keys []note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(data, note.VerifierList(keys...))
	if err != nil {
		return tlog.Tree{}, err
	}
	if len(opened.Sigs) != len(keys) {
		return tlog.Tree{}, fmt.Errorf("%d of %d have signed", len(opened.Sigs), len(keys))
	}
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	if origin != keys[0].Name() {
		return tlog.Tree{}, fmt.Errorf("of another log: %s", origin)
	}
	return tlog.ParseTree([]byte("go.sum database tree\n" + rest))
}

func judgeNotes(folder string) (string, error) {
	keys, err := verifiers(folder)
	if err != nil {
		return "", err
	}
	files, err := os.ReadDir(filepath.Join(folder, "notes"))
	if err != nil {
		return "", err
	}
	refused, taken := 0, 0
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(folder, "notes", file.Name()))
		if err != nil {
			return "", err
		}
		if _, err := checkpoint(data, keys); err != nil {
			return "", fmt.Errorf("%s: %w", file.Name(), err)
		}
		for at := range data {
			spoilt := bytes.Clone(data)
			spoilt[at] ^= 1 << (at % 8)
			if _, err := checkpoint(spoilt, keys); err != nil {
				refused++
			} else if at+1 < len(data) && data[at+1] == '=' && spoilt[at+1] == '=' {
				taken++ // bits that base64 does not use
			} else {
				return "", fmt.Errorf("%s: holds with byte %d spoilt", file.Name(), at)
			}
		}
	}
	return fmt.Sprintf("%d notes; %d spoilt refused, %d in unused bits of base64 taken", len(files), refused, taken), nil
}

func judgeProofs(folder string) (string, error) {
	entries, err := entries(folder)
	if err != nil {
		return "", err
	}
	roots, err := roots(folder)
	if err != nil {
		return "", err
	}
	var leaves []tlog.Hash
	for _, entry := range entries {
		leaves = append(leaves, tlog.RecordHash(entry))
	}
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	counts, spoilt := map[byte]int{}, 0
	for {
		head := make([]byte, 6)
		if _, err := io.ReadFull(input, head[:1]); err != nil {
			return "", err
		}
		if head[0] == 'e' {
			io.Copy(io.Discard, input)
			break
		}
		if _, err := io.ReadFull(input, head[1:]); err != nil {
			return "", err
		}
		first, size := int(binary.BigEndian.Uint16(head[1:])), int(binary.BigEndian.Uint16(head[3:]))
		hashes := make([]tlog.Hash, head[5])
		for i := range hashes {
			if _, err := io.ReadFull(input, hashes[i][:]); err != nil {
				return "", err
			}
		}
		if size >= len(roots) || first > size {
			return "", fmt.Errorf("no such tree: %d %d", first, size)
		}
		check := func() error { return errors.New("a proof of no kind") }
		switch {
		case head[0] == 'i' && first < size:
			check = func() error {
				return tlog.CheckRecord(hashes, int64(size), roots[size], int64(first), leaves[first])
			}
		case head[0] == 'c':
			check = func() error {
				return tlog.CheckTree(hashes, int64(size), roots[size], int64(first), roots[first])
			}
		}
		if err := check(); err != nil {
			return "", fmt.Errorf("%c %d %d: %w", head[0], first, size, err)
		}
		counts[head[0]]++
		if len(hashes) > 0 {
			bit := (spoilt * 37) % (len(hashes) * 256)
			hashes[bit/256][bit%256/8] ^= 1 << (bit % 8)
			if check() == nil {
				return "", fmt.Errorf("%c %d %d: holds with bit %d spoilt", head[0], first, size, bit)
			}
			spoilt++
		}
	}
	all := len(entries) * (len(entries) + 1) / 2
	if counts['i'] != all || counts['c'] != all {
		return "", fmt.Errorf("%v proofs, not %d of each kind", counts, all)
	}
	return fmt.Sprintf("%d inclusion and %d consistency proofs; %d spoilt refused", all, all, spoilt), nil
}
