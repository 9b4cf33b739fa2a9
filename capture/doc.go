// Package capture reads capture files, pcap and pcapng, and writes pcap. It
// looks at record headers alone: what was captured is handed on unread. A
// library would have brought decoders of packets into the process with
// privileges, which shall have none.
package capture
