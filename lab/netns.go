package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Do runs f in the node's network namespace: what f opens stays there. It
// must not start goroutines that should be there, too.
func (n *Node) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		back, err := enter(filepath.Join(namespacesDir, n.Namespace))
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("namespace %s: %w", n.Namespace, err)
			return
		}
		err = f()
		// A thread that cannot go back ends with its goroutine.
		if failed := back(); failed == nil {
			runtime.UnlockOSThread()
		} else {
			err = errors.Join(err, failed)
		}
		done <- err
	}()
	return <-done
}

// enter moves the thread into a namespace; the function it returns moves it back.
func enter(path string) (back func() error, err error) {
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	target, err := os.Open(path)
	if err != nil {
		own.Close()
		return nil, err
	}
	defer target.Close()
	if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
		own.Close()
		return nil, err
	}
	return func() error {
		defer own.Close()
		return unix.Setns(int(own.Fd()), unix.CLONE_NEWNET)
	}, nil
}

func (n *Node) linkMAC() (mac string) {
	n.lab.Helper()
	err := n.Do(func() error {
		i, err := net.InterfaceByName(Interface)
		if err == nil {
			mac = i.HardwareAddr.String()
		}
		return err
	})
	if err != nil {
		n.lab.Fatalf("%s: %v", n.Name, err)
	}
	return mac
}

// linkLocal is the IPv6 link-local address of the node's interface.
func (n *Node) linkLocal() (ip netip.Addr) {
	n.lab.Helper()
	err := n.Do(func() error {
		i, err := net.InterfaceByName(Interface)
		if err != nil {
			return err
		}
		addrs, err := i.Addrs()
		for _, a := range addrs {
			if p, ok := a.(*net.IPNet); ok && p.IP.To4() == nil && p.IP.IsLinkLocalUnicast() {
				ip, _ = netip.AddrFromSlice(p.IP)
			}
		}
		return err
	})
	if err != nil {
		n.lab.Fatalf("%s: %v", n.Name, err)
	}
	return ip
}

// socket opens a socket in the node's namespace, readied by setup.
func (n *Node) socket(domain, kind, protocol int, setup func(fd int) error) *os.File {
	n.lab.Helper()
	var f *os.File
	err := n.Do(func() error {
		fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		if err != nil {
			return err
		}
		if err := setup(fd); err != nil {
			unix.Close(fd)
			return err
		}
		f = os.NewFile(uintptr(fd), n.Name)
		return nil
	})
	if err != nil {
		n.lab.Fatalf("%s: socket: %v", n.Name, err)
	}
	n.lab.Cleanup(func() { f.Close() })
	return f
}
