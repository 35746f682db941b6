// Driver of golang.org/x/mod/sumdb/{note,tlog}, which are in the vendor tree of the Go distribution: same commands and same
// folder as attest/examples/interop, see there. run.sh compiles it in a scratch folder beside a copy of that package.
package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
