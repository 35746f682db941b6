// Driver of golang.org/x/mod/sumdb/{note,tlog}, which are in the vendor tree of the Go distribution: same commands and same
// folder as attest/examples/interop, see there. run.sh compiles it in a scratch folder beside a copy of that package.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var base = base64.StdEncoding

func main() {
	line, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "go:", err)
		if errors.Is(err, fs.ErrNotExist) {
			os.Exit(2)
		}
		os.Exit(1)
	}
	fmt.Println(line)
}

func run(arguments []string) (string, error) {
	switch {
	case len(arguments) == 2 && arguments[0] == "write":
		return write(arguments[1])
	case len(arguments) == 2 && arguments[0] == "proofs":
		return writeProofs(arguments[1])
	case len(arguments) == 3 && arguments[0] == "judge":
		judges := map[string]func(string) (string, error){"roots": judgeRoots, "notes": judgeNotes, "proofs": judgeProofs, "tiles": judgeTiles}
		if judge, ok := judges[arguments[1]]; ok {
			return judge(arguments[2])
		}
	}
	fmt.Fprintln(os.Stderr, "go: unknown arguments")
	os.Exit(2)
	return "", nil
}

func lines(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), err
}

func entries(folder string) ([][]byte, error) {
	texts, err := lines(filepath.Join(folder, "entries"))
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, text := range texts {
		entry, err := base.DecodeString(text)
		if err != nil {
			return nil, err
		}
		all = append(all, entry)
	}
	return all, nil
}

func roots(folder string) ([]tlog.Hash, error) {
	texts, err := lines(filepath.Join(folder, "roots"))
	if err != nil {
		return nil, err
	}
	var all []tlog.Hash
	for size, text := range texts {
		hash, err := tlog.ParseHash(strings.TrimPrefix(text, strconv.Itoa(size)+" "))
		if err != nil {
			return nil, err
		}
		all = append(all, hash)
	}
	return all, nil
}

// All hashes of a tree, in the order of x/mod.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = m[index]
	}
	return hashes, nil
}

func tree(entries [][]byte) (memory, error) {
	var m memory
	for n, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(n), entry, m)
		if err != nil {
			return nil, err
		}
		m = append(m, hashes...)
	}
	return m, nil
}

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

// Tiles by their paths in C2SP tlog-tiles: those of x/mod without the height.
func c2sp(t tlog.Tile) string { return strings.Replace(t.Path(), "tile/8/", "tile/", 1) }

type folderOfTiles struct {
	log    string
	target string // one file that is spoilt while it is read
	read   map[string]bool
}

func (f folderOfTiles) Height() int                              { return 8 }
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
