package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// NameOf is the name that a device has now, "" when it is gone.
func (k *Kernel) NameOf(index int) string {
	l, err := netlink.LinkByIndex(index)
	if err != nil {
		return ""
	}
	return l.Attrs().Name
}

// Enslaved says whether a device has a master, a VRF perhaps.
func (k *Kernel) Enslaved(index int) (bool, error) {
	l, err := netlink.LinkByIndex(index)
	return err == nil && l.Attrs().MasterIndex != 0, err
}

// CreateMACVLAN makes a macvlan above an interface and leaves it down. Its
// mode is VEPA: like private it passes nothing on to its siblings, so that a
// broadcast costs one frame and not one for each virtual router; unlike
// private it leaves the interface the multicast frames of another Active,
// which come from the same MAC address.
func (k *Kernel) CreateMACVLAN(lower int, name string, mac net.HardwareAddr, alias string, group uint32) (int, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr, attrs.Group = name, lower, mac, group
	l := &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_VEPA}
	if err := netlink.LinkAdd(l); err != nil {
		return 0, err
	}
	if l.Index == 0 {
		return 0, errors.New("no index")
	}
	return l.Index, netlink.LinkSetAlias(l, alias) // which the kernel does not take above
}

// DeleteLink deletes a device; one that is gone already is no error.
func (k *Kernel) DeleteLink(index int) error {
	if err := netlink.LinkDel(device(index)); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("delete device %d: %w", index, err)
	}
	return nil
}

// DeleteLinks deletes devices, several of them by a group of their own.
func (k *Kernel) DeleteLinks(indexes []int, group uint32) error {
	if len(indexes) < 2 {
		for _, index := range indexes {
			return k.DeleteLink(index)
		}
		return nil
	}
	var reqs []*nl.NetlinkRequest
	for _, index := range indexes {
		reqs = append(reqs, linkRequest(unix.RTM_SETLINK, index, groupAttribute(group)))
	}
	return errors.Join(k.exchange(reqs, unix.ENODEV), k.DeleteGroup(group))
}

// DeleteGroup deletes all devices of a group at once: a thousand in the time
// that eight take one by one. A group without any is no error.
func (k *Kernel) DeleteGroup(group uint32) error {
	if err := k.exchange([]*nl.NetlinkRequest{linkRequest(unix.RTM_DELLINK, 0, groupAttribute(group))}, unix.ENODEV); err != nil {
		return fmt.Errorf("delete devices of group %#x: %w", group, err)
	}
	return nil
}

// linkRequest is about one device, or about all of a group.
func linkRequest(kind, index int, attributes ...*nl.RtAttr) *nl.NetlinkRequest {
	req, msg := nl.NewNetlinkRequest(kind, unix.NLM_F_ACK), nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	for _, a := range attributes {
		req.AddData(a)
	}
	return req
}

func groupAttribute(group uint32) *nl.RtAttr {
	return nl.NewRtAttr(unix.IFLA_GROUP, binary.NativeEndian.AppendUint32(nil, group))
}

func upRequest(dev int, flags uint32) *nl.NetlinkRequest {
	req := linkRequest(unix.RTM_NEWLINK, dev)
	msg := req.Data[0].(*nl.IfInfomsg)
	msg.Change, msg.Flags = unix.IFF_UP, flags
	return req
}

// SetMAC gives an interface a hardware address.
func SetMAC(index int, mac net.HardwareAddr) error {
	if err := netlink.LinkSetHardwareAddr(device(index), mac); err != nil {
		return fmt.Errorf("set hardware address %v: %w", mac, err)
	}
	return nil
}

// SetMTU sets the MTU of a device.
func SetMTU(index, mtu int) error { return netlink.LinkSetMTU(device(index), mtu) }

// device is one of any kind, as the library names it.
func device(index int) netlink.Link {
	return &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: index}}
}
