// Package file reads what a configuration is made of.
package file

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Attributes are those of a file, and links followed.
type Attributes struct {
	Mode     fs.FileMode
	UID, GID int
	Size     int64 // bytes
}

// least is how much is read of a file at the least, in bytes: of some the kernel tells no
// size.
const least = 64 << 10

// Read returns up to limit bytes of a regular file, without waiting for whoever may be at its
// other end, and what it is; nothing but that of any other. One that grows meanwhile is
// EAGAIN: half of it is worse than nothing. There may be data with an error, to be wiped.
func Read(path string, limit int) (data []byte, of Attributes, err error) {
	// What it does to open a device nobody knows.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, attributes(info), nil
	}
	// Without O_NONBLOCK the opening of a FIFO would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, of, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, of, err
	}
	of = attributes(info)
	if !of.Mode.IsRegular() {
		return nil, of, nil
	}
	// One piece of memory, so that there is one to wipe.
	data = make([]byte, min(max(of.Size, least)+1, int64(limit)))
	n, err := io.ReadFull(f, data)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		err = nil
	case err == nil && n < limit:
		err = syscall.EAGAIN
	}
	return data[:n], of, err
}

// attributes are those that the kernel of this machine tells.
func attributes(info fs.FileInfo) Attributes {
	stat := info.Sys().(*syscall.Stat_t)
	return Attributes{Mode: info.Mode(), UID: int(stat.Uid), GID: int(stat.Gid), Size: info.Size()}
}
