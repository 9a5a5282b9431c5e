package doctor

import "syscall"

// clockRunsFree reports whether the kernel says that nothing keeps the clock right (adjtimex(2)).
func clockRunsFree() bool {
	const timeError, unsynchronized = 5, 0x40 // TIME_ERROR, STA_UNSYNC
	var kernel syscall.Timex                  // asks only
	state, err := syscall.Adjtimex(&kernel)
	return err == nil && (state == timeError || kernel.Status&unsynchronized != 0)
}
