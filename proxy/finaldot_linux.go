package proxy

import "golang.org/x/sys/unix"

// peerOf asks the kernel for the state of a connection (tcp(7), TCP_INFO); nil when it says nothing.
func peerOf(fd uintptr) *peer {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return nil
	}
	return &peer{
		open:  info.State == unix.BPF_TCP_ESTABLISHED,
		reset: info.State == unix.BPF_TCP_CLOSE,
		taken: info.Unacked == 0 && info.Notsent_bytes == 0,
	}
}
